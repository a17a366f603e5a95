/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "aws/dynamodb_internal.h"
#include "aws/exchange.h"
#include "net/deadline.h"

static bool check(json_t *answer, struct error *error)
{
	json_t *items = json_object_get(answer, "Items");
	json_t *last = json_object_get(answer, "LastEvaluatedKey");
	json_t *item;
	size_t index;

	if (!json_is_array(items) || (last && !json_is_object(last)))
		return error_set(error, ERROR_PEER, "DynamoDB: answer of Scan: no list of items");
	json_array_foreach(items, index, item)
	{
		if (!json_is_object(item))
			return error_set(error, ERROR_PEER, "DynamoDB: answer of Scan: Items[%zu]: no object", index);
	}
	return true;
}

/* One attempt. *ret_passing: another may do better. */
static json_t *try_once(struct dynamodb *dynamodb, struct view body, uint64_t deadline_ms, bool *ret_passing, struct error *error)
{
	AUTO_AWS_OUTCOME struct aws_outcome outcome = {0};
	unsigned left_ms = deadline_left_ms(deadline_ms);
	unsigned timeout_ms = left_ms < dynamodb->attempt_ms ? left_ms : dynamodb->attempt_ms;

	*ret_passing = false;
	if (!aws_session_begin(dynamodb->session, "DynamoDB_20120810.Scan", body, timeout_ms, NULL, error))
		return NULL;
	if (!aws_session_next(dynamodb->session, left_ms, &outcome)) {
		aws_session_cancel(dynamodb->session);
		return error_set(error, ERROR_PEER, "DynamoDB: no answer in time"), NULL;
	}
	*ret_passing = outcome.passing;
	if (!outcome.ok) {
		*error = outcome.error;
		return error_prefix(error, "DynamoDB"), NULL;
	}
	return check(outcome.answer, error) ? json_incref(outcome.answer) : NULL;
}

json_t *dynamodb_scan(struct dynamodb *dynamodb, const char *table, json_t *after, size_t limit, uint64_t deadline_ms,
		      struct error *error)
{
	AUTO_JSON json_t *request =
		json_pack("{s:s, s:I, s:b}", "TableName", table, "Limit", (json_int_t)limit, "ConsistentRead", 1);
	AUTO_BUFFER struct buffer body = {0};
	struct error problem = {0};

	if (after)
		(void)json_object_set(request, "ExclusiveStartKey", after);
	json_write(request, &body);
	for (unsigned failures = 1;; failures++) {
		bool passing;
		json_t *answer = try_once(dynamodb, buffer_view(&body), deadline_ms, &passing, &problem);

		if (answer)
			return answer;
		if (!passing || deadline_left_ms(deadline_ms) == 0) {
			if (error)
				*error = problem;
			return NULL;
		}
		(void)usleep(aws_back_off_ms(BACKOFF_BASE_MS, BACKOFF_MAX_MS, failures) * 1000);
	}
}
