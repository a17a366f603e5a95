/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/exchange.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include "aws/sigv4.h"
#include "base/clock.h"

/* An AWS message with two ARNs in it; the error shape cuts it to its own size. */
#define MESSAGE_MAX_SIZE 400
#define SIGNED_HEADERS_MAX 5

/* ---- the request ---- */

/* The JSON protocol has two versions, and a service speaks one of them: 1.1 unless it is here. */
static const char *content_type_of(const struct aws_exchange *exchange)
{
	if (exchange->content_type)
		return exchange->content_type;
	return strcmp(exchange->service, "dynamodb") == 0 ? "application/x-amz-json-1.0" : "application/x-amz-json-1.1";
}

static const char *path_of(const struct aws_exchange *exchange)
{
	return exchange->path ? exchange->path : "/";
}

bool aws_host_is_loopback(const char *host)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t size = strlen(names[i]);

		if (strncmp(host, names[i], size) == 0 && (host[size] == 0 || host[size] == ':'))
			return true;
	}
	return false;
}

static bool sign(const struct aws_exchange *exchange, const char *date_time, char **ret_authorization, struct error *error)
{
	const struct credentials *credentials = exchange->credentials;
	const struct sigv4_scope scope = {
		.region = exchange->endpoint->region, .service = exchange->service, .date_time = date_time};
	struct sigv4_header list[SIGNED_HEADERS_MAX] = {
		{view_of_text("host"), view_of_text(exchange->endpoint->host)},
		{view_of_text("content-type"), view_of_text(content_type_of(exchange))},
		{view_of_text("x-amz-date"), view_of_text(date_time)},
	};
	size_t count = 3;
	struct sigv4_request request = {
		.method = view_of_text("POST"),
		.path = view_of_text(path_of(exchange)),
		.headers = list,
		.normalize_path = true,
		.double_encode_path = true,
	};
	AUTO_WIPED_BUFFER struct buffer canonical = {0}; /* has the session token in it */
	AUTO_BUFFER struct buffer names = {0};
	AUTO_BUFFER struct buffer string = {0};
	char signature[65];

	if (exchange->target[0])
		list[count++] = (struct sigv4_header){view_of_text("x-amz-target"), view_of_text(exchange->target)};
	if (credentials->session_token.size)
		list[count++] =
			(struct sigv4_header){view_of_text("x-amz-security-token"), secret_view(&credentials->session_token)};
	request.header_count = count;
	(void)SHA256(exchange->body.data, exchange->body.size, request.payload_sha256);
	if (!sigv4_canonical_request(&request, &canonical, &names, error))
		return false;
	sigv4_string_to_sign(buffer_view(&canonical), &scope, &string);
	if (!sigv4_signature(buffer_view(&string), &scope, secret_view(&credentials->secret_access_key), signature, error))
		return false;
	*ret_authorization = memory_format(
		"Authorization: AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
		credentials->access_key_id, date_time, scope.region, scope.service, buffer_text(&names), signature);
	return true;
}

static bool make_token_line(const struct secret *token, struct secret *ret_line, struct error *error)
{
	static const char name[] = "X-Amz-Security-Token: ";

	if (token->size == 0)
		return true;
	if (!secret_init(ret_line, sizeof name - 1 + token->size + 1, error))
		return false;
	memcpy(ret_line->data, name, sizeof name - 1);
	memcpy(ret_line->data + sizeof name - 1, token->data, token->size);
	return true;
}

static bool make_headers(const struct aws_exchange *exchange, struct aws_signed *signed_request, struct error *error)
{
	char date_time[CLOCK_BASIC_TEXT_SIZE];
	size_t count = 0;

	clock_format_basic(clock_realtime_ms(), date_time);
	signed_request->host = memory_format("Host: %s", exchange->endpoint->host);
	signed_request->content_type = memory_format("Content-Type: %s", content_type_of(exchange));
	signed_request->target = memory_format("X-Amz-Target: %s", exchange->target);
	signed_request->date = memory_format("X-Amz-Date: %s", date_time);
	if (!sign(exchange, date_time, &signed_request->authorization, error) ||
	    !make_token_line(&exchange->credentials->session_token, &signed_request->token, error))
		return false;
	signed_request->lines[count++] = signed_request->host;
	signed_request->lines[count++] = signed_request->content_type;
	if (exchange->target[0])
		signed_request->lines[count++] = signed_request->target;
	signed_request->lines[count++] = signed_request->date;
	signed_request->lines[count++] = signed_request->authorization;
	signed_request->lines[count++] = (const char *)signed_request->token.data; /* NULL ends the list here */
	return true;
}

bool aws_signed_init(struct aws_signed *signed_request, const struct aws_exchange *exchange, struct error *error)
{
	const struct aws_endpoint *endpoint = exchange->endpoint;

	*signed_request = (struct aws_signed){0};
	if (endpoint->is_plain && !aws_host_is_loopback(endpoint->host))
		return error_set(error, ERROR_INPUT, "%s: plain HTTP is only for tests on the loopback", endpoint->host);
	signed_request->url = memory_format("%s://%s%s", endpoint->is_plain ? "http" : "https", endpoint->host, path_of(exchange));
	signed_request->request = (struct http_request){
		.method = "POST",
		.url = signed_request->url,
		.via = endpoint->via,
		.ca_pem = endpoint->ca_pem,
		.headers = signed_request->lines,
		.wanted_headers = {exchange->wanted_header ? exchange->wanted_header : "x-amzn-RequestId", "x-amzn-ErrorType"},
		.body = exchange->body,
		.max_response_size = exchange->max_response_size,
		.timeout_ms = endpoint->timeout_ms,
	};
	return make_headers(exchange, signed_request, error);
}

void aws_signed_done(struct aws_signed *signed_request)
{
	free(signed_request->url);
	free(signed_request->host);
	free(signed_request->content_type);
	free(signed_request->target);
	free(signed_request->date);
	free(signed_request->authorization);
	secret_done(&signed_request->token);
	*signed_request = (struct aws_signed){0};
}

/* ---- the answer ---- */

/* Errors of a moment: the same call may well succeed a little later (with 429 and every 5xx, whatever the name). */
static const char *const passing_errors[] = {
	"ThrottlingException",
	"Throttling",
	"ThrottledException",
	"RequestThrottled",
	"RequestThrottledException",
	"TooManyRequestsException",
	"ProvisionedThroughputExceededException",
	"RequestLimitExceeded",
	"TransactionInProgressException",
	"DependencyTimeoutException",
	"KMSInternalException",
	"KeyUnavailableException",
	"InternalFailure",
	"InternalServerError",
	"ServiceUnavailable",
	"RequestTimeout",
	"RequestTimeoutException",
};

static bool is_passing(const struct aws_failure *failure)
{
	if (failure->status >= 500 || failure->status == 429)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(passing_errors); i++) {
		if (strcmp(failure->name, passing_errors[i]) == 0)
			return true;
	}
	return false;
}

/* "com.amazonaws.kms#NotFoundException" and "NotFoundException:http://…" are both in use. */
static void take_name(const char *type, char ret_name[AWS_ERROR_NAME_SIZE])
{
	const char *hash = strrchr(type, '#');
	const char *name = hash ? hash + 1 : type;

	(void)snprintf(ret_name, AWS_ERROR_NAME_SIZE, "%.*s", (int)strcspn(name, ":"), name);
}

static const char *member_text(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool read_failure(const struct http_response *response, json_t *object, struct aws_failure *failure, struct error *error)
{
	const char *type = member_text(object, "__type");
	const char *header_type = response->wanted_values[1]; /* of REST services */
	const char *message = member_text(object, "message");
	enum error_code code;

	if (!message)
		message = member_text(object, "Message");
	failure->status = response->status;
	take_name(type ? type : header_type, failure->name);
	if (failure->name[0] == 0)
		return error_set(error, ERROR_AWS, "status %ld without the name of an error%s%.*s", response->status,
				 message ? ": " : "", MESSAGE_MAX_SIZE, message ? message : "");
	code = strcmp(failure->name, "AccessDeniedException") == 0 ? ERROR_POLICY : ERROR_AWS;
	return error_set(error, code, "%s%s%.*s%s%s%s", failure->name, message ? ": " : "", MESSAGE_MAX_SIZE,
			 message ? message : "", response->wanted_values[0][0] ? " (request id " : "", response->wanted_values[0],
			 response->wanted_values[0][0] ? ")" : "");
}

/* PutKeyPolicy and others answer a success with no body at all. */
static bool read_answer(const struct http_response *response, const char *target, bool may_be_empty, json_t **ret_answer,
			struct error *error)
{
	if (response->body.size == 0 && may_be_empty)
		*ret_answer = json_object();
	else
		*ret_answer = json_parse_object(buffer_view(&response->body), target, error);
	if (!*ret_answer && error)
		error->code = ERROR_PEER;
	return *ret_answer != NULL;
}

bool aws_read_response(const struct http_response *response, const char *target, bool may_be_empty, json_t **ret_answer,
		       struct aws_failure *ret_failure, bool *ret_passing, struct error *error)
{
	*ret_failure = (struct aws_failure){0};
	*ret_passing = false;
	if (response->status >= 200 && response->status <= 299)
		return read_answer(response, target, may_be_empty, ret_answer, error);
	*ret_answer = json_parse_object(buffer_view(&response->body), "error answer", NULL);
	(void)read_failure(response, *ret_answer, ret_failure, error);
	*ret_passing = is_passing(ret_failure);
	return false;
}

unsigned aws_back_off_ms(unsigned base_ms, unsigned max_ms, unsigned failures)
{
	unsigned shift = failures < 16 ? failures - 1 : 15;
	unsigned ceiling_ms = base_ms << shift;
	uint32_t random = 0;

	if (ceiling_ms > max_ms)
		ceiling_ms = max_ms;
	/* Without randomness the wait is the longest one. */
	return RAND_bytes((unsigned char *)&random, sizeof random) == 1 ? random % (ceiling_ms + 1) : ceiling_ms;
}
