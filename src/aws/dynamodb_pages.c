/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/dynamodb_internal.h"

/* `name` is the operation's. */
static bool check(json_t *answer, const char *name, struct error *error)
{
	json_t *items = json_object_get(answer, "Items");
	json_t *last = json_object_get(answer, "LastEvaluatedKey");
	json_t *item;
	size_t index;

	if (!json_is_array(items) || (last && !json_is_object(last)))
		return error_set(error, ERROR_PEER, "DynamoDB: answer of %s: no list of items", name);
	json_array_foreach(items, index, item)
	{
		if (!json_is_object(item))
			return error_set(error, ERROR_PEER, "DynamoDB: answer of %s: Items[%zu]: no object", name, index);
	}
	return true;
}

/* `own_members` are what sets the operation apart; given away. */
static json_t *read_page(struct dynamodb *dynamodb, const char *name, json_t *own_members, json_t *after, size_t limit,
			 size_t max_response_size, uint64_t deadline_ms, struct error *error)
{
	AUTO_JSON json_t *request = own_members;
	AUTO_FREE char *target = memory_format("DynamoDB_20120810.%s", name);
	AUTO_AWS_OUTCOME struct aws_outcome outcome = {0};
	AUTO_BUFFER struct buffer body = {0};
	struct dynamodb_call call = {.target = target, .max_response_size = max_response_size};

	(void)json_object_set_new(request, "ConsistentRead", json_true());
	if (limit > 0)
		(void)json_object_set_new(request, "Limit", json_integer((json_int_t)limit));
	if (after)
		(void)json_object_set(request, "ExclusiveStartKey", after);
	json_write(request, &body);
	call.body = buffer_view(&body);
	if (!dynamodb_call(dynamodb, &call, deadline_ms, &outcome)) {
		if (error)
			*error = outcome.error;
		return NULL;
	}
	return check(outcome.answer, name, error) ? json_incref(outcome.answer) : NULL;
}

json_t *dynamodb_scan(struct dynamodb *dynamodb, const char *table, json_t *after, size_t limit, uint64_t deadline_ms,
		      struct error *error)
{
	return read_page(dynamodb, "Scan", json_pack("{s:s}", "TableName", table), after, limit, RESPONSE_MAX_SIZE, deadline_ms,
			 error);
}

json_t *dynamodb_query(struct dynamodb *dynamodb, const struct dynamodb_query *query, json_t *after, uint64_t deadline_ms,
		       struct error *error)
{
	json_t *request =
		json_pack("{s:s,s:s,s:{s:s},s:{s:O}}", "TableName", query->table, "KeyConditionExpression", "#k = :k",
			  "ExpressionAttributeNames", "#k", query->key_name, "ExpressionAttributeValues", ":k", query->key_value);

	return read_page(dynamodb, "Query", request, after, query->limit, DYNAMODB_PAGE_MAX_SIZE, deadline_ms, error);
}
