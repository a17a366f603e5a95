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
