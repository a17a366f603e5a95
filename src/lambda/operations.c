/* SPDX-License-Identifier: Apache-2.0 */
#include "lambda/operations.h"

#include "base/clock.h"
#include "net/deadline.h"
#include "tables/tls_table_dynamodb.h"

/* Left at the end, to hand the answer in. */
#define ANSWER_TIME_MS 500u
#define TABLE_ATTEMPT_MS 3000u
#define TABLE_TIME_MS 10000u

static const struct lambda_operation operations[] = {
	{"set_tls_key", LAMBDA_FIELD_OVERWRITE, false, lambda_set_tls_key},
	{"get_tls_key", 0, false, lambda_get_tls_key},
	{"decrypt_tls_key", 0, true, lambda_decrypt_tls_key},
	{"web3signer_status", 0, false, lambda_status},
	{"web3signer_public_keys", 0, false, lambda_public_keys},
	{"attest", LAMBDA_FIELD_PCR0 | LAMBDA_FIELD_NONCE, false, lambda_attest},
};

const struct lambda_operation *lambda_operation_find(const char *name, struct error *error)
{
	AUTO_BUFFER struct buffer list = {0};

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (strcmp(operations[i].name, name) == 0)
			return &operations[i];
		buffer_append_format(&list, "%s%s", i ? ", " : "", operations[i].name);
	}
	return error_set(error, ERROR_INPUT, "operation: none of %s", buffer_text(&list)), NULL;
}

unsigned lambda_time_ms(const struct lambda_call *call, unsigned max_ms)
{
	unsigned left_ms = deadline_left_ms(call->deadline_ms);

	if (left_ms > max_ms)
		return max_ms;
	return left_ms ? left_ms : 1;
}

struct tls_table *lambda_open_table(const struct lambda_call *call, struct error *error)
{
	const struct lambda_settings *settings = call->settings;
	struct tls_table_dynamodb_options options = {.endpoint = settings->dynamodb.endpoint,
						     .credentials = &settings->credentials,
						     .table = settings->tls_table,
						     .deadline_ms = lambda_time_ms(call, TABLE_TIME_MS)};

	options.endpoint.timeout_ms = lambda_time_ms(call, TABLE_ATTEMPT_MS);
	return tls_table_open_dynamodb(&options, error);
}

json_t *lambda_handle(const struct lambda_settings *settings, struct view event, uint64_t deadline_ms, const char **ret_name,
		      struct error *error)
{
	struct lambda_call call = {.settings = settings};
	uint64_t now_ms = clock_realtime_ms();
	const struct lambda_operation *operation;

	*ret_name = "";
	if (!lambda_event_parse(event, &call.event, error))
		return NULL;
	operation = call.event.operation;
	*ret_name = operation->name;
	if (operation->is_for_development && !settings->is_development)
		return error_set(error, ERROR_POLICY, "%s: only with DEPLOYMENT_MODE=dev", operation->name), NULL;
	if (deadline_ms <= now_ms + ANSWER_TIME_MS)
		return error_set(error, ERROR_PEER, "the invocation's time is over before it began"), NULL;
	call.deadline_ms = clock_monotonic_ms() + (deadline_ms - now_ms - ANSWER_TIME_MS);
	return operation->run(&call, error);
}
