/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/key_item.h"

#include "tables/dynamodb_table.h"
#include "tables/key_table_backend.h"

#define IS_THERE "attribute_exists(pubkey)"
#define IS_NEW "attribute_not_exists(pubkey)"

/* ---- reading ---- */

/* A text that has a fixed place in the row. */
static bool read_text_into(json_t *item, const char *name, char *ret_text, size_t size, struct error *error)
{
	const char *text;

	if (!dynamodb_read_text(item, name, &text, error))
		return false;
	if (!text || text[0] == 0)
		return error_set(error, ERROR_PEER, "%s: missing", name);
	if (strlen(text) >= size)
		return error_set(error, ERROR_PEER, "%s: %zu bytes, at most %zu are allowed", name, strlen(text), size - 1);
	memcpy(ret_text, text, strlen(text) + 1);
	return true;
}

/* BOOL is what the loaders of the sample solution write, a text what people write who type it in. */
static bool read_active(json_t *item, bool *ret_active, struct error *error)
{
	static const char name[] = "active";
	bool is_there, is_text = json_object_get(json_object_get(item, name), "S") != NULL;
	const char *text;

	if (!is_text && !dynamodb_read_flag(item, name, &is_there, ret_active, error))
		return false;
	if (!is_text)
		return is_there || error_set(error, ERROR_PEER, "%s: missing", name);
	if (!dynamodb_read_text(item, name, &text, error))
		return false;
	*ret_active = strcmp(text, "false") != 0;
	return !*ret_active || strcmp(text, "true") == 0 || error_set(error, ERROR_PEER, "%s: not true or false", name);
}

static bool read_columns(json_t *item, const char *web3signer_uuid, struct key_row *row, struct error *error)
{
	if (!key_pubkey_is_valid(row->pubkey))
		return error_set(error, ERROR_PEER, "pubkey: not 96 lower-case hex digits");
	if (!read_text_into(item, "web3signer_uuid", row->web3signer_uuid, sizeof row->web3signer_uuid, error))
		return false;
	if (strcmp(row->web3signer_uuid, web3signer_uuid) != 0)
		return error_set(error, ERROR_PEER, "web3signer_uuid: not the one that was asked for");
	if (!read_active(item, &row->active, error) || !read_text_into(item, "chain", row->chain, sizeof row->chain, error))
		return false;
	for (size_t i = 0; i < KEY_COLUMNS; i++) {
		const struct key_column *column = &key_columns[i];

		if (!dynamodb_table_copy_text(item, column->name, column->max_size, key_column_text(row, column), error))
			return false;
	}
	return key_row_check_form(row, error);
}

bool key_item_read(json_t *item, const char *web3signer_uuid, struct key_row *ret_row, struct error *error)
{
	const char *pubkey;

	ret_row->active = true;
	if (dynamodb_read_text(item, "pubkey", &pubkey, error) && (pubkey || error_set(error, ERROR_PEER, "pubkey: missing"))) {
		/* Of one that is too long the beginning tells it from others. */
		(void)snprintf(ret_row->pubkey, sizeof ret_row->pubkey, "%s", pubkey);
		if (strlen(pubkey) >= sizeof ret_row->pubkey)
			(void)error_set(error, ERROR_PEER, "pubkey: not 96 lower-case hex digits");
		else if (read_columns(item, web3signer_uuid, ret_row, error))
			return true;
	}
	/* DynamoDB gave what somebody wrote: it is the row that is at fault. */
	error->code = ERROR_INPUT;
	return false;
}

/* ---- writing ---- */

json_t *key_item_key(const char *web3signer_uuid, const char *pubkey)
{
	return json_pack("{s:o,s:o}", "web3signer_uuid", dynamodb_text(web3signer_uuid), "pubkey", dynamodb_text(pubkey));
}

/* An operation that has nothing but a condition. */
static json_t *bare(const char *operation, const char *table, json_t *key, const char *condition)
{
	return json_pack("{s:{s:s,s:o,s:s}}", operation, "TableName", table, "Key", key, "ConditionExpression", condition);
}

json_t *key_item_put(const char *table, const struct key_row *row, bool replace)
{
	struct dynamodb_attribute columns[KEY_COLUMNS + 2] = {
		{"chain", dynamodb_text(row->chain)},
		{"active", dynamodb_flag(row->active)},
	};

	for (size_t i = 0; i < KEY_COLUMNS; i++) {
		const struct key_column *column = &key_columns[i];

		columns[2 + i] = (struct dynamodb_attribute){column->name, dynamodb_table_text(key_column_value(row, column))};
	}
	return dynamodb_update(table, key_item_key(row->web3signer_uuid, row->pubkey), columns, ARRAY_SIZE(columns),
			       replace ? NULL : IS_NEW);
}

json_t *key_item_reseal(const char *table, const struct key_reseal *reseal)
{
	static const char keystore[] = "attribute_not_exists(sealed_key_b64) AND encrypted_key_password_mnemonic_b64 = :before";
	const struct key_row *before = reseal->before;
	const struct dynamodb_attribute columns[] = {
		{"sealed_key_b64", dynamodb_text(reseal->sealed_key_b64)},
		{"data_key_b64", dynamodb_text(reseal->data_key_b64)},
		{"encrypted_key_password_mnemonic_b64", NULL},
	};
	json_t *request = dynamodb_update(table, key_item_key(before->web3signer_uuid, before->pubkey), columns,
					  ARRAY_SIZE(columns), before->sealed_key_b64 ? "sealed_key_b64 = :before" : keystore);
	json_t *update = json_object_get(request, "Update");

	(void)json_object_set_new(
		json_object_get(update, "ExpressionAttributeValues"), ":before",
		dynamodb_text(before->sealed_key_b64 ? before->sealed_key_b64 : before->encrypted_key_password_mnemonic_b64));
	(void)json_object_set_new(update, "ReturnValuesOnConditionCheckFailure", json_string("ALL_OLD"));
	return request;
}

json_t *key_item_expect_none(const char *table, const struct key_row *row)
{
	return bare("ConditionCheck", table, key_item_key(row->web3signer_uuid, row->pubkey), IS_NEW);
}

json_t *key_item_set_active(const char *table, const char *web3signer_uuid, const char *pubkey, bool is_active)
{
	const struct dynamodb_attribute column = {"active", dynamodb_flag(is_active)};

	return dynamodb_update(table, key_item_key(web3signer_uuid, pubkey), &column, 1, IS_THERE);
}

json_t *key_item_remove(const char *table, const char *web3signer_uuid, const char *pubkey)
{
	return bare("Delete", table, key_item_key(web3signer_uuid, pubkey), IS_THERE);
}
