/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sigv4_check.h"

#include <openssl/sha.h>

#include "aws/sigv4.h"
#include "base/clock.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"
#define SIGNATURE_SIZE 64
#define DATE_SIZE 8

static const char invalid_token[] = "The security token included in the request is invalid.";

/* Cuts the bytes before the first `separator` off `rest`, which afterwards begins behind it. */
static struct view cut(struct view *rest, char separator)
{
	const uint8_t *end = rest->size ? memchr(rest->data, separator, rest->size) : NULL;
	size_t size = end ? (size_t)(end - rest->data) : rest->size;
	struct view head = view_of(rest->data, size);
	size_t used = end ? size + 1 : size;

	*rest = view_of(rest->data + used, rest->size - used);
	return head;
}

static struct view trim(struct view text)
{
	while (text.size && (text.data[0] == ' ' || text.data[0] == '\t'))
		text = view_of(text.data + 1, text.size - 1);
	while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
		text.size--;
	return text;
}

static bool parse_credential(struct view scope, struct sigv4_authorization *authorization, struct error *error)
{
	struct view key_id = cut(&scope, '/');

	authorization->date = cut(&scope, '/');
	authorization->region = cut(&scope, '/');
	authorization->service = cut(&scope, '/');
	if (key_id.size == 0 || key_id.size >= CREDENTIALS_KEY_ID_SIZE || memchr(key_id.data, 0, key_id.size) ||
	    authorization->date.size != DATE_SIZE || !view_equal_text(scope, TERMINATOR))
		return error_set(error, ERROR_INPUT, "Authorization: Credential is not ID/DATE/REGION/SERVICE/" TERMINATOR);
	memcpy(authorization->access_key_id, key_id.data, key_id.size);
	authorization->access_key_id[key_id.size] = 0;
	return true;
}

bool sigv4_authorization_parse(struct view header, struct sigv4_authorization *ret_authorization, struct error *error)
{
	struct sigv4_authorization authorization = {0};
	struct view credential = {0};
	const struct {
		const char *name;
		struct view *value;
	} parts[] = {{"Credential", &credential},
		     {"SignedHeaders", &authorization.signed_headers},
		     {"Signature", &authorization.signature}};

	if (!view_equal_text(cut(&header, ' '), ALGORITHM))
		return error_set(error, ERROR_INPUT, "Authorization: not " ALGORITHM);
	while (header.size) {
		struct view value = trim(cut(&header, ','));
		struct view name = cut(&value, '=');

		for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
			if (!view_equal_text(name, parts[i].name))
				continue;
			if (parts[i].value->data)
				return error_set(error, ERROR_INPUT, "Authorization: %s is given twice", parts[i].name);
			*parts[i].value = value;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].value->size == 0)
			return error_set(error, ERROR_INPUT, "Authorization header requires '%s' parameter.", parts[i].name);
	}
	if (authorization.signature.size != SIGNATURE_SIZE)
		return error_set(error, ERROR_INPUT, "Authorization: Signature has %zu characters, expected %d",
				 authorization.signature.size, SIGNATURE_SIZE);
	if (!parse_credential(credential, &authorization, error))
		return false;
	*ret_authorization = authorization;
	return true;
}

static bool same_name(struct view a, struct view b)
{
	return a.size == b.size && strncasecmp((const char *)a.data, (const char *)b.data, a.size) == 0;
}

static bool is_signed(struct view signed_headers, struct view name)
{
	while (signed_headers.size) {
		if (same_name(cut(&signed_headers, ';'), name))
			return true;
	}
	return false;
}

/* AWS: besides the host every x-amz- header must be under the signature, else it could be changed on the way. */
static bool must_be_signed(struct view name)
{
	static const char prefix[] = "x-amz-";

	return name.size >= strlen(prefix) && strncasecmp((const char *)name.data, prefix, strlen(prefix)) == 0;
}

/* The headers under the signature. All of SignedHeaders must be there. */
static bool collect_signed(struct kms_call *call, const struct http_server_request *request, struct view signed_headers,
			   struct sigv4_header *ret_headers, size_t *ret_count, struct error *error)
{
	struct view rest = signed_headers;
	size_t count = 0;

	if (!is_signed(signed_headers, view_of_text("host")))
		return kms_fail(call, KMS_INVALID_SIGNATURE, error, "'host' must be a 'SignedHeader' in the AWS Authorization.");
	for (size_t i = 0; i < request->header_count; i++) {
		const struct http_server_header *header = &request->headers[i];

		if (is_signed(signed_headers, header->name))
			ret_headers[count++] = (struct sigv4_header){header->name, header->value};
		else if (must_be_signed(header->name))
			return kms_fail(call, KMS_INVALID_SIGNATURE, error,
					"'%.*s' must be a 'SignedHeader' in the AWS Authorization.", (int)header->name.size,
					(const char *)header->name.data);
	}
	while (rest.size) {
		struct view name = cut(&rest, ';');
		bool found = false;

		for (size_t i = 0; i < count && !found; i++)
			found = same_name(name, ret_headers[i].name);
		if (!found)
			return kms_fail(call, KMS_INVALID_SIGNATURE, error, "'%.*s' is signed but not in the request.",
					(int)(name.size < 64 ? name.size : 64), (const char *)name.data);
	}
	*ret_count = count;
	return true;
}

static bool recompute(struct kms_call *call, const struct http_server_request *request, const struct sigv4_header *headers,
		      size_t header_count, const struct sigv4_scope *scope, char ret_hex[SIGNATURE_SIZE + 1], struct error *error)
{
	const char *query = strchr(request->target, '?');
	size_t path_size = query ? (size_t)(query - request->target) : strlen(request->target);
	struct sigv4_request canonical_request = {.method = view_of_text(request->method),
						  .path = view_of(request->target, path_size),
						  .query = query ? view_of_text(query + 1) : view_of_text(""),
						  .headers = headers,
						  .header_count = header_count,
						  .normalize_path = true,
						  .double_encode_path = true};
	AUTO_BUFFER struct buffer canonical = {0};
	AUTO_BUFFER struct buffer string_to_sign = {0};

	(void)SHA256(request->body.data, request->body.size, canonical_request.payload_sha256);
	if (!sigv4_canonical_request(&canonical_request, &canonical, NULL, error))
		return false;
	sigv4_string_to_sign(buffer_view(&canonical), scope, &string_to_sign);
	return sigv4_signature(buffer_view(&string_to_sign), scope, secret_view(&call->caller.credentials.secret_access_key),
			       ret_hex, error);
}

/* The scope must be ours and of the day of x-amz-date. */
static bool check_scope(struct kms_call *call, const struct sigv4_authorization *authorization, const char *service,
			const char *date_time, struct error *error)
{
	if (!view_equal_text(authorization->region, call->region))
		return kms_fail(call, KMS_INVALID_SIGNATURE, error, "Credential should be scoped to a valid region, not '%.*s'.",
				(int)(authorization->region.size < 64 ? authorization->region.size : 64),
				(const char *)authorization->region.data);
	if (!view_equal_text(authorization->service, service))
		return kms_fail(call, KMS_INVALID_SIGNATURE, error, "Credential should be scoped to correct service: '%s'.",
				service);
	if (!view_equal(authorization->date, view_of(date_time, DATE_SIZE)))
		return kms_fail(call, KMS_INVALID_SIGNATURE, error,
				"Date in Credential scope does not match YYYYMMDD from x-amz-date.");
	return true;
}

static bool read_date(struct kms_call *call, const struct http_server_request *request, char ret_date_time[CLOCK_BASIC_TEXT_SIZE],
		      struct error *error)
{
	struct view value;
	uint64_t signed_ms;
	uint64_t distance_ms;

	if (!http_server_find_header(request, "x-amz-date", &value) || value.size != CLOCK_BASIC_TEXT_SIZE - 1)
		return kms_fail(call, KMS_INCOMPLETE_SIGNATURE, error,
				"Authorization header requires one well-formed 'X-Amz-Date' header.");
	memcpy(ret_date_time, value.data, value.size);
	ret_date_time[value.size] = 0;
	if (!clock_parse_basic(ret_date_time, &signed_ms))
		return kms_fail(call, KMS_INCOMPLETE_SIGNATURE, error, "X-Amz-Date: not YYYYMMDDTHHMMSSZ");
	distance_ms = signed_ms > call->now_ms ? signed_ms - call->now_ms : call->now_ms - signed_ms;
	if (distance_ms <= SIGV4_MAX_SKEW_MS)
		return true;
	return kms_fail(call, KMS_INVALID_SIGNATURE, error,
			signed_ms > call->now_ms ? "Signature not yet current: %s is later than now (+ 5 min.)"
						 : "Signature expired: %s is now earlier than the limit (- 5 min.)",
			ret_date_time);
}

/* Temporary credentials come with their token, long-lived ones without. */
static bool check_token(struct kms_call *call, const struct http_server_request *request, struct error *error)
{
	struct view expected = secret_view(&call->caller.credentials.session_token);
	struct view token = {0};
	bool present = http_server_find_header(request, "x-amz-security-token", &token);

	if (present == (expected.size > 0) && (!present || secret_equal(token, expected)))
		return true;
	return kms_fail(call, KMS_UNRECOGNIZED_CLIENT, error, "%s", invalid_token);
}

static bool find_caller(struct kms_call *call, const char *access_key_id, struct error *error)
{
	if (sim_store_find_identity(call->store, access_key_id, &call->caller, error))
		return true;
	return error->code == ERROR_NOT_FOUND && kms_fail(call, KMS_UNRECOGNIZED_CLIENT, error, "%s", invalid_token);
}

bool sigv4_check(struct kms_call *call, const struct http_server_request *request, const char *service, struct error *error)
{
	char date_time[CLOCK_BASIC_TEXT_SIZE] = "";
	struct sigv4_scope scope = {.region = call->region, .service = service, .date_time = date_time};
	struct sigv4_header headers[HTTP_SERVER_MAX_HEADERS];
	struct sigv4_authorization authorization;
	char expected[SIGNATURE_SIZE + 1];
	size_t header_count = 0;
	struct view header;

	if (!http_server_find_header(request, "Authorization", &header))
		return kms_fail(call, KMS_MISSING_AUTHENTICATION_TOKEN, error, "Missing Authentication Token");
	if (!sigv4_authorization_parse(header, &authorization, error)) {
		call->exception = KMS_INCOMPLETE_SIGNATURE;
		return false;
	}
	if (!read_date(call, request, date_time, error) || !check_scope(call, &authorization, service, date_time, error) ||
	    !find_caller(call, authorization.access_key_id, error) || !check_token(call, request, error) ||
	    !collect_signed(call, request, authorization.signed_headers, headers, &header_count, error) ||
	    !recompute(call, request, headers, header_count, &scope, expected, error))
		return false;
	if (!secret_equal(authorization.signature, view_of(expected, SIGNATURE_SIZE)))
		return kms_fail(
			call, KMS_INVALID_SIGNATURE, error,
			"The request signature we calculated does not match the signature you provided. Check your AWS Secret "
			"Access Key and signing method. Consult the service documentation for details.");
	if (call->caller.credentials.expiration_ms && call->caller.credentials.expiration_ms <= call->now_ms)
		return kms_fail(call, KMS_EXPIRED_TOKEN, error, "The security token included in the request is expired");
	return true;
}
