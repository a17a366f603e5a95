/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/interchange.h"

#include "vectors.h"

#define GENESIS "0x0407070707070707070707070707070707070707070707070707070707070704"
#define METADATA "\"metadata\":{\"interchange_format_version\":\"5\",\"genesis_validators_root\":\"" GENESIS "\"}"
#define KEY_1 "0x111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
#define KEY_2 "0x222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222"
#define ROOT_A "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ROOT_B "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define WITH_DATA(data) "{" METADATA ",\"data\":[" data "]}"
#define VALIDATOR(key, blocks, attestations)                                                                                       \
	"{\"pubkey\":\"" key "\",\"signed_blocks\":[" blocks "],\"signed_attestations\":[" attestations "]}"
#define BLOCK(slot) "{\"slot\":\"" slot "\"}"
#define BLOCK_OF(slot, root) "{\"slot\":\"" slot "\",\"signing_root\":\"" root "\"}"
#define ATTESTATION(source, target) "{\"source_epoch\":\"" source "\",\"target_epoch\":\"" target "\"}"
#define ATTESTATION_OF(source, target, root)                                                                                       \
	"{\"source_epoch\":\"" source "\",\"target_epoch\":\"" target "\",\"signing_root\":\"" root "\"}"

static struct interchange parse(const char *text)
{
	struct interchange interchange = {0};
	struct error error = {0};

	assert_ok(interchange_parse(view_of_text(text), &interchange, &error), &error);
	return interchange;
}

static struct watermark parse_one(const char *text)
{
	AUTO_INTERCHANGE struct interchange interchange = parse(text);

	assert_int_equal(interchange.count, 1);
	return interchange.keys[0].watermark;
}

static void assert_root(const uint8_t root[ROOT_SIZE], uint8_t byte)
{
	uint8_t expected[ROOT_SIZE];

	memset(expected, byte, sizeof expected);
	assert_memory_equal(root, expected, sizeof expected);
}

static void the_highest_block_counts(void **state)
{
	static const struct {
		const char *blocks;
		uint64_t slot;
		uint8_t root;
	} cases[] = {
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK("7"), "")), 7, 0},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK_OF("7", ROOT_A), "")), 7, 0xaa},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK_OF("7", ROOT_A) "," BLOCK_OF("9", ROOT_B) "," BLOCK("8"), "")), 9, 0xbb},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK_OF("9", ROOT_A) "," BLOCK_OF("9", ROOT_A), "")), 9, 0xaa},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK_OF("9", ROOT_A) "," BLOCK_OF("9", ROOT_B), "")), 9, 0},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK_OF("9", ROOT_A) "," BLOCK("9"), "")), 9, 0},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK("9") "," BLOCK_OF("9", ROOT_A), "")), 9, 0},
		{WITH_DATA(VALIDATOR(KEY_1, "{\"slot\":\"9\",\"signing_root\":null}", "")), 9, 0},
		{WITH_DATA(VALIDATOR(KEY_1, "{\"slot\":9}", "")), 9, 0}, /* a JSON number */
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK("18446744073709551615") "," BLOCK("0"), "")), UINT64_MAX, 0},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK_OF("0", ROOT_A), "")), 0, 0xaa},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK("7"), "") "," VALIDATOR(KEY_1, BLOCK_OF("9", ROOT_A), "")), 9, 0xaa},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct watermark watermark = parse_one(cases[i].blocks);

		assert_true(watermark.has_block);
		assert_false(watermark.has_attestation);
		assert_int_equal(watermark.block_slot, cases[i].slot);
		assert_root(watermark.block_root, cases[i].root);
	}
}

static void the_highest_source_and_target_count(void **state)
{
	static const struct {
		const char *attestations;
		uint64_t source, target;
		uint8_t root;
	} cases[] = {
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION("5", "6"))), 5, 6, 0},
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION_OF("5", "6", ROOT_A))), 5, 6, 0xaa},
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION_OF("5", "6", ROOT_A) "," ATTESTATION_OF("5", "6", ROOT_A))), 5, 6,
		 0xaa},
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION_OF("5", "6", ROOT_A) "," ATTESTATION_OF("5", "6", ROOT_B))), 5, 6, 0},
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION_OF("5", "7", ROOT_B) "," ATTESTATION_OF("5", "6", ROOT_A))), 5, 7,
		 0xbb},
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION_OF("5", "6", ROOT_A) "," ATTESTATION_OF("6", "7", ROOT_B))), 6, 7,
		 0xbb},
		/* The largest source is another message's: no message was signed with both. */
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION_OF("5", "6", ROOT_A) "," ATTESTATION_OF("4", "7", ROOT_B))), 5, 7, 0},
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION_OF("4", "7", ROOT_B) "," ATTESTATION_OF("5", "6", ROOT_A))), 5, 7, 0},
		/* Two votes for one target. */
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION_OF("4", "7", ROOT_A) "," ATTESTATION_OF("5", "7", ROOT_B))), 5, 7, 0},
		/* A later one makes it unambiguous again. */
		{WITH_DATA(VALIDATOR(KEY_1, "",
				     ATTESTATION_OF("4", "7", ROOT_A) "," ATTESTATION_OF("5", "7", ROOT_B) "," ATTESTATION_OF(
					     "5", "8", ROOT_A))),
		 5, 8, 0xaa},
		/* Inverted entries are history too. */
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION("8", "7"))), 8, 7, 0},
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION("5", "2") "," ATTESTATION_OF("6", "7", ROOT_A))), 6, 7, 0xaa},
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION("9", "2") "," ATTESTATION_OF("6", "7", ROOT_A))), 9, 7, 0},
		{WITH_DATA(VALIDATOR(KEY_1, "", ATTESTATION("5", "6")) "," VALIDATOR(KEY_1, "", ATTESTATION("4", "9"))), 5, 9, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct watermark watermark = parse_one(cases[i].attestations);

		assert_true(watermark.has_attestation);
		assert_false(watermark.has_block);
		assert_int_equal(watermark.source_epoch, cases[i].source);
		assert_int_equal(watermark.target_epoch, cases[i].target);
		assert_root(watermark.attestation_root, cases[i].root);
	}
}

/* A root that Web3Signer's files have: shorter than a root is. */
static void short_roots_are_padded(void **state)
{
	struct watermark watermark = parse_one(WITH_DATA(VALIDATOR(KEY_1, BLOCK_OF("7", "0x123456"), "")));
	uint8_t expected[ROOT_SIZE] = {[29] = 0x12, [30] = 0x34, [31] = 0x56};

	(void)state;
	assert_memory_equal(watermark.block_root, expected, sizeof expected);
}

static void keys_are_found_whatever_their_order(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_INTERCHANGE struct interchange interchange = {0};
	uint8_t key[BLS_PUBLIC_KEY_SIZE] = {0};
	struct error error = {0};

	(void)state;
	buffer_append_text(&text, "{" METADATA ",\"data\":[");
	/* 600 entries of 200 keys, in an order that is neither up nor down. */
	for (unsigned i = 0; i < 600; i++)
		buffer_append_format(&text,
				     "%s{\"pubkey\":\"%096x\",\"signed_blocks\":[{\"slot\":\"%u\"}],\"signed_attestations\":[]}",
				     i > 0 ? "," : "", (i * 77) % 200, i);
	buffer_append_text(&text, "]}");
	assert_ok(interchange_parse(buffer_view(&text), &interchange, &error), &error);
	assert_int_equal(interchange.count, 200);
	for (unsigned i = 0; i < 600; i++) {
		const struct interchange_key *found;

		key[BLS_PUBLIC_KEY_SIZE - 1] = (uint8_t)((i * 77) % 200);
		found = interchange_find(&interchange, key);
		assert_non_null(found);
		assert_memory_equal(found->public_key, key, sizeof key);
		assert_int_equal(found->watermark.block_slot, 400 + i % 200);
	}
	key[BLS_PUBLIC_KEY_SIZE - 1] = 200;
	assert_null(interchange_find(&interchange, key));
	for (size_t i = 1; i < interchange.count; i++)
		assert_true(memcmp(interchange.keys[i - 1].public_key, interchange.keys[i].public_key, BLS_PUBLIC_KEY_SIZE) < 0);
}

static void keys_without_history_are_there(void **state)
{
	AUTO_INTERCHANGE struct interchange none = parse(WITH_DATA(""));
	AUTO_INTERCHANGE struct interchange one = parse(WITH_DATA(VALIDATOR(KEY_1, "", "")));
	static const struct watermark empty;

	(void)state;
	assert_int_equal(none.count, 0);
	assert_null(interchange_find(&none, one.keys[0].public_key));
	assert_int_equal(none.genesis_validators_root[0], 4);
	assert_int_equal(one.count, 1);
	assert_memory_equal(&one.keys[0].watermark, &empty, sizeof empty);
}

static void unknown_members_are_passed_over(void **state)
{
	struct watermark watermark =
		parse_one("{\"more\":1,\"metadata\":{\"interchange_format_version\":\"5\",\"genesis_validators_root\":\"" GENESIS
			  "\",\"x\":[]},\"data\":[{\"pubkey\":\"" KEY_1
			  "\",\"note\":\"\",\"signed_blocks\":[{\"slot\":\"3\",\"hash\":7}],\"signed_attestations\":[]}]}");

	(void)state;
	assert_int_equal(watermark.block_slot, 3);
}

static void errors_name_the_place(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"", "slashing protection data: empty"},
		{"[]", "slashing protection data: not a JSON object"},
		{"{} {}", "malformed JSON"},
		{"{\"data\":[],\"data\":[]}", "malformed JSON"},
		{"{\"data\":[]}", "metadata: missing"},
		{"{\"metadata\":[],\"data\":[]}", "metadata: not an object"},
		{"{\"metadata\":{},\"data\":[]}", "metadata: interchange_format_version: missing"},
		{"{\"metadata\":{\"interchange_format_version\":5},\"data\":[]}", "interchange_format_version: not a string"},
		{"{\"metadata\":{\"interchange_format_version\":\"4\"},\"data\":[]}", "interchange_format_version: not \"5\""},
		{"{\"metadata\":{\"interchange_format_version\":\"5.0\"},\"data\":[]}", "interchange_format_version: not \"5\""},
		{"{\"metadata\":{\"interchange_format_version\":\"5\"},\"data\":[]}", "metadata: genesis_validators_root: missing"},
		{"{\"metadata\":{\"interchange_format_version\":\"5\",\"genesis_validators_root\":\"0x01\"},\"data\":[]}",
		 "metadata: genesis_validators_root: 2 hex digits, expected 64"},
		{"{" METADATA "}", "data: missing"},
		{"{" METADATA ",\"data\":null}", "data: missing"},
		{"{" METADATA ",\"data\":\"5\"}", "data: not an array"},
		{WITH_DATA("7"), "data[0]: not an object"},
		{WITH_DATA("{}"), "data[0].pubkey: missing"},
		{WITH_DATA("{\"pubkey\":\"0x11\"}"), "data[0].pubkey: 2 hex digits, expected 96"},
		{WITH_DATA("{\"pubkey\":\"" KEY_1 "\"}"), "data[0].signed_blocks: missing"},
		{WITH_DATA("{\"pubkey\":\"" KEY_1 "\",\"signed_blocks\":[]}"), "data[0].signed_attestations: missing"},
		{WITH_DATA("{\"pubkey\":\"" KEY_1 "\",\"signed_blocks\":{}}"), "data[0].signed_blocks: not an array"},
		{WITH_DATA(VALIDATOR(KEY_1, "", "") "," VALIDATOR(KEY_2, "[]", "")), "data[1].signed_blocks[0]: not an object"},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK("1") ",{}", "")), "data[0].signed_blocks[1].slot: missing"},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK("-1"), "")), "data[0].signed_blocks[0].slot: not a decimal number"},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK("18446744073709551616"), "")), "data[0].signed_blocks[0].slot: not a decimal"},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK("0x7"), "")), "data[0].signed_blocks[0].slot: not a decimal"},
		{WITH_DATA(VALIDATOR(KEY_1, "{\"slot\":1.5}", "")), "data[0].signed_blocks[0].slot: not a decimal"},
		{WITH_DATA(VALIDATOR(KEY_1, "{\"slot\":-1}", "")), "data[0].signed_blocks[0].slot: not a decimal"},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK_OF("1", "0x" ROOT_A), "")), "data[0].signed_blocks[0].signing_root: 66 hex"},
		{WITH_DATA(VALIDATOR(KEY_1, BLOCK_OF("1", "0xzz"), "")), "data[0].signed_blocks[0].signing_root: not hex"},
		{WITH_DATA(VALIDATOR(KEY_1, "{\"slot\":\"1\",\"signing_root\":7}", "")),
		 "data[0].signed_blocks[0].signing_root: not a string"},
		{WITH_DATA(VALIDATOR(KEY_1, "", "{\"source_epoch\":\"1\"}")),
		 "data[0].signed_attestations[0].target_epoch: missing"},
		{WITH_DATA(VALIDATOR(KEY_1, "", "") "," VALIDATOR(KEY_1, "", "") "," VALIDATOR(
			 KEY_2, "", ATTESTATION("1", "2") "," ATTESTATION("1", "2") ",{\"target_epoch\":\"1\"}")),
		 "data[2].signed_attestations[2].source_epoch: missing"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct interchange interchange = {.count = 77};
		struct error error = {0};

		assert_false(interchange_parse(view_of_text(cases[i].text), &interchange, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
		assert_int_equal(interchange.count, 77);
	}
}

static void size_and_keys_are_bounded(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *document = json_loads("{" METADATA ",\"data\":[]}", 0, NULL);
	json_t *data = json_object_get(document, "data");
	AUTO_JSON json_t *validator = json_loads(VALIDATOR(KEY_1, BLOCK("3"), ""), 0, NULL);
	AUTO_INTERCHANGE struct interchange interchange = {0};
	struct error error = {0};

	(void)state;
	buffer_append_text(&text, WITH_DATA(""));
	buffer_reserve(&text, INTERCHANGE_MAX_SIZE + 1 - text.size);
	memset(text.data + text.size, ' ', INTERCHANGE_MAX_SIZE + 1 - text.size);
	text.size = INTERCHANGE_MAX_SIZE + 1;
	assert_false(interchange_parse(buffer_view(&text), &interchange, &error));
	assert_message_contains(&error, "10485761 bytes, at most 10485760 are taken");
	text.size--;
	assert_ok(interchange_parse(buffer_view(&text), &interchange, &error), &error);
	interchange_done(&interchange);

	for (size_t i = 0; i < INTERCHANGE_KEYS_MAX; i++)
		assert_int_equal(json_array_append(data, validator), 0);
	assert_ok(interchange_read(document, &interchange, &error), &error);
	assert_int_equal(interchange.count, 1);
	assert_int_equal(json_array_append(data, validator), 0);
	assert_false(interchange_read(document, &interchange, &error));
	assert_message_contains(&error, "data: 100001 keys, at most 100000 are taken");
}

static void what_is_written_is_canonical(void **state)
{
	AUTO_INTERCHANGE struct interchange interchange = {0};
	AUTO_BUFFER struct buffer text = {0};
	static const char canonical[] = WITH_DATA(
		VALIDATOR(KEY_1, "", "") "," VALIDATOR(KEY_2, BLOCK_OF("18446744073709551615", ROOT_A), ATTESTATION("3", "4")));

	(void)state;
	interchange = parse(canonical);
	interchange_write(interchange.genesis_validators_root, interchange.keys, interchange.count, &text);
	assert_string_equal(buffer_text(&text), canonical);
	buffer_clear(&text);
	interchange_write(interchange.genesis_validators_root, NULL, 0, &text);
	assert_string_equal(buffer_text(&text), WITH_DATA(""));
}

/* Any order, any grouping: the same watermark; and what was written reads back as what was read. */
static void the_order_of_entries_does_not_matter(void **state)
{
	uint64_t random = 0x9e3779b97f4a7c15;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct watermark entries[4] = {0}, forward = {0}, backward = {0}, left = {0}, right = {0};

		for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			entries[i].has_block = random & 1;
			entries[i].block_slot = entries[i].has_block ? (random >> 1) % 3 : 0;
			entries[i].block_root[0] = (uint8_t)(entries[i].has_block ? (random >> 8) % 3 : 0);
			entries[i].has_attestation = (random >> 16) & 1;
			entries[i].source_epoch = entries[i].has_attestation ? (random >> 17) % 3 : 0;
			entries[i].target_epoch = entries[i].has_attestation ? (random >> 24) % 3 : 0;
			entries[i].attestation_root[0] = (uint8_t)(entries[i].has_attestation ? (random >> 32) % 3 : 0);
		}
		for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
			slashing_raise(&forward, &entries[i]);
			slashing_raise(&backward, &entries[ARRAY_SIZE(entries) - 1 - i]);
			slashing_raise(i < 2 ? &left : &right, &entries[i]);
		}
		slashing_raise(&left, &right);
		assert_memory_equal(&forward, &backward, sizeof forward);
		assert_memory_equal(&forward, &left, sizeof forward);
		for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
			assert_true(forward.block_slot >= entries[i].block_slot);
			assert_true(forward.source_epoch >= entries[i].source_epoch);
			assert_true(forward.target_epoch >= entries[i].target_epoch);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_highest_block_counts),       cmocka_unit_test(the_highest_source_and_target_count),
		cmocka_unit_test(short_roots_are_padded),         cmocka_unit_test(keys_are_found_whatever_their_order),
		cmocka_unit_test(keys_without_history_are_there), cmocka_unit_test(unknown_members_are_passed_over),
		cmocka_unit_test(errors_name_the_place),          cmocka_unit_test(size_and_keys_are_bounded),
		cmocka_unit_test(what_is_written_is_canonical),   cmocka_unit_test(the_order_of_entries_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
