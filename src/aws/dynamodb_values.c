/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/dynamodb.h"

static json_t *value_of(const char *type, json_t *value)
{
	json_t *attribute = json_object();

	(void)json_object_set_new(attribute, type, value);
	return attribute;
}

json_t *dynamodb_text(const char *text)
{
	return value_of("S", json_string(text));
}

json_t *dynamodb_hex(struct view bytes)
{
	AUTO_FREE char *text = (char *)memory_allocate(2 * bytes.size + 1);

	hex_encode(bytes, text);
	return dynamodb_text(text);
}

json_t *dynamodb_number(uint64_t value)
{
	char text[sizeof "18446744073709551615"];

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	return value_of("N", json_string(text));
}

json_t *dynamodb_flag(bool value)
{
	return value_of("BOOL", json_boolean(value));
}

/* Out of a value that has just the one type. */
static bool find_value(json_t *item, const char *name, const char *type, json_t **ret_attribute, struct error *error)
{
	json_t *attribute = json_object_get(item, name);

	*ret_attribute = attribute;
	if (!attribute || (json_object_size(attribute) == 1 && json_object_get(attribute, type)))
		return true;
	return error_set(error, ERROR_PEER, "%s: not of the type %s", name, type);
}

static bool bad_value(const char *name, struct error *error)
{
	if (error)
		error->code = ERROR_PEER;
	return error_prefix(error, "%s", name);
}

bool dynamodb_read_hex(json_t *item, const char *name, bool *ret_there, uint8_t *ret_bytes, size_t size, struct error *error)
{
	json_t *attribute;

	if (!find_value(item, name, "S", &attribute, error))
		return false;
	*ret_there = attribute != NULL;
	return !attribute || json_read_hex(attribute, "S", ret_bytes, size, error) || bad_value(name, error);
}

bool dynamodb_read_text(json_t *item, const char *name, const char **ret_text, struct error *error)
{
	json_t *attribute;

	*ret_text = NULL;
	if (!find_value(item, name, "S", &attribute, error))
		return false;
	return !attribute || json_read_text(attribute, "S", ret_text, error) || bad_value(name, error);
}

bool dynamodb_read_number(json_t *item, const char *name, bool *ret_there, uint64_t *ret_value, struct error *error)
{
	json_t *attribute;

	if (!find_value(item, name, "N", &attribute, error))
		return false;
	*ret_there = attribute != NULL;
	return !attribute || json_read_u64(attribute, "N", ret_value, error) || bad_value(name, error);
}

bool dynamodb_read_flag(json_t *item, const char *name, bool *ret_there, bool *ret_value, struct error *error)
{
	json_t *attribute;

	if (!find_value(item, name, "BOOL", &attribute, error))
		return false;
	*ret_there = attribute != NULL;
	return !attribute || json_read_bool(attribute, "BOOL", ret_value, error) || bad_value(name, error);
}

/* Every name goes through a substitute: some columns are called what DynamoDB reserves. */
json_t *dynamodb_update(const char *table, json_t *key, const struct dynamodb_attribute *attributes, size_t count,
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

		(void)json_object_set_new(names, name, json_string(attributes[i].name));
		if (!attributes[i].value) {
			buffer_append_format(&remove, "%s%s", remove.size ? ", " : " REMOVE ", name);
			continue;
		}
		buffer_append_format(&set, "%s%s = %s", set.size ? ", " : "SET ", name, value);
		(void)json_object_set_new(values, value, attributes[i].value);
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
