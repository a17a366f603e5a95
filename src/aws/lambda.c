/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/lambda.h"

#include "aws/exchange.h"

#define WHAT "answer of the function"

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-._~", c) != NULL;
}

/* RFC 3986: an ARN has colons, which are encoded in a segment that SigV4 signs. */
static char *path_new(const char *function)
{
	AUTO_BUFFER struct buffer path = {0};

	buffer_append_text(&path, "/2015-03-31/functions/");
	for (const char *c = function; *c; c++) {
		if (is_unreserved(*c))
			buffer_append_byte(&path, (uint8_t)*c);
		else
			buffer_append_format(&path, "%%%02X", (unsigned)(uint8_t)*c);
	}
	buffer_append_text(&path, "/invocations");
	return memory_copy_text(buffer_text(&path));
}

/* {"errorType", "errorMessage"}, as runtimes write it. */
static bool explain(json_t *answer, struct error *error)
{
	const char *type = json_string_value(json_object_get(answer, "errorType"));
	const char *message = json_string_value(json_object_get(answer, "errorMessage"));

	return error_set(error, ERROR_PEER, "the function says: %.64s: %.400s", type ? type : "error",
			 message ? message : "no reason given");
}

static bool read_response(const struct http_response *response, json_t **ret_answer, struct error *error)
{
	AUTO_JSON json_t *answer = NULL;
	struct aws_failure failure;
	bool passing;

	if (response->status != 200)
		return aws_read_response(response, "Invoke", true, &answer, &failure, &passing, error) ||
		       error_prefix(error, "Lambda");
	answer = json_parse_any(buffer_view(&response->body), WHAT, error);
	if (!answer) {
		if (error)
			error->code = ERROR_PEER;
		return false;
	}
	/* X-Amz-Function-Error */
	if (response->wanted_values[0][0])
		return explain(answer, error);
	*ret_answer = answer;
	answer = NULL;
	return true;
}

bool lambda_invoke(const struct lambda_client *client, const char *function, json_t *event, json_t **ret_answer,
		   struct error *error)
{
	AUTO_FREE char *path = path_new(function);
	AUTO_BUFFER struct buffer body = {0};
	AUTO_AWS_SIGNED struct aws_signed request;
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	struct aws_exchange exchange = {
		.endpoint = &client->endpoint,
		.service = "lambda",
		.target = "",
		.path = path,
		.content_type = "application/json",
		.wanted_header = "X-Amz-Function-Error",
		.credentials = client->credentials,
		.max_response_size = LAMBDA_PAYLOAD_MAX_SIZE,
	};

	json_write(event, &body);
	exchange.body = buffer_view(&body);
	return aws_signed_init(&request, &exchange, error) && http_exchange(&request.request, &response, error) &&
	       read_response(&response, ret_answer, error);
}
