/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/access.h"
#include "aws/lambda.h"
#include "cli/commands.h"
#include "cli/operator_credentials.h"
#include "cli/outputs.h"

static const struct command_help help = {
	.usage = "ensign invoke OPERATION [--event JSON] [--outputs F] [--pretty]",
	.description =
		"Has the stack's Lambda do something, and prints its answer (docs/lambda.md): set_tls_key, get_tls_key,\n"
		"decrypt_tls_key (of a dev stack), web3signer_status, web3signer_public_keys, attest. It stands in the signer's\n"
		"network, so it reaches what only validator clients reach otherwise.\n"
		"\n"
		"  ensign invoke web3signer_status --outputs output.json\n"
		"  ensign invoke attest --event '{\"pcr0\": \"…\"}'",
};

/* The function's own limit is two minutes. */
#define TIMEOUT_MS 130000

struct request {
	const char *operation;
	const char *event;
	const char *outputs;
	const char *credentials;
	bool is_pretty;
};

static json_t *make_event(const struct request *request, struct error *error)
{
	json_t *event = request->event ? json_parse_object(view_of_text(request->event), "--event", error) : json_object();

	if (event && json_object_set_new(event, "operation", json_string(request->operation)) != 0)
		(void)error_set(error, ERROR_INPUT, "OPERATION: not UTF-8");
	return event;
}

static bool invoke(const struct request *request, json_t **ret_answer, struct error *error)
{
	AUTO_OUTPUTS struct outputs outputs = {0};
	AUTO_CREDENTIALS struct credentials credentials = {0};
	AUTO_AWS_ACCESS struct aws_access access = {0};
	AUTO_JSON json_t *event = make_event(request, error);
	struct lambda_client client = {.credentials = &credentials};
	struct aws_place place = {0};
	const char *function;

	if (!event || !outputs_read(request->outputs, &outputs, error) ||
	    !outputs_need(&outputs, "LambdaFunctionArn", &function, error))
		return false;
	place.region = outputs.region;
	if (!credentials_of_operator(request->credentials, &credentials, error) ||
	    !aws_access_init("lambda", &place, &access, error))
		return false;
	client.endpoint = access.endpoint;
	client.endpoint.timeout_ms = TIMEOUT_MS;
	client.endpoint.attempts = 1;
	return lambda_invoke(&client, function, event, ret_answer, error);
}

/* A text as it is, for scripts; anything else as JSON. */
static void print(const json_t *answer, bool is_pretty)
{
	if (json_is_string(answer)) {
		command_print_escaped(stdout, json_string_value(answer));
		(void)fputc('\n', stdout);
		return;
	}
	(void)json_dumpf(answer, stdout, JSON_ENCODE_ANY | (is_pretty ? JSON_INDENT(2) : JSON_COMPACT));
	(void)fputc('\n', stdout);
}

int invoke_main(int argc, char **argv)
{
	struct request request = {.outputs = "output.json"};
	const struct option options[] = {
		{"event", OPTION_TEXT, &request.event, "JSON", "more of the event, an object"},
		{"outputs", OPTION_TEXT, &request.outputs, "F", "the stack's outputs; default output.json"},
		{"credentials", OPTION_TEXT, &request.credentials, "FROM",
		 "JSON file, or imds: the instance's role; default: where AWS's own tools find them"},
		{"pretty", OPTION_FLAG, &request.is_pretty, NULL, "JSON over several lines"},
	};
	AUTO_JSON json_t *answer = NULL;
	struct error error = {0};
	size_t word_count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, &request.operation, 1, &word_count, &done, &code);
	if (done)
		return code;
	if (word_count == 0) {
		(void)error_set(&error, ERROR_INPUT, "OPERATION: missing");
		return command_fail(&error, "usage: %s", help.usage);
	}
	if (!invoke(&request, &answer, &error))
		return command_fail(&error, NULL);
	print(answer, request.is_pretty);
	return EXIT_CODE_OK;
}
