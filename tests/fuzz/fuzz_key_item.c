/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "base/json.h"
#include "tables/key_item.h"

#define TABLE "t"
#define UUID "u"

/* What an Update of all columns leaves where nothing was. */
static json_t *apply(json_t *request)
{
	json_t *update = json_object_get(request, "Update");
	json_t *item = json_deep_copy(json_object_get(update, "Key"));
	json_t *names = json_object_get(update, "ExpressionAttributeNames");
	const char *substitute;
	json_t *value;

	json_object_foreach(json_object_get(update, "ExpressionAttributeValues"), substitute, value)
	{
		char name[] = "#0";

		name[1] = substitute[1];
		(void)json_object_set(item, json_string_value(json_object_get(names, name)), value);
	}
	return item;
}

static void check_text(const char *text, const char *again)
{
	if (!text != !again || (text && strcmp(text, again) != 0))
		abort();
}

/* An item of the key table: whatever can be read can be written, and is the same when it is read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_JSON json_t *item = json_parse_object(view_of(data, size), "item", NULL);
	AUTO_JSON json_t *request = NULL;
	AUTO_JSON json_t *written = NULL;
	AUTO_KEY_ROW struct key_row row = {0};
	AUTO_KEY_ROW struct key_row again = {0};
	struct error error = {0};

	if (!item)
		return 0;
	if (!key_item_read(item, UUID, &row, &error)) {
		if (error.code != ERROR_INPUT)
			abort();
		return 0;
	}
	request = key_item_put(TABLE, &row, true);
	written = apply(request);
	if (!key_item_read(written, UUID, &again, &error) || row.active != again.active)
		abort();
	check_text(row.pubkey, again.pubkey);
	check_text(row.chain, again.chain);
	check_text(row.datetime, again.datetime);
	check_text(row.deposit_json_b64, again.deposit_json_b64);
	check_text(row.encrypted_key_password_mnemonic_b64, again.encrypted_key_password_mnemonic_b64);
	check_text(row.sealed_key_b64, again.sealed_key_b64);
	check_text(row.data_key_b64, again.data_key_b64);
	return 0;
}
