/* SPDX-License-Identifier: Apache-2.0 */
/* The writes to a row and their conditions, word for word: an emulator tells whether they mean what they should (tests/integration). */
#include "slashing/dynamodb_row.h"
#include "store_place.h"

#define PUBKEY "010000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
#define ROOT07 "0707070707070707070707070707070707070707070707070707070707070707"
#define ROOT2 "0200000000000000000000000000000000000000000000000000000000000000"
#define ROOT0 "0000000000000000000000000000000000000000000000000000000000000000"

static const char *text_of(json_t *update, const char *name)
{
	return json_string_value(json_object_get(json_object_get(update, "Update"), name));
}

/* The values are just these. */
static void assert_values(json_t *update, const char *expected)
{
	AUTO_JSON json_t *values = json_parse(view_of_text(expected), "expected", NULL);
	json_t *found = json_object_get(json_object_get(update, "Update"), "ExpressionAttributeValues");

	assert_non_null(values);
	assert_true(json_equal(values, found));
}

static const char network_and_retired[] = "(attribute_not_exists(genesis_validators_root) OR genesis_validators_root = :network)"
					  " AND (attribute_not_exists(retired) OR retired = :no)";
static const char history[] = " AND (attribute_exists(begun_at) OR attribute_exists(block_slot) OR attribute_exists(target_epoch))";

static void assert_condition(json_t *update, bool needs_history, const char *rules)
{
	AUTO_FREE char *expected = memory_format("%s%s AND (%s)", network_and_retired, needs_history ? history : "", rules);

	assert_string_equal(text_of(update, "ConditionExpression"), expected);
}

static void a_block(void **state)
{
	struct store_commit commit = on_chain(7, block(1, UINT64_MAX, 2));
	AUTO_JSON json_t *fresh = dynamodb_row_commit("t", &commit);
	AUTO_JSON json_t *update = NULL;

	(void)state;
	assert_string_equal(text_of(fresh, "TableName"), "t");
	assert_string_equal(text_of(fresh, "ReturnValuesOnConditionCheckFailure"), "ALL_OLD");
	assert_string_equal(text_of(fresh, "UpdateExpression"),
			    "SET genesis_validators_root = :network, block_slot = :slot, block_root = :root,"
			    " begun_at = if_not_exists(begun_at, :now), origin = if_not_exists(origin, :quiet)");
	assert_condition(fresh, false,
			 "attribute_not_exists(block_slot) OR block_slot < :slot OR (block_slot = :slot AND block_root = :root)");
	commit = known(commit);
	update = dynamodb_row_commit("t", &commit);
	assert_string_equal(text_of(update, "UpdateExpression"),
			    "SET genesis_validators_root = :network, block_slot = :slot, block_root = :root");
	assert_condition(update, true,
			 "attribute_not_exists(block_slot) OR block_slot < :slot OR (block_slot = :slot AND block_root = :root)");
	assert_values(update,
		      "{\":network\":{\"S\":\"" ROOT07 "\"},\":no\":{\"BOOL\":false},\":slot\":{\"N\":\"18446744073709551615\"},"
		      "\":root\":{\"S\":\"" ROOT2 "\"}}");
}

static void an_attestation(void **state)
{
	const struct store_commit commit = known(on_chain(7, attestation(1, 4, 5, 2)));
	AUTO_JSON json_t *update = dynamodb_row_commit("t", &commit);
	AUTO_JSON json_t *key = dynamodb_row_key(commit.public_key);

	(void)state;
	assert_true(json_equal(json_object_get(json_object_get(update, "Update"), "Key"), key));
	assert_string_equal(json_string_value(json_object_get(json_object_get(key, "pubkey"), "S")), PUBKEY);
	assert_string_equal(text_of(update, "UpdateExpression"),
			    "SET genesis_validators_root = :network, source_epoch = :source, target_epoch = :target,"
			    " attestation_root = :root");
	assert_condition(update, true,
			 "(attribute_not_exists(source_epoch) AND attribute_not_exists(target_epoch))"
			 " OR (source_epoch <= :source AND target_epoch < :target)"
			 " OR (source_epoch = :source AND target_epoch = :target AND attestation_root = :root)");
	assert_values(update, "{\":network\":{\"S\":\"" ROOT07 "\"},\":no\":{\"BOOL\":false},\":source\":{\"N\":\"4\"},"
			      "\":target\":{\"N\":\"5\"},\":root\":{\"S\":\"" ROOT2 "\"}}");
}

/* A root that nobody knows equals nothing, itself included. */
static void an_unknown_root_has_no_repeat(void **state)
{
	const struct store_commit commits[] = {block(1, 10, 0), attestation(1, 4, 5, 0)};
	AUTO_JSON json_t *first = dynamodb_row_commit("t", &commits[0]);
	AUTO_JSON json_t *second = dynamodb_row_commit("t", &commits[1]);

	(void)state;
	assert_condition(first, false, "attribute_not_exists(block_slot) OR block_slot < :slot");
	assert_condition(second, false,
			 "(attribute_not_exists(source_epoch) AND attribute_not_exists(target_epoch))"
			 " OR (source_epoch <= :source AND target_epoch < :target)");
}

static json_t *parse(const char *text)
{
	json_t *json = json_parse(view_of_text(text), "row", NULL);

	assert_non_null(json);
	return json;
}

static const char whole_row[] =
	"{\"pubkey\":{\"S\":\"" PUBKEY "\"},\"genesis_validators_root\":{\"S\":\"" ROOT07 "\"},\"block_slot\":{\"N\":\"10\"},"
	"\"block_root\":{\"S\":\"" ROOT2 "\"},\"source_epoch\":{\"N\":\"4\"},\"target_epoch\":{\"N\":\"5\"},"
	"\"attestation_root\":{\"S\":\"" ROOT0 "\"},\"retired\":{\"BOOL\":true},\"begun_at\":{\"N\":\"1000\"},"
	"\"origin\":{\"S\":\"imported\"},\"edits\":{\"N\":\"3\"},\"somebody\":{\"S\":\"else\"}}";

static void a_row_is_read(void **state)
{
	AUTO_JSON json_t *item = parse(whole_row);
	struct dynamodb_row row;
	struct error error = {0};

	(void)state;
	assert_ok(dynamodb_row_read(item, &row, &error), &error);
	assert_true(row.has_root && row.watermark.has_block && row.watermark.has_attestation && row.is_retired && row.is_begun);
	assert_int_equal(row.genesis_validators_root[31], 7);
	assert_int_equal(row.watermark.block_slot, 10);
	assert_int_equal(row.watermark.block_root[0], 2);
	assert_int_equal(row.watermark.source_epoch, 4);
	assert_int_equal(row.watermark.target_epoch, 5);
	assert_int_equal(row.watermark.attestation_root[0], 0);
	assert_int_equal(row.begun_s, 1000);
	assert_int_equal(row.origin, ORIGIN_IMPORTED);
	assert_true(dynamodb_row_has_history(&row));
	assert_ok(dynamodb_row_read(NULL, &row, &error), &error);
	assert_false(row.has_root || row.watermark.has_block || row.watermark.has_attestation || row.is_retired || row.is_begun);
	assert_false(dynamodb_row_has_history(&row));
	row.is_retired = true;
	assert_false(dynamodb_row_has_history(&row)); /* that says nothing about what it signed */
}

static void a_damaged_row_is_an_error(void **state)
{
	static const char *const rows[] = {
		"{\"block_slot\":{\"S\":\"10\"}}",
		"{\"block_slot\":{\"N\":\"1e3\"}}",
		"{\"block_slot\":{\"N\":\"18446744073709551616\"}}",
		"{\"block_slot\":10}",
		"{\"block_root\":{\"S\":\"07\"}}",
		"{\"source_epoch\":{\"N\":\"4\"}}",
		"{\"target_epoch\":{\"N\":\"4\"}}",
		"{\"source_epoch\":{\"N\":\"4\"},\"target_epoch\":{\"NULL\":true}}",
		"{\"attestation_root\":{\"B\":\"AA==\"}}",
		"{\"genesis_validators_root\":{\"S\":\"\"}}",
		"{\"retired\":{\"S\":\"false\"}}",
		"{\"retired\":{\"BOOL\":0}}",
		"{\"begun_at\":{\"S\":\"1000\"}}",
		"{\"origin\":{\"N\":\"1\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_JSON json_t *item = parse(rows[i]);
		struct dynamodb_row row;
		struct error error = {0};

		assert_false(dynamodb_row_read(item, &row, &error));
		assert_int_equal(error.code, ERROR_PEER);
		assert_message_contains(&error, "row of the slashing table: ");
	}
}

static void a_replacement_is_for_what_was_found(void **state)
{
	AUTO_JSON json_t *item = parse(whole_row);
	AUTO_JSON json_t *update = NULL;
	struct dynamodb_row row;
	struct error error = {0};

	(void)state;
	assert_ok(dynamodb_row_read(item, &row, &error), &error);
	assert_null(dynamodb_row_replace("t", (const uint8_t[BLS_PUBLIC_KEY_SIZE]){1}, item, &row));
	row.watermark.block_slot = 11;
	row.is_retired = false;
	update = dynamodb_row_replace("t", (const uint8_t[BLS_PUBLIC_KEY_SIZE]){1}, item, &row);
	assert_string_equal(text_of(update, "UpdateExpression"), "SET block_slot = :new1, retired = :new6, edits = :edited");
	assert_string_equal(
		text_of(update, "ConditionExpression"),
		"attribute_exists(pubkey) AND genesis_validators_root = :old0 AND block_slot = :old1 AND block_root = :old2"
		" AND source_epoch = :old3 AND target_epoch = :old4 AND attestation_root = :old5 AND retired = :old6"
		" AND begun_at = :old7 AND origin = :old8 AND edits = :edits");
	assert_values(update,
		      "{\":old0\":{\"S\":\"" ROOT07 "\"},\":old1\":{\"N\":\"10\"},\":old2\":{\"S\":\"" ROOT2 "\"},"
		      "\":old3\":{\"N\":\"4\"},\":old4\":{\"N\":\"5\"},\":old5\":{\"S\":\"" ROOT0 "\"},"
		      "\":old6\":{\"BOOL\":true},\":old7\":{\"N\":\"1000\"},\":old8\":{\"S\":\"imported\"},"
		      "\":new1\":{\"N\":\"11\"},\":new6\":{\"BOOL\":false},\":edits\":{\"N\":\"3\"},\":edited\":{\"N\":\"4\"}}");
}

static void a_row_is_made_where_there_is_none(void **state)
{
	const struct dynamodb_row nothing = {0};
	const struct dynamodb_row row = {.is_begun = true, .begun_s = 1000, .origin = ORIGIN_FRESH};
	AUTO_JSON json_t *update = dynamodb_row_replace("t", (const uint8_t[BLS_PUBLIC_KEY_SIZE]){1}, NULL, &row);

	(void)state;
	assert_null(dynamodb_row_replace("t", (const uint8_t[BLS_PUBLIC_KEY_SIZE]){1}, NULL, &nothing));
	assert_string_equal(text_of(update, "UpdateExpression"), "SET begun_at = :new7, origin = :new8, edits = :edited");
	assert_string_equal(text_of(update, "ConditionExpression"),
			    "attribute_not_exists(pubkey) AND attribute_not_exists(genesis_validators_root) AND"
			    " attribute_not_exists(block_slot) AND attribute_not_exists(block_root) AND"
			    " attribute_not_exists(source_epoch) AND attribute_not_exists(target_epoch) AND"
			    " attribute_not_exists(attestation_root) AND attribute_not_exists(retired) AND"
			    " attribute_not_exists(begun_at) AND attribute_not_exists(origin) AND attribute_not_exists(edits)");
	assert_values(update, "{\":new7\":{\"N\":\"1000\"},\":new8\":{\"S\":\"fresh\"},\":edited\":{\"N\":\"1\"}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block),
		cmocka_unit_test(an_attestation),
		cmocka_unit_test(an_unknown_root_has_no_repeat),
		cmocka_unit_test(a_row_is_read),
		cmocka_unit_test(a_damaged_row_is_an_error),
		cmocka_unit_test(a_replacement_is_for_what_was_found),
		cmocka_unit_test(a_row_is_made_where_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
