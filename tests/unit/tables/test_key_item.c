/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as DynamoDB shows them, whoever wrote them. */
#include "vectors.h"

#include "tables/key_item.h"

#define UUID "a signer"
#define PUBKEY "96bf57a2edcd4e804f7caaa94a267251b5f7bbb4bd2bb57dcfcda8ea8f6e51f69c484f56b1f9a9a893f7b0db5369fd56"

/* As the sample solution's key generation writes it: a time without a zone, `active` as a boolean. */
static json_t *loader_item(void)
{
	return json_pack("{s:{s:s},s:{s:s},s:{s:s},s:{s:b},s:{s:s},s:{s:s},s:{s:s}}", "web3signer_uuid", "S", UUID, "pubkey", "S",
			 PUBKEY, "chain", "S", "hoodi", "active", "BOOL", 1, "datetime", "S", "2024-03-05T18:04:56.652053",
			 "deposit_json_b64", "S", "W3t9XQ==", "encrypted_key_password_mnemonic_b64", "S", "AQICAHg=");
}

static void reads_what_the_loader_writes(void **state)
{
	AUTO_JSON json_t *item = loader_item();
	AUTO_KEY_ROW struct key_row row = {0};
	struct error error = {0};

	(void)state;
	(void)json_object_set_new(item, "note", json_pack("{s:[{s:s}]}", "L", "N", "7"));
	assert_ok(key_item_read(item, UUID, &row, &error), &error);
	assert_string_equal(row.web3signer_uuid, UUID);
	assert_string_equal(row.pubkey, PUBKEY);
	assert_string_equal(row.chain, "hoodi");
	assert_true(row.active);
	assert_string_equal(row.datetime, "2024-03-05T18:04:56.652053");
	assert_string_equal(row.deposit_json_b64, "W3t9XQ==");
	assert_string_equal(row.encrypted_key_password_mnemonic_b64, "AQICAHg=");
	assert_null(row.sealed_key_b64);
	assert_null(row.data_key_b64);
}

static void active_may_be_a_text(void **state)
{
	static const struct {
		const char *active;
		bool expected;
	} cases[] = {
		{"{\"BOOL\":true}", true},
		{"{\"BOOL\":false}", false},
		{"{\"S\":\"true\"}", true},
		{"{\"S\":\"false\"}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_JSON json_t *item = loader_item();
		AUTO_KEY_ROW struct key_row row = {0};
		struct error error = {0};

		(void)json_object_set_new(item, "active", json_parse(view_of_text(cases[i].active), "active", &error));
		assert_ok(key_item_read(item, UUID, &row, &error), &error);
		assert_int_equal(row.active, cases[i].expected);
	}
}

/* NULL: the attribute is missing. What names the row is read, however the row is spoilt. */
static void malformed_rows_are_told_by_column(void **state)
{
	static const char long_name[] = "{\"S\":\"a name that is much too long for any of the columns that have a fixed size\"}";
	static const struct {
		const char *name;
		const char *value;
		const char *message;
	} cases[] = {
		{"pubkey", NULL, "pubkey: missing"},
		{"pubkey", "{\"N\":\"7\"}", "pubkey: not of the type S"},
		{"pubkey", "{\"S\":\"0xab\"}", "pubkey: not 96 lower-case hex digits"},
		{"pubkey", "{\"S\":\"" PUBKEY "00\"}", "pubkey: not 96 lower-case hex digits"},
		{"pubkey", "{\"S\":\"\"}", "pubkey: not 96 lower-case hex digits"},
		{"web3signer_uuid", NULL, "web3signer_uuid: missing"},
		{"web3signer_uuid", "{\"S\":\"another\"}", "web3signer_uuid: not the one"},
		{"web3signer_uuid", long_name, "web3signer_uuid: 74 bytes, at most 63"},
		{"chain", NULL, "chain: missing"},
		{"chain", "{\"S\":\"\"}", "chain: missing"},
		{"chain", "{\"NULL\":true}", "chain: not of the type S"},
		{"chain", "{\"S\":7}", "chain: S: not a string"},
		{"chain", "{\"S\":\"a\",\"N\":\"1\"}", "chain: not of the type S"},
		{"chain", long_name, "chain: 74 bytes, at most 31"},
		{"active", NULL, "active: missing"},
		{"active", "{\"N\":\"1\"}", "active: not of the type BOOL"},
		{"active", "{\"BOOL\":\"true\"}", "active: BOOL: not true or false"},
		{"active", "{\"S\":\"yes\"}", "active: not true or false"},
		{"active", "{\"S\":true}", "active: S: not a string"},
		{"active", "{\"S\":\"true\",\"BOOL\":false}", "active: not of the type S"},
		{"active", "[]", "active: not of the type BOOL"},
		{"datetime", "{\"N\":\"1709661896\"}", "datetime: not of the type S"},
		{"datetime", long_name, "datetime: 74 bytes, at most 64"},
		{"deposit_json_b64", "{\"B\":\"W3t9XQ==\"}", "deposit_json_b64: not of the type S"},
		{"deposit_json_b64", "[7]", "deposit_json_b64: not of the type S"},
		{"encrypted_key_password_mnemonic_b64", NULL, "encrypted_key_password_mnemonic_b64: missing"},
		{"sealed_key_b64", "{\"S\":\"x\"}", "data_key_b64: missing"},
		{"data_key_b64", "{\"S\":\"x\"}", "sealed_key_b64: missing"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_JSON json_t *item = loader_item();
		AUTO_KEY_ROW struct key_row row = {0};
		struct error error = {0};

		(void)json_object_del(item, cases[i].name);
		if (cases[i].value)
			(void)json_object_set_new(item, cases[i].name, json_parse(view_of_text(cases[i].value), "case", &error));
		assert_false(key_item_read(item, UUID, &row, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_int_equal(strncmp(error.message, cases[i].message, strlen(cases[i].message)), 0);
		assert_true(row.active);
		assert_true(strcmp(cases[i].name, "pubkey") == 0 || strcmp(row.pubkey, PUBKEY) == 0);
	}
}

/* Of each text column, and of what names the row. */
static void oversized_texts_are_refused(void **state)
{
	static const char *const names[] = {"deposit_json_b64", "encrypted_key_password_mnemonic_b64", "sealed_key_b64",
					    "data_key_b64", "pubkey"};
	AUTO_FREE char *text = (char *)memory_allocate_zeroed(1, (400u << 10) + 1);

	(void)state;
	memset(text, 'a', 400u << 10);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_JSON json_t *item = loader_item();
		AUTO_KEY_ROW struct key_row row = {0};
		struct error error = {0};

		(void)json_object_set_new(item, names[i], json_pack("{s:s}", "S", text));
		assert_false(key_item_read(item, UUID, &row, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, i < 4 ? names[i] : "not 96 lower-case hex digits");
		assert_int_equal(row.pubkey[0], i < 4 ? PUBKEY[0] : 'a');
	}
}

static void assert_json(json_t *json, const char *expected)
{
	AUTO_JSON json_t *released = json;
	AUTO_JSON json_t *wanted = json_parse(view_of_text(expected), "expected", NULL);

	assert_non_null(wanted);
	assert_true(json_equal(released, wanted));
}

#define OF_THE_KEY "\"TableName\":\"t\",\"Key\":{\"web3signer_uuid\":{\"S\":\"" UUID "\"},\"pubkey\":{\"S\":\"" PUBKEY "\"}}"
#define NAMES                                                                                                                      \
	"\"ExpressionAttributeNames\":{\"#0\":\"chain\",\"#1\":\"active\",\"#2\":\"datetime\",\"#3\":\"deposit_json_b64\","        \
	"\"#4\":\"encrypted_key_password_mnemonic_b64\",\"#5\":\"sealed_key_b64\",\"#6\":\"data_key_b64\"}"
#define VALUES "\":0\":{\"S\":\"hoodi\"},\":1\":{\"BOOL\":true}"

/* A column that is set, one that is taken away; and nothing is said of what is not ours. */
static void writes_name_our_columns_alone(void **state)
{
	char encrypted[] = "e", sealed[] = "s", data_key[] = "d";
	struct key_row row = {.web3signer_uuid = UUID, .pubkey = PUBKEY, .chain = "hoodi", .active = true};

	(void)state;
	row.encrypted_key_password_mnemonic_b64 = encrypted;
	assert_json(key_item_put("t", &row, true),
		    "{\"Update\":{" OF_THE_KEY
		    ",\"UpdateExpression\":\"SET #0 = :0, #1 = :1, #4 = :4 REMOVE #2, #3, #5, #6\"," NAMES
		    ",\"ExpressionAttributeValues\":{" VALUES ",\":4\":{\"S\":\"e\"}}}}");
	row.encrypted_key_password_mnemonic_b64 = NULL;
	row.sealed_key_b64 = sealed;
	row.data_key_b64 = data_key;
	assert_json(key_item_put("t", &row, false),
		    "{\"Update\":{" OF_THE_KEY ",\"UpdateExpression\":\"SET #0 = :0, #1 = :1, #5 = :5, #6 = :6 REMOVE #2, #3, #4\","
		    "\"ConditionExpression\":\"attribute_not_exists(pubkey)\"," NAMES ",\"ExpressionAttributeValues\":{" VALUES
		    ",\":5\":{\"S\":\"s\"},\":6\":{\"S\":\"d\"}}}}");
	assert_json(key_item_expect_none("t", &row),
		    "{\"ConditionCheck\":{" OF_THE_KEY ",\"ConditionExpression\":\"attribute_not_exists(pubkey)\"}}");
	assert_json(key_item_set_active("t", UUID, PUBKEY, false),
		    "{\"Update\":{" OF_THE_KEY ",\"UpdateExpression\":\"SET #0 = :0\",\"ConditionExpression\":"
		    "\"attribute_exists(pubkey)\",\"ExpressionAttributeNames\":{\"#0\":\"active\"},"
		    "\"ExpressionAttributeValues\":{\":0\":{\"BOOL\":false}}}}");
	assert_json(key_item_remove("t", UUID, PUBKEY),
		    "{\"Delete\":{" OF_THE_KEY ",\"ConditionExpression\":\"attribute_exists(pubkey)\"}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_loader_writes),      cmocka_unit_test(active_may_be_a_text),
		cmocka_unit_test(malformed_rows_are_told_by_column), cmocka_unit_test(oversized_texts_are_refused),
		cmocka_unit_test(writes_name_our_columns_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
