/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/dynamodb_answers.h"

/* A reason's own words are cut to what the error shape has room for. */
#define MESSAGE_MAX_SIZE 200

static bool malformed(struct error *error, const char *target)
{
	if (error)
		error->code = ERROR_PEER;
	return error_prefix(error, "malformed answer of %s", target);
}

/* ---- TransactWriteItems ---- */

/* Whatever is not here is for ever. */
static const struct {
	const char *code;
	enum dynamodb_verdict verdict;
} reasons[] = {
	{"None", VERDICT_INNOCENT},
	{"ConditionalCheckFailed", VERDICT_REFUSED},
	{"TransactionConflict", VERDICT_AGAIN},
	{"ProvisionedThroughputExceeded", VERDICT_AGAIN},
	{"ThrottlingError", VERDICT_AGAIN},
};

static enum dynamodb_verdict verdict_of(const char *code)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (strcmp(reasons[i].code, code) == 0)
			return reasons[i].verdict;
	}
	return VERDICT_FAILED;
}

static bool read_reason(json_t *reason, size_t i, struct dynamodb_verdicts *verdicts, struct error *error)
{
	const char *code, *message;

	if (!json_is_object(reason))
		return error_set(error, ERROR_PEER, "not an object");
	if (!json_read_text(reason, "Code", &code, error) || !json_read_text_optional(reason, "Message", &message, error))
		return false;
	verdicts->verdicts[i] = verdict_of(code);
	verdicts->found[i] = json_object_get(reason, "Item");
	if (verdicts->found[i] && !json_is_object(verdicts->found[i]))
		return error_set(error, ERROR_PEER, "Item: not an object");
	if (verdicts->verdicts[i] == VERDICT_AGAIN || verdicts->verdicts[i] == VERDICT_FAILED)
		(void)error_set(&verdicts->problem, ERROR_AWS, "%.*s%s%.*s", AWS_ERROR_NAME_SIZE, code, message ? ": " : "",
				MESSAGE_MAX_SIZE, message ? message : "");
	return true;
}

bool dynamodb_read_cancellation(json_t *answer, const struct dynamodb_chunk *chunk, struct dynamodb_verdicts *ret_verdicts,
				struct error *error)
{
	static const char target[] = "TransactWriteItems";
	bool all_innocent = true;
	json_t *list;

	*ret_verdicts = (struct dynamodb_verdicts){0};
	if (!json_read_array(answer, "CancellationReasons", &list, error))
		return malformed(error, target);
	if (json_array_size(list) != chunk->count) {
		(void)error_set(error, ERROR_PEER, "%zu reasons for %zu items", json_array_size(list), chunk->count);
		return malformed(error, target);
	}
	for (size_t i = 0; i < chunk->count; i++) {
		if (!read_reason(json_array_get(list, i), i, ret_verdicts, error)) {
			(void)error_prefix(error, "CancellationReasons[%zu]", i);
			return malformed(error, target);
		}
		all_innocent = all_innocent && ret_verdicts->verdicts[i] == VERDICT_INNOCENT;
	}
	if (!all_innocent)
		return true;
	(void)error_set(error, ERROR_PEER, "cancelled without any reason");
	return malformed(error, target);
}

/* ---- BatchGetItem ---- */

/* Whether `item` has every member of the key. */
static bool has_key(json_t *item, json_t *key)
{
	const char *name;
	json_t *value;

	json_object_foreach(key, name, value)
	{
		if (!json_equal(json_object_get(item, name), value))
			return false;
	}
	return true;
}

static size_t find_member(const struct dynamodb_chunk *chunk, json_t *item)
{
	size_t i = 0;

	while (i < chunk->count && !has_key(item, chunk->items[i]->request))
		i++;
	return i;
}

static bool read_items(json_t *list, const struct dynamodb_chunk *chunk, struct dynamodb_verdicts *verdicts, struct error *error)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		size_t member = json_is_object(item) ? find_member(chunk, item) : chunk->count;

		if (member == chunk->count)
			return error_set(error, ERROR_PEER, "item %zu was not asked for", i);
		verdicts->found[member] = item;
	}
	return true;
}

static bool read_unprocessed(json_t *answer, const char *table, const struct dynamodb_chunk *chunk,
			     struct dynamodb_verdicts *verdicts, size_t *ret_count, struct error *error)
{
	json_t *keys = json_object_get(json_object_get(json_object_get(answer, "UnprocessedKeys"), table), "Keys");
	json_t *key;
	size_t i;

	*ret_count = 0;
	json_array_foreach(keys, i, key)
	{
		size_t member = json_object_size(key) ? find_member(chunk, key) : chunk->count;

		if (member == chunk->count)
			return error_set(error, ERROR_PEER, "unprocessed key %zu was not asked for", i);
		*ret_count += verdicts->verdicts[member] != VERDICT_AGAIN;
		verdicts->verdicts[member] = VERDICT_AGAIN;
		(void)error_set(&verdicts->problem, ERROR_AWS, "keys are left unprocessed");
	}
	return true;
}

bool dynamodb_read_batch(json_t *answer, const char *table, const struct dynamodb_chunk *chunk,
			 struct dynamodb_verdicts *ret_verdicts, struct error *error)
{
	static const char target[] = "BatchGetItem";
	json_t *responses, *list;
	size_t unprocessed;

	*ret_verdicts = (struct dynamodb_verdicts){0};
	if (!json_read_object(answer, "Responses", &responses, error) ||
	    !read_unprocessed(answer, table, chunk, ret_verdicts, &unprocessed, error))
		return malformed(error, target);
	list = json_object_get(responses, table);
	/* Without the list nothing is known of the items: not even that they are not there. */
	if (!json_is_array(list) && unprocessed < chunk->count) {
		(void)error_set(error, ERROR_PEER, "Responses: nothing of the table");
		return malformed(error, target);
	}
	return read_items(list, chunk, ret_verdicts, error) || malformed(error, target);
}
