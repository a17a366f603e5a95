/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/credentials.h"

#include <strings.h>

#include "aws/credentials_internal.h"
#include "net/http_client.h"

/* The service is on the same host and answers in milliseconds; AWS's own tools give it one second. */
#define IMDS_TIMEOUT_MS 2000
/* Enough for the two requests that follow; a token that is found later is worth nothing. */
#define TOKEN_TTL_HEADER "X-aws-ec2-metadata-token-ttl-seconds: 60"
#define TOKEN_HEADER "X-aws-ec2-metadata-token: "
/* Tokens have 56 characters. */
#define TOKEN_MAX_SIZE 1024
/* IAM: role names have at most 64 characters. The list has one line, since an instance has one role. */
#define ROLE_NAME_MAX_SIZE 64
#define ROLE_LIST_MAX_SIZE 1024
/* Keys, dates, and a session token of about 1.5 KiB. */
#define DOCUMENT_MAX_SIZE 32768
/* Link-local: the same on every instance. */
#define IMDS_ENDPOINT "http://169.254.169.254"
#define CREDENTIALS_PATH "/latest/meta-data/iam/security-credentials/"

struct imds {
	const char *endpoint;
	struct secret token_header; /* NUL-terminated header line */
};

static void imds_done(struct imds *imds)
{
	secret_done(&imds->token_header);
}

/* `path` of the service; any status but 200 is an error. */
static bool ask(const char *endpoint, const char *method, const char *path, const char *header, size_t max_size,
		struct http_response *ret_response, struct error *error)
{
	AUTO_FREE char *url = memory_format("%s%s", endpoint, path);
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	const char *const headers[] = {header, NULL};
	struct http_request request = {
		.method = method,
		.url = url,
		.headers = headers,
		.max_response_size = max_size,
		.timeout_ms = IMDS_TIMEOUT_MS,
	};

	if (!http_exchange(&request, &response, error))
		return false;
	if (response.status == 404)
		return error_set(error, ERROR_NOT_FOUND, "%s %s: there is no such thing (has the instance a role?)", method, url);
	if (response.status != 200)
		return error_set(error, ERROR_PEER, "%s %s: status %ld", method, url, response.status);
	*ret_response = response;
	response = (struct http_response){0};
	return true;
}

/* It goes into a header as it is. */
static bool is_token(struct view text)
{
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] < '!' || text.data[i] > '~')
			return false;
	}
	return text.size > 0;
}

/* It becomes part of a path, so it must be a name: IAM allows letters, digits and these marks. */
static bool is_role_name(struct view text)
{
	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];
		bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!alphanumeric && (c == 0 || !strchr("+=,.@_-", c)))
			return false;
	}
	return text.size > 0 && text.size <= ROLE_NAME_MAX_SIZE && !view_equal_text(text, ".") && !view_equal_text(text, "..");
}

/* Without the line break; more lines there are none on an instance. */
static struct view first_line(struct view text)
{
	const uint8_t *end = text.size ? (const uint8_t *)memchr(text.data, '\n', text.size) : NULL;

	if (end)
		text.size = (size_t)(end - text.data);
	if (text.size > 0 && text.data[text.size - 1] == '\r')
		text.size--;
	return text;
}

static bool get_token(struct imds *imds, struct error *error)
{
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	static const size_t prefix_size = sizeof TOKEN_HEADER - 1;

	if (!ask(imds->endpoint, "PUT", "/latest/api/token", TOKEN_TTL_HEADER, TOKEN_MAX_SIZE, &response, error))
		return false;
	if (!is_token(buffer_view(&response.body)))
		return error_set(error, ERROR_PEER, "the token is malformed");
	if (!secret_init(&imds->token_header, prefix_size + response.body.size + 1, error))
		return false;
	memcpy(imds->token_header.data, TOKEN_HEADER, prefix_size);
	memcpy(imds->token_header.data + prefix_size, response.body.data, response.body.size);
	return true;
}

static bool get_role(const struct imds *imds, char ret_role[ROLE_NAME_MAX_SIZE + 1], struct error *error)
{
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	struct view name;

	if (!ask(imds->endpoint, "GET", CREDENTIALS_PATH, (const char *)imds->token_header.data, ROLE_LIST_MAX_SIZE, &response,
		 error))
		return false;
	name = first_line(buffer_view(&response.body));
	if (!is_role_name(name))
		return error_set(error, ERROR_PEER, "the name of the instance's role is malformed");
	memcpy(ret_role, name.data, name.size);
	ret_role[name.size] = 0;
	return true;
}

static bool get_credentials(const struct imds *imds, const char *role, struct credentials *ret_credentials, struct error *error)
{
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	AUTO_FREE char *path = memory_format(CREDENTIALS_PATH "%s", role);

	if (!ask(imds->endpoint, "GET", path, (const char *)imds->token_header.data, DOCUMENT_MAX_SIZE, &response, error))
		return false;
	return credentials_from_document(buffer_view(&response.body), ret_credentials, error);
}

bool credentials_from_imds(const char *endpoint, struct credentials *ret_credentials, struct error *error)
{
	CLEANUP(imds_done) struct imds imds = {.endpoint = endpoint};
	char role[ROLE_NAME_MAX_SIZE + 1];

	if (get_token(&imds, error) && get_role(&imds, role, error) && get_credentials(&imds, role, ret_credentials, error))
		return true;
	return error_prefix(error, "instance metadata");
}

bool credentials_from_instance(struct credentials *ret_credentials, struct error *error)
{
	const char *disabled = getenv("AWS_EC2_METADATA_DISABLED");
	const char *endpoint = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");

	if (disabled && strcasecmp(disabled, "true") == 0)
		return error_set(error, ERROR_NOT_FOUND, "instance metadata: AWS_EC2_METADATA_DISABLED is true");
	if (credentials_from_imds(endpoint && endpoint[0] ? endpoint : IMDS_ENDPOINT, ret_credentials, error))
		return true;
	/* Where it does not answer this is no instance. */
	if (error && error->code == ERROR_PEER && !(endpoint && endpoint[0]))
		error->code = ERROR_NOT_FOUND;
	return false;
}
