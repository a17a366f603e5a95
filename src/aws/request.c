/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/request.h"

#include <errno.h>

#include <openssl/rand.h>
#include <openssl/sha.h>

#include "aws/sigv4.h"
#include "base/clock.h"

#define CONTENT_TYPE "application/x-amz-json-1.1"
/* "Full jitter" (AWS Architecture Blog, "Exponential Backoff And Jitter"): wait 0 to min(MAX, BASE * 2^n). */
#define BACKOFF_BASE_MS 100u
#define BACKOFF_MAX_MS 5000u
/* An AWS message with two ARNs in it; the error shape cuts it to its own size. */
#define MESSAGE_MAX_SIZE 400

/* One call, whatever the number of attempts. */
struct call {
	const struct aws_endpoint *endpoint;
	const char *service;
	const char *target;
	const struct credentials *credentials;
	struct view body;
	size_t max_response_size;
};

/* Header lines of one attempt; a new one is signed anew, since the signature holds the time. */
struct signed_headers {
	char *host;
	char *target;
	char *date;
	char *authorization;
	struct secret token; /* NUL-terminated line; empty without a session token */
};

static void signed_headers_done(struct signed_headers *headers)
{
	free(headers->host);
	free(headers->target);
	free(headers->date);
	free(headers->authorization);
	secret_done(&headers->token);
}

static bool sign(const struct call *call, const char *date_time, struct signed_headers *headers, struct error *error)
{
	const struct credentials *credentials = call->credentials;
	const struct sigv4_scope scope = {.region = call->endpoint->region, .service = call->service, .date_time = date_time};
	const struct sigv4_header list[] = {
		{view_of_text("host"), view_of_text(call->endpoint->host)},
		{view_of_text("content-type"), view_of_text(CONTENT_TYPE)},
		{view_of_text("x-amz-date"), view_of_text(date_time)},
		{view_of_text("x-amz-target"), view_of_text(call->target)},
		{view_of_text("x-amz-security-token"), secret_view(&credentials->session_token)}, /* last: left out when empty */
	};
	struct sigv4_request request = {
		.method = view_of_text("POST"),
		.path = view_of_text("/"),
		.headers = list,
		.header_count = credentials->session_token.size ? ARRAY_SIZE(list) : ARRAY_SIZE(list) - 1,
		.normalize_path = true,
		.double_encode_path = true,
	};
	AUTO_WIPED_BUFFER struct buffer canonical = {0}; /* has the session token in it */
	AUTO_BUFFER struct buffer names = {0};
	AUTO_BUFFER struct buffer string = {0};
	char signature[65];

	(void)SHA256(call->body.data, call->body.size, request.payload_sha256);
	if (!sigv4_canonical_request(&request, &canonical, &names, error))
		return false;
	sigv4_string_to_sign(buffer_view(&canonical), &scope, &string);
	if (!sigv4_signature(buffer_view(&string), &scope, secret_view(&credentials->secret_access_key), signature, error))
		return false;
	headers->authorization = memory_format(
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

static bool make_headers(const struct call *call, struct signed_headers *headers, struct error *error)
{
	char date_time[CLOCK_BASIC_TEXT_SIZE];

	clock_format_basic(clock_realtime_ms(), date_time);
	/* As it was signed: libcurl would leave out a port that is the scheme's own. */
	headers->host = memory_format("Host: %s", call->endpoint->host);
	headers->target = memory_format("X-Amz-Target: %s", call->target);
	headers->date = memory_format("X-Amz-Date: %s", date_time);
	return sign(call, date_time, headers, error) && make_token_line(&call->credentials->session_token, &headers->token, error);
}

static bool exchange(const struct call *call, struct http_response *response, struct error *error)
{
	CLEANUP(signed_headers_done) struct signed_headers headers = {0};
	AUTO_FREE char *url = memory_format("https://%s/", call->endpoint->host);
	const char *lines[7] = {"Content-Type: " CONTENT_TYPE};
	struct http_request request = {
		.method = "POST",
		.url = url,
		.via = call->endpoint->via,
		.ca_pem = call->endpoint->ca_pem,
		.headers = lines,
		.wanted_header = "x-amzn-RequestId",
		.body = call->body,
		.max_response_size = call->max_response_size,
		.timeout_ms = call->endpoint->timeout_ms,
	};

	if (!make_headers(call, &headers, error))
		return false;
	lines[1] = headers.host;
	lines[2] = headers.target;
	lines[3] = headers.date;
	lines[4] = headers.authorization;
	lines[5] = (const char *)headers.token.data; /* NULL ends the list here */
	return http_exchange(&request, response, error);
}

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

static bool read_failure(const struct http_response *response, struct aws_failure *failure, struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(buffer_view(&response->body), "error answer", NULL);
	const char *type = member_text(object, "__type");
	const char *message = member_text(object, "message");
	enum error_code code;

	if (!message)
		message = member_text(object, "Message");
	failure->status = response->status;
	if (type)
		take_name(type, failure->name);
	if (failure->name[0] == 0)
		return error_set(error, ERROR_AWS, "status %ld without the name of an error", response->status);
	code = strcmp(failure->name, "AccessDeniedException") == 0 ? ERROR_POLICY : ERROR_AWS;
	return error_set(error, code, "%s%s%.*s%s%s%s", failure->name, message ? ": " : "", MESSAGE_MAX_SIZE,
			 message ? message : "", response->wanted_value[0] ? " (request id " : "", response->wanted_value,
			 response->wanted_value[0] ? ")" : "");
}

/* PutKeyPolicy and others answer a success with no body at all. */
static bool read_answer(const struct call *call, const struct http_response *response, json_t **ret_answer, struct error *error)
{
	json_t *answer = response->body.size ? json_parse_object(buffer_view(&response->body), call->target, error) : json_object();

	if (!answer) {
		if (error)
			error->code = ERROR_PEER;
		return false;
	}
	*ret_answer = answer;
	return true;
}

/* *ret_passing: it failed in a way that may pass. */
static bool try_once(const struct call *call, json_t **ret_answer, struct aws_failure *failure, bool *ret_passing,
		     struct error *error)
{
	AUTO_HTTP_RESPONSE struct http_response response = {0};

	*failure = (struct aws_failure){0};
	*ret_passing = false;
	if (!exchange(call, &response, error)) {
		*ret_passing = response.transient;
		return false;
	}
	if (response.status >= 200 && response.status <= 299)
		return read_answer(call, &response, ret_answer, error);
	(void)read_failure(&response, failure, error);
	*ret_passing = is_passing(failure);
	return false;
}

static void back_off(unsigned failed_attempts)
{
	unsigned shift = failed_attempts < 16 ? failed_attempts - 1 : 15;
	unsigned ceiling_ms = BACKOFF_BASE_MS << shift;
	uint32_t random = 0;
	unsigned wait_ms;
	struct timespec left;

	if (ceiling_ms > BACKOFF_MAX_MS)
		ceiling_ms = BACKOFF_MAX_MS;
	/* Without randomness the wait is the longest one. */
	wait_ms = RAND_bytes((unsigned char *)&random, sizeof random) == 1 ? random % (ceiling_ms + 1) : ceiling_ms;
	left = (struct timespec){.tv_sec = wait_ms / 1000, .tv_nsec = (long)(wait_ms % 1000) * 1000000};
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

bool aws_call(const struct aws_endpoint *endpoint, const char *service, const char *target, const struct credentials *credentials,
	      struct view body, size_t max_response_size, json_t **ret_answer, struct aws_failure *ret_failure, struct error *error)
{
	const struct call call = {
		.endpoint = endpoint,
		.service = service,
		.target = target,
		.credentials = credentials,
		.body = body,
		.max_response_size = max_response_size,
	};
	struct aws_failure failure = {0};
	bool passing = false;

	for (unsigned attempt = 1;; attempt++) {
		if (try_once(&call, ret_answer, &failure, &passing, error))
			return true;
		if (!passing || attempt >= endpoint->attempts)
			break;
		back_off(attempt);
	}
	if (ret_failure)
		*ret_failure = failure;
	return false;
}
