/* SPDX-License-Identifier: Apache-2.0 */
#include "lambda/function.h"

#include "base/clock.h"
#include "base/log.h"
#include "lambda/operations.h"

static const char *const error_types[ERROR_CODE_COUNT] = {
	[ERROR_INPUT] = "BadRequest", [ERROR_NOT_FOUND] = "NotFound", [ERROR_POLICY] = "Forbidden",
	[ERROR_PEER] = "Unavailable", [ERROR_AWS] = "AwsError",       [ERROR_CRYPTO] = "CheckFailed",
};

const char *lambda_error_type(const struct error *error)
{
	const char *type = error->code < ERROR_CODE_COUNT ? error_types[error->code] : NULL;

	return type ? type : "InternalError";
}

static bool hand_in_failure(const struct runtime_api *api, const struct invocation *invocation, const struct error *problem,
			    struct error *error)
{
	const struct runtime_failure failure = {lambda_error_type(problem), problem->message};

	return runtime_fail(api, invocation->request_id, &failure, error);
}

static bool hand_in(const struct runtime_api *api, const struct invocation *invocation, const json_t *answer, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	struct error problem = {0};

	json_write(answer, &text);
	if (text.size <= RUNTIME_ANSWER_MAX_SIZE)
		return runtime_respond(api, invocation->request_id, buffer_view(&text), error);
	(void)error_set(&problem, ERROR_INPUT, "the answer has %zu bytes, and Lambda takes %u", text.size, RUNTIME_ANSWER_MAX_SIZE);
	log_failure(LOG_LEVEL_WARNING, "too_large", &problem);
	return hand_in_failure(api, invocation, &problem, error);
}

static bool answer_one(const struct lambda_settings *settings, const struct runtime_api *api, const struct invocation *invocation,
		       struct error *error)
{
	uint64_t begun_ms = clock_monotonic_ms();
	struct error problem = {0};
	const char *name;
	AUTO_JSON json_t *answer =
		lambda_handle(settings, buffer_view(&invocation->event), invocation->deadline_ms, &name, &problem);

	if (!answer) {
		log_write(LOG_LEVEL_WARNING, "invocation_failed", "request_id=%s operation=\"%s\" type=%s ms=%llu error=\"%s\"",
			  invocation->request_id, name, lambda_error_type(&problem),
			  (unsigned long long)(clock_monotonic_ms() - begun_ms), problem.message);
		return hand_in_failure(api, invocation, &problem, error);
	}
	log_info("invocation", "request_id=%s operation=\"%s\" ms=%llu", invocation->request_id, name,
		 (unsigned long long)(clock_monotonic_ms() - begun_ms));
	return hand_in(api, invocation, answer, error);
}

bool lambda_serve(const struct lambda_settings *settings, const struct runtime_api *api, struct error *error)
{
	for (;;) {
		AUTO_INVOCATION struct invocation invocation = {0};

		if (!runtime_next(api, &invocation, error))
			return false;
		if (answer_one(settings, api, &invocation, error))
			continue;
		/* What is handed in too late is no reason to end. */
		if (error->code != ERROR_INPUT)
			return false;
		log_failure(LOG_LEVEL_WARNING, "not_taken", error);
	}
}
