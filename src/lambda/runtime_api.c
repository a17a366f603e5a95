/* SPDX-License-Identifier: Apache-2.0 */
#include "lambda/runtime_api.h"

#include <limits.h>

#include "net/address.h"

/* Seven weeks: Lambda freezes and ends who waits, long before. */
#define NEXT_TIMEOUT_MS UINT_MAX
/* To hand something in, to a server on the same machine. */
#define POST_TIMEOUT_MS 5000u
/* Lambda's own limit of an event is 6 MB; what is larger than an event of ours is refused by who reads it, with an answer. */
#define EVENT_TRANSPORT_MAX_SIZE (8u << 20)
#define STATUS_MAX_SIZE 4096u

bool runtime_api_init(const char *place, struct runtime_api *ret_api, struct error *error)
{
	AUTO_FREE char *text = memory_format("tcp:%s", place);
	struct address address;

	if (!address_parse(text, &address, error))
		return false;
	ret_api->url = memory_format("http://%s/2018-06-01/runtime", place);
	return true;
}

void runtime_api_done(struct runtime_api *api)
{
	free(api->url);
	*api = (struct runtime_api){0};
}

void invocation_done(struct invocation *invocation)
{
	buffer_done(&invocation->event);
	*invocation = (struct invocation){0};
}

/* It becomes part of a path. */
static bool is_request_id(const char *text)
{
	for (const char *c = text; *c; c++) {
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9') && *c != '-')
			return false;
	}
	return text[0] != 0;
}

bool runtime_next(const struct runtime_api *api, struct invocation *ret_invocation, struct error *error)
{
	AUTO_FREE char *url = memory_format("%s/invocation/next", api->url);
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	const struct http_request request = {
		.method = "GET",
		.url = url,
		.wanted_headers = {"Lambda-Runtime-Aws-Request-Id", "Lambda-Runtime-Deadline-Ms"},
		.max_response_size = EVENT_TRANSPORT_MAX_SIZE,
		.timeout_ms = NEXT_TIMEOUT_MS,
	};
	uint64_t deadline_ms;

	if (!http_exchange(&request, &response, error))
		return false;
	if (response.status != 200)
		return error_set(error, ERROR_PEER, "next: status %ld", response.status);
	if (!is_request_id(response.wanted_values[0]))
		return error_set(error, ERROR_PEER, "next: no Lambda-Runtime-Aws-Request-Id");
	if (!u64_parse(view_of_text(response.wanted_values[1]), &deadline_ms))
		return error_set(error, ERROR_PEER, "next: no Lambda-Runtime-Deadline-Ms");
	memcpy(ret_invocation->request_id, response.wanted_values[0], sizeof ret_invocation->request_id);
	ret_invocation->deadline_ms = deadline_ms;
	ret_invocation->event = response.body;
	response.body = (struct buffer){0};
	return true;
}

static bool post(const char *url, const char *const *headers, struct view body, struct error *error)
{
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	const struct http_request request = {
		.method = "POST",
		.url = url,
		.headers = headers,
		.body = body,
		.max_response_size = STATUS_MAX_SIZE,
		.timeout_ms = POST_TIMEOUT_MS,
	};

	if (!http_exchange(&request, &response, error))
		return false;
	if (response.status >= 200 && response.status <= 299)
		return true;
	/* The documentation has two kinds: what Lambda refuses, and 500, after which "runtime should exit promptly". */
	return error_set(error, response.status >= 500 ? ERROR_PEER : ERROR_INPUT, "Lambda refuses what is handed in: %ld %.*s",
			 response.status, (int)(response.body.size > 200 ? 200 : response.body.size),
			 response.body.data ? (const char *)response.body.data : "");
}

bool runtime_respond(const struct runtime_api *api, const char *request_id, struct view answer, struct error *error)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	AUTO_FREE char *url = memory_format("%s/invocation/%s/response", api->url, request_id);

	return post(url, headers, answer, error);
}

static bool post_failure(const char *url, const struct runtime_failure *failure, struct error *error)
{
	AUTO_FREE char *type = memory_format("Lambda-Runtime-Function-Error-Type: %s", failure->type);
	const char *const headers[] = {"Content-Type: application/vnd.aws.lambda.error+json", type, NULL};
	AUTO_JSON json_t *object = json_object();
	AUTO_BUFFER struct buffer text = {0};

	(void)json_object_set_new(object, "errorMessage", json_text_of_any(failure->message));
	(void)json_object_set_new(object, "errorType", json_string(failure->type));
	(void)json_object_set_new(object, "stackTrace", json_array());
	json_write(object, &text);
	return post(url, headers, buffer_view(&text), error);
}

bool runtime_fail(const struct runtime_api *api, const char *request_id, const struct runtime_failure *failure, struct error *error)
{
	AUTO_FREE char *url = memory_format("%s/invocation/%s/error", api->url, request_id);

	return post_failure(url, failure, error);
}

bool runtime_fail_to_start(const struct runtime_api *api, const struct runtime_failure *failure, struct error *error)
{
	AUTO_FREE char *url = memory_format("%s/init/error", api->url);

	return post_failure(url, failure, error);
}
