/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "aws/dynamodb_internal.h"
#include "aws/exchange.h"
#include "net/deadline.h"

static bool try_once(struct dynamodb *dynamodb, const struct dynamodb_call *call, uint64_t deadline_ms,
		     struct aws_outcome *ret_outcome)
{
	unsigned left_ms = deadline_left_ms(deadline_ms);
	const struct aws_session_call attempt = {
		.target = call->target,
		.body = call->body,
		.timeout_ms = left_ms < dynamodb->attempt_ms ? left_ms : dynamodb->attempt_ms,
		.max_response_size = call->max_response_size,
	};

	*ret_outcome = (struct aws_outcome){0};
	if (left_ms == 0)
		return error_set(&ret_outcome->error, ERROR_PEER, "no answer in time");
	if (!aws_session_begin(dynamodb->session, &attempt, &ret_outcome->error))
		return false;
	if (aws_session_next(dynamodb->session, left_ms, ret_outcome))
		return ret_outcome->ok;
	aws_session_cancel(dynamodb->session);
	return error_set(&ret_outcome->error, ERROR_PEER, "no answer in time");
}

bool dynamodb_call(struct dynamodb *dynamodb, const struct dynamodb_call *call, uint64_t deadline_ms,
		   struct aws_outcome *ret_outcome)
{
	for (unsigned failures = 1;; failures++) {
		if (try_once(dynamodb, call, deadline_ms, ret_outcome))
			return true;
		if (!ret_outcome->passing || deadline_left_ms(deadline_ms) == 0)
			return error_prefix(&ret_outcome->error, "DynamoDB");
		aws_outcome_done(ret_outcome);
		(void)usleep(aws_back_off_ms(BACKOFF_BASE_MS, BACKOFF_MAX_MS, failures) * 1000);
	}
}
