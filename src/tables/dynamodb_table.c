/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/dynamodb_table.h"

bool dynamodb_table_init(struct dynamodb_table *table, const struct aws_endpoint *endpoint, const struct credentials *credentials,
			 const char *name, unsigned deadline_ms, struct error *error)
{
	struct aws_endpoint complete = *endpoint;

	if (complete.timeout_ms == 0)
		complete.timeout_ms = DYNAMODB_TABLE_ATTEMPT_MS;
	table->client = dynamodb_new(&complete, credentials, error);
	if (!table->client)
		return false;
	table->name = memory_copy_text(name);
	table->deadline_ms = deadline_ms ? deadline_ms : DYNAMODB_TABLE_DEADLINE_MS;
	return true;
}

void dynamodb_table_done(struct dynamodb_table *table)
{
	dynamodb_free(table->client);
	free(table->name);
	*table = (struct dynamodb_table){0};
}

json_t *dynamodb_table_text(const char *text)
{
	return text ? dynamodb_text(text) : NULL;
}

/* Every name goes through a substitute: some columns are called what DynamoDB reserves. */
json_t *dynamodb_table_update(const char *table, json_t *key, const struct dynamodb_column *columns, size_t count,
			      const char *condition)
{
	AUTO_BUFFER struct buffer set = {0};
	AUTO_BUFFER struct buffer remove = {0};
	json_t *names = json_object();
	json_t *values = json_object();
	json_t *update = json_pack("{s:s,s:o,s:o}", "TableName", table, "Key", key, "ExpressionAttributeNames", names);

	for (size_t i = 0; i < count; i++) {
		AUTO_FREE char *name = memory_format("#%zu", i);
		AUTO_FREE char *value = memory_format(":%zu", i);

		(void)json_object_set_new(names, name, json_string(columns[i].name));
		if (!columns[i].value) {
			buffer_append_format(&remove, "%s%s", remove.size ? ", " : " REMOVE ", name);
			continue;
		}
		buffer_append_format(&set, "%s%s = %s", set.size ? ", " : "SET ", name, value);
		(void)json_object_set_new(values, value, columns[i].value);
	}
	buffer_append(&set, buffer_view(&remove));
	(void)json_object_set_new(update, "UpdateExpression", json_string(buffer_text(&set)));
	if (condition)
		(void)json_object_set_new(update, "ConditionExpression", json_string(condition));
	/* DynamoDB wants no empty list of values. */
	if (json_object_size(values) > 0)
		(void)json_object_set(update, "ExpressionAttributeValues", values);
	json_decref(values);
	return json_pack("{s:o}", "Update", update);
}

bool dynamodb_table_copy_text(json_t *item, const char *name, size_t max_size, char **ret_text, struct error *error)
{
	const char *text;

	if (!dynamodb_read_text(item, name, &text, error))
		return false;
	if (text && strlen(text) > max_size)
		return error_set(error, ERROR_PEER, "%s: %zu bytes, at most %zu are allowed", name, strlen(text), max_size);
	*ret_text = text ? memory_copy_text(text) : NULL;
	return true;
}
