/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over JSON, kind by kind, on types made up here. The types of Ethereum are in test_schemas.c. */
#include "eth/ssz_schema.h"

#include "ssz_reference.h"
#include "vectors.h"

/* Past the fourth subtree of a progressive tree, which ends at 85 leaves. */
#define LEAVES_MAX 96
/* Lengths around the ends of subtrees (1, 5, 21 and 85 leaves). */
static const size_t counts[] = {0, 1, 2, 3, 4, 5, 6, 7, 20, 21, 22, 84, 85, 86};

#define U64_MESSAGE "not a decimal number from 0 to 2^64-1"
#define U256_MESSAGE "not a decimal number from 0 to 2^256-1"
#define U256_MAX "115792089237316195423570985008687907853269984665640564039457584007913129639935"
#define U256_ABOVE_MAX "115792089237316195423570985008687907853269984665640564039457584007913129639936"

static const struct ssz_type item = {SSZ_FIELDS({"slot", &ssz_uint64}, {"root", &ssz_bytes32})};
static const struct ssz_type nested = {SSZ_FIELDS({"items", SSZ_LIST_OF(&item, 2)}, {"last", &item})};
static const struct ssz_type progressive_item = {SSZ_PROGRESSIVE_FIELDS({"slot", &ssz_uint64}, {"root", &ssz_bytes32})};

/* A value of any type, which the parser of whole texts does not take. */
static json_t *parse_value(const char *text)
{
	AUTO_FREE char *wrapped = memory_format("{\"value\": %s}", text);
	struct error error = {0};
	AUTO_JSON json_t *object = json_parse_object(view_of_text(wrapped), "test", &error);

	assert_ok(object != NULL, &error);
	return json_incref(json_object_get(object, "value"));
}

static void assert_root(const struct ssz_type *type, const char *text, const uint8_t expected[ROOT_SIZE])
{
	AUTO_JSON json_t *value = parse_value(text);
	struct error error = {0};
	uint8_t root[ROOT_SIZE];

	assert_ok(ssz_json_root(type, value, root, &error), &error);
	assert_memory_equal(root, expected, ROOT_SIZE);
}

static void assert_root_hex(const struct ssz_type *type, const char *text, const char *expected_hex)
{
	AUTO_BUFFER struct buffer expected = unhex(expected_hex);

	assert_int_equal(expected.size, ROOT_SIZE);
	assert_root(type, text, expected.data);
}

/* Bytes as leaves, the last one filled up with zeros. */
static size_t leaves_of(struct view bytes, uint8_t ret_leaves[LEAVES_MAX][ROOT_SIZE])
{
	size_t count = (bytes.size + ROOT_SIZE - 1) / ROOT_SIZE;

	assert_true(count <= LEAVES_MAX);
	memset(ret_leaves, 0, count * ROOT_SIZE);
	if (bytes.size)
		memcpy(ret_leaves, bytes.data, bytes.size);
	return count;
}

static void limited_list_root(struct view bytes, uint64_t leaf_limit, uint64_t length, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t leaves[LEAVES_MAX][ROOT_SIZE];
	size_t count = leaves_of(bytes, leaves);

	reference_tree((const uint8_t(*)[ROOT_SIZE])leaves, count, reference_power_of_two(leaf_limit), ret_root);
	reference_mix_in(ret_root, length, ret_root);
}

static void progressive_list_root(struct view bytes, uint64_t length, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t leaves[LEAVES_MAX][ROOT_SIZE];
	size_t count = leaves_of(bytes, leaves);

	reference_progressive((const uint8_t(*)[ROOT_SIZE])leaves, count, 1, ret_root);
	reference_mix_in(ret_root, length, ret_root);
}

/* Never zero, so that no byte is mistaken for padding. */
static void append_sample_bytes(struct buffer *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buffer_append_byte(bytes, (uint8_t)(1 + (bytes->size * 7 + i) % 255));
}

static void append_hex(struct buffer *text, struct view bytes)
{
	AUTO_FREE char *hex = memory_allocate(2 * bytes.size + 1);

	hex_encode(bytes, hex);
	buffer_append_format(text, "\"0x%s\"", hex);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_root_hex(&ssz_uint64, "\"0\"", "0000000000000000000000000000000000000000000000000000000000000000");
	assert_root_hex(&ssz_uint64, "\"258\"", "0201000000000000000000000000000000000000000000000000000000000000");
	assert_root_hex(&ssz_uint64, "258", "0201000000000000000000000000000000000000000000000000000000000000");
	assert_root_hex(&ssz_uint64, "9223372036854775807", "ffffffffffffff7f000000000000000000000000000000000000000000000000");
	assert_root_hex(&ssz_uint64, "\"18446744073709551615\"",
			"ffffffffffffffff000000000000000000000000000000000000000000000000");
	assert_root_hex(&ssz_uint256, "0", "0000000000000000000000000000000000000000000000000000000000000000");
	assert_root_hex(&ssz_uint256, "258", "0201000000000000000000000000000000000000000000000000000000000000");
	assert_root_hex(&ssz_uint256, "\"18446744073709551616\"",
			"0000000000000000010000000000000000000000000000000000000000000000");
	assert_root_hex(&ssz_uint256, "\"" U256_MAX "\"", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
	assert_root_hex(&ssz_boolean, "true", "0100000000000000000000000000000000000000000000000000000000000000");
	assert_root_hex(&ssz_boolean, "false", "0000000000000000000000000000000000000000000000000000000000000000");
}

static void test_hex_rules(void **state)
{
	static const char *const same[] = {"\"0xab01\"", "\"ab01\"", "\"0xAB01\"", "\"aB01\"",
					   "\"0x000000000000000000000000000000000000000000000000000000000000ab01\""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		assert_root_hex(&ssz_bytes32, same[i], "000000000000000000000000000000000000000000000000000000000000ab01");
	assert_root_hex(&ssz_bytes32, "\"0x\"", "0000000000000000000000000000000000000000000000000000000000000000");
	assert_root_hex(&ssz_bytes32, "\"\"", "0000000000000000000000000000000000000000000000000000000000000000");
	/* Only 32-byte values may be short; shorter types are filled up on the right, as SSZ has it. */
	assert_root_hex(&ssz_bytes4, "\"0x01020304\"", "0102030400000000000000000000000000000000000000000000000000000000");
}

static void test_long_bytes(void **state)
{
	static const size_t sizes[] = {31, 33, 48, 64, 65, 96, 256};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct ssz_type type = {.kind = SSZ_BYTES, .size = sizes[i]};
		AUTO_BUFFER struct buffer bytes = {0};
		AUTO_BUFFER struct buffer text = {0};
		uint8_t leaves[LEAVES_MAX][ROOT_SIZE];
		uint8_t expected[ROOT_SIZE];
		size_t count;

		append_sample_bytes(&bytes, sizes[i]);
		append_hex(&text, buffer_view(&bytes));
		count = leaves_of(buffer_view(&bytes), leaves);
		reference_tree((const uint8_t(*)[ROOT_SIZE])leaves, count, reference_power_of_two(count), expected);
		assert_root(&type, buffer_text(&text), expected);
	}
}

static void test_byte_lists(void **state)
{
	static const size_t differences[] = {0, 1, 16, 31}; /* of a length from whole chunks */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		for (size_t j = 0; j < ARRAY_SIZE(differences) && differences[j] <= counts[i] * ROOT_SIZE; j++) {
			size_t size = counts[i] * ROOT_SIZE - differences[j];
			const struct ssz_type limited = {.kind = SSZ_BYTE_LIST, .size = size + 1};
			const struct ssz_type progressive = {.kind = SSZ_BYTE_LIST, .progressive = true};
			AUTO_BUFFER struct buffer bytes = {0};
			AUTO_BUFFER struct buffer text = {0};
			uint8_t expected[ROOT_SIZE];

			append_sample_bytes(&bytes, size);
			append_hex(&text, buffer_view(&bytes));
			limited_list_root(buffer_view(&bytes), (size + ROOT_SIZE) / ROOT_SIZE, size, expected);
			assert_root(&limited, buffer_text(&text), expected);
			progressive_list_root(buffer_view(&bytes), size, expected);
			assert_root(&progressive, buffer_text(&text), expected);
		}
}

static void test_bitvectors(void **state)
{
	(void)state;
	assert_root_hex(SSZ_TYPE(.kind = SSZ_BITVECTOR, .size = 4), "\"0x0f\"",
			"0f00000000000000000000000000000000000000000000000000000000000000");
	assert_root_hex(SSZ_TYPE(.kind = SSZ_BITVECTOR, .size = 8), "\"0xff\"",
			"ff00000000000000000000000000000000000000000000000000000000000000");
	assert_root_hex(SSZ_TYPE(.kind = SSZ_BITVECTOR, .size = 10), "\"0xff03\"",
			"ff03000000000000000000000000000000000000000000000000000000000000");
	assert_root_hex(SSZ_TYPE(.kind = SSZ_BITVECTOR, .size = 256),
			"\"0x8000000000000000000000000000000000000000000000000000000000000001\"",
			"8000000000000000000000000000000000000000000000000000000000000001");
}

/* All bits set, of every length around the ends of bytes, chunks and progressive subtrees. */
static void check_bitlist(size_t bits)
{
	const struct ssz_type limited = {.kind = SSZ_BITLIST, .size = bits + 1};
	const struct ssz_type progressive = {.kind = SSZ_BITLIST, .progressive = true};
	AUTO_BUFFER struct buffer content = {0};
	AUTO_BUFFER struct buffer serialized = {0};
	AUTO_BUFFER struct buffer text = {0};
	uint8_t expected[ROOT_SIZE];

	for (size_t i = 0; i < bits / 8; i++)
		buffer_append_byte(&content, 0xff);
	buffer_append(&serialized, buffer_view(&content));
	buffer_append_byte(&serialized, (uint8_t)((2u << bits % 8) - 1));
	if (bits % 8)
		buffer_append_byte(&content, (uint8_t)((1u << bits % 8) - 1));
	append_hex(&text, buffer_view(&serialized));
	limited_list_root(buffer_view(&content), (bits + 1 + 255) / 256, bits, expected);
	assert_root(&limited, buffer_text(&text), expected);
	progressive_list_root(buffer_view(&content), bits, expected);
	assert_root(&progressive, buffer_text(&text), expected);
}

static void test_bitlists(void **state)
{
	(void)state;
	for (size_t bits = 0; bits <= 20; bits++)
		check_bitlist(bits);
	for (size_t i = 1; i < ARRAY_SIZE(counts); i++)
		for (size_t bits = counts[i] * 256 - 9; bits <= counts[i] * 256 + 9; bits++)
			check_bitlist(bits);
}

static void test_lists_of_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		const struct ssz_type limited = {.kind = SSZ_LIST, .element = &ssz_bytes32, .size = 100};
		const struct ssz_type exact = {.kind = SSZ_VECTOR, .element = &ssz_bytes32, .size = counts[i]};
		const struct ssz_type progressive = {.kind = SSZ_LIST, .progressive = true, .element = &ssz_bytes32};
		AUTO_BUFFER struct buffer bytes = {0};
		AUTO_BUFFER struct buffer text = {0};
		uint8_t expected[ROOT_SIZE];

		append_sample_bytes(&bytes, counts[i] * ROOT_SIZE);
		for (size_t j = 0; j < counts[i]; j++) {
			buffer_append_text(&text, j ? ", " : "[");
			append_hex(&text, view_of(bytes.data + j * ROOT_SIZE, ROOT_SIZE));
		}
		buffer_append_text(&text, counts[i] ? "]" : "[]");
		limited_list_root(buffer_view(&bytes), limited.size, counts[i], expected);
		assert_root(&limited, buffer_text(&text), expected);
		progressive_list_root(buffer_view(&bytes), counts[i], expected);
		assert_root(&progressive, buffer_text(&text), expected);
		if (counts[i] == 0)
			continue;
		reference_tree((const uint8_t(*)[ROOT_SIZE])bytes.data, counts[i], reference_power_of_two(counts[i]), expected);
		assert_root(&exact, buffer_text(&text), expected);
	}
}

/* Four numbers share a chunk. */
static void test_lists_of_numbers(void **state)
{
	(void)state;
	for (size_t count = 0; count <= 4 * 86; count += count < 32 ? 1 : 13) {
		const struct ssz_type limited = {.kind = SSZ_LIST, .element = &ssz_uint64, .size = 1001};
		const struct ssz_type progressive = {.kind = SSZ_LIST, .progressive = true, .element = &ssz_uint64};
		AUTO_BUFFER struct buffer bytes = {0};
		AUTO_BUFFER struct buffer text = {0};
		uint8_t expected[ROOT_SIZE];

		buffer_append_text(&text, "[");
		for (uint64_t i = 0; i < count; i++) {
			uint8_t number[8];

			store_le64(number, UINT64_MAX - i);
			buffer_append(&bytes, view_of(number, sizeof number));
			buffer_append_format(&text, "%s\"%llu\"", i ? "," : "", (unsigned long long)(UINT64_MAX - i));
		}
		buffer_append_text(&text, "]");
		limited_list_root(buffer_view(&bytes), 251, count, expected);
		assert_root(&limited, buffer_text(&text), expected);
		progressive_list_root(buffer_view(&bytes), count, expected);
		assert_root(&progressive, buffer_text(&text), expected);
	}
}

static void test_vectors_of_basics(void **state)
{
	(void)state;
	/* A whole chunk of booleans and one more; two chunks of numbers of 32 bytes. */
	AUTO_BUFFER struct buffer text = {0};
	uint8_t leaves[2][ROOT_SIZE] = {{0}};
	uint8_t expected[ROOT_SIZE];

	for (size_t i = 0; i < 33; i++) {
		buffer_append_format(&text, "%s%s", i ? "," : "[", i % 3 == 0 ? "true" : "false");
		leaves[i / ROOT_SIZE][i % ROOT_SIZE] = i % 3 == 0;
	}
	buffer_append_text(&text, "]");
	reference_pair(leaves[0], leaves[1], expected);
	assert_root(SSZ_TYPE(.kind = SSZ_VECTOR, .element = &ssz_boolean, .size = 33), buffer_text(&text), expected);
	memset(leaves, 0, sizeof leaves);
	leaves[0][0] = 7;
	leaves[1][1] = 1;
	reference_pair(leaves[0], leaves[1], expected);
	assert_root(SSZ_TYPE(.kind = SSZ_VECTOR, .element = &ssz_uint256, .size = 2), "[\"7\", 256]", expected);
}

/* Containers of so many numbers, plain and progressive. */
static void test_containers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts) && counts[i] <= 63; i++) {
		struct ssz_type type = {.kind = SSZ_CONTAINER, .active_fields = (UINT64_C(1) << counts[i]) - 1};
		AUTO_FREE struct ssz_field *fields = memory_allocate_zeroed(counts[i] + 1, sizeof *fields);
		uint8_t leaves[LEAVES_MAX][ROOT_SIZE] = {{0}};
		char field_names[LEAVES_MAX][8];
		AUTO_BUFFER struct buffer text = {0};
		uint8_t expected[ROOT_SIZE];

		buffer_append_text(&text, "{\"unknown\": [null]");
		for (size_t j = counts[i]; j-- > 0;) { /* in another order than the fields have */
			(void)snprintf(field_names[j], sizeof field_names[j], "f%zu", j);
			fields[j] = (struct ssz_field){.name = field_names[j], .type = &ssz_uint64};
			buffer_append_format(&text, ", \"f%zu\": %zu", j, 100 + j);
			leaves[j][0] = (uint8_t)(100 + j);
		}
		buffer_append_text(&text, "}");
		type.fields = fields;
		reference_tree((const uint8_t(*)[ROOT_SIZE])leaves, counts[i], reference_power_of_two(counts[i]), expected);
		assert_root(&type, buffer_text(&text), expected);
		type.progressive = true;
		reference_progressive((const uint8_t(*)[ROOT_SIZE])leaves, counts[i], 1, expected);
		reference_mix_in(expected, type.active_fields, expected);
		assert_root(&type, buffer_text(&text), expected);
	}
}

/* Fields that a later fork dropped leave a zero leaf at their position. */
static void test_inactive_fields(void **state)
{
	static const struct ssz_field fields[] = {{"a", &ssz_uint64}, {"c", &ssz_uint64}, {"f", &ssz_uint64}};
	const struct ssz_type type = {.kind = SSZ_CONTAINER, .progressive = true, .fields = fields, .active_fields = 0x25};
	const uint8_t leaves[6][ROOT_SIZE] = {{1}, {0}, {3}, {0}, {0}, {6}};
	uint8_t expected[ROOT_SIZE];

	(void)state;
	reference_progressive(leaves, ARRAY_SIZE(leaves), 1, expected);
	reference_mix_in(expected, 0x25, expected);
	assert_root(&type, "{\"f\": 6, \"c\": 3, \"b\": 2, \"a\": 1}", expected);
}

static void test_nesting(void **state)
{
	const uint8_t one[ROOT_SIZE] = {1};
	const uint8_t two[ROOT_SIZE] = {2};
	const uint8_t root[ROOT_SIZE] = {[31] = 0xaa};
	uint8_t leaves[2][ROOT_SIZE];
	uint8_t items[ROOT_SIZE];
	uint8_t expected[ROOT_SIZE];

	(void)state;
	reference_pair(one, root, leaves[0]);
	reference_pair(two, root, leaves[1]);
	reference_pair(leaves[0], leaves[1], items);
	reference_mix_in(items, 2, items);
	reference_pair(items, leaves[1], expected);
	assert_root(&nested,
		    "{\"items\": [{\"slot\": 1, \"root\": \"aa\"}, {\"slot\": \"2\", \"root\": \"0xaa\"}],"
		    " \"last\": {\"root\": \"aa\", \"slot\": 2}}",
		    expected);
}

static const struct refusal {
	const struct ssz_type *type;
	const char *value;
	const char *message;
} refusals[] = {
	{&ssz_uint64, "\"18446744073709551616\"", U64_MESSAGE},
	{&ssz_uint64, "\"-1\"", U64_MESSAGE},
	{&ssz_uint64, "-1", U64_MESSAGE},
	{&ssz_uint64, "1.0", U64_MESSAGE},
	{&ssz_uint64, "\"\"", U64_MESSAGE},
	{&ssz_uint64, "\"0x10\"", U64_MESSAGE},
	{&ssz_uint64, "\" 1\"", U64_MESSAGE},
	{&ssz_uint64, "true", U64_MESSAGE},
	{&ssz_uint64, "null", U64_MESSAGE},
	{&ssz_uint64, "[1]", U64_MESSAGE},
	{&ssz_uint256, "\"" U256_ABOVE_MAX "\"", U256_MESSAGE},
	{&ssz_uint256, "\"0" U256_MAX "\"", U256_MESSAGE}, /* 79 digits */
	{&ssz_uint256, "\"\"", U256_MESSAGE},
	{&ssz_uint256, "\"12a\"", U256_MESSAGE},
	{&ssz_uint256, "\"-1\"", U256_MESSAGE},
	{&ssz_uint256, "-1", U256_MESSAGE},
	{&ssz_uint256, "1e2", U256_MESSAGE},
	{&ssz_uint256, "{}", U256_MESSAGE},
	{&ssz_boolean, "1", "not true or false"},
	{&ssz_boolean, "\"true\"", "not true or false"},
	{&ssz_boolean, "null", "not true or false"},

	{&ssz_bytes4, "\"0x010203\"", "6 hex digits, expected 8 (4 bytes)"},
	{&ssz_bytes4, "\"0x0102030405\"", "10 hex digits, expected 8 (4 bytes)"},
	{&ssz_bytes4, "\"0x0102030\"", "7 hex digits, which is an odd number"},
	{&ssz_bytes4, "\"0X01020304\"", "10 hex digits, expected 8 (4 bytes)"},
	{&ssz_bytes4, "\"0x0x010203\"", "not hex"},
	{&ssz_bytes4, "\"0x0102030g\"", "not hex"},
	{&ssz_bytes4, "16909060", "not a string"},
	{&ssz_bytes4, "[1, 2, 3, 4]", "not a string"},
	{&ssz_bytes32, "\"0x0000000000000000000000000000000000000000000000000000000000000000ab\"",
	 "66 hex digits, expected 64 (32 bytes)"},
	{&ssz_bytes32, "\"0xabc\"", "3 hex digits, which is an odd number"},
	{&ssz_bytes32, "\"0xzz\"", "not hex"},
	{&ssz_bytes32, "\"0x0x\"", "not hex"},
	{&ssz_bytes32, "null", "not a string"},
	{&ssz_bytes48, "\"0x\"", "0 hex digits, expected 96 (48 bytes)"},
	{&ssz_bytes48, "\"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000x\"",
	 "not hex"},

	{SSZ_BYTE_LIST_OF(5), "\"0x010203040506\"", "6 bytes, at most 5 are allowed"},
	{SSZ_BYTE_LIST_OF(5), "\"0x1\"", "1 hex digits, which is an odd number"},
	{SSZ_BYTE_LIST_OF(5), "\"0x1x\"", "not hex"},
	{SSZ_BYTE_LIST_OF(5), "[]", "not a string"},
	{SSZ_PROGRESSIVE_BYTE_LIST, "\"0x1\"", "1 hex digits, which is an odd number"},
	{SSZ_PROGRESSIVE_BYTE_LIST, "\"0x \"", "1 hex digits, which is an odd number"},
	{SSZ_PROGRESSIVE_BYTE_LIST, "\"0xab  \"", "not hex"},
	{SSZ_PROGRESSIVE_BYTE_LIST, "0", "not a string"},

	{SSZ_BITVECTOR_OF(4), "\"0x10\"", "bits set beyond the 4 there are"},
	{SSZ_BITVECTOR_OF(4), "\"0x80\"", "bits set beyond the 4 there are"},
	{SSZ_BITVECTOR_OF(10), "\"0xff04\"", "bits set beyond the 10 there are"},
	{SSZ_BITVECTOR_OF(8), "\"0x\"", "0 hex digits, expected 2 (1 bytes)"},
	{SSZ_BITVECTOR_OF(8), "\"0x0100\"", "4 hex digits, expected 2 (1 bytes)"},
	{SSZ_BITVECTOR_OF(9), "\"0x01\"", "2 hex digits, expected 4 (2 bytes)"},
	{SSZ_BITVECTOR_OF(8), "\"0xx0\"", "not hex"},
	{SSZ_BITVECTOR_OF(16), "\"0xx001\"", "not hex"},
	{SSZ_BITVECTOR_OF(256), "\"0x01\"", "2 hex digits, expected 64 (32 bytes)"}, /* never padded */
	{SSZ_BITVECTOR_OF(8), "1", "not a string"},

	{SSZ_BITLIST_OF(8), "\"0x\"", "a bit list without its end bit"},
	{SSZ_BITLIST_OF(8), "\"\"", "a bit list without its end bit"},
	{SSZ_BITLIST_OF(8), "\"0x00\"", "a bit list without its end bit"},
	{SSZ_BITLIST_OF(8), "\"0x0100\"", "a bit list without its end bit"},
	{SSZ_BITLIST_OF(8), "\"0x0002\"", "9 bits, at most 8 are allowed"},
	{SSZ_BITLIST_OF(7), "\"0xff01\"", "8 bits, at most 7 are allowed"},
	{SSZ_BITLIST_OF(8), "\"0x000000000001\"", "40 bits, at most 8 are allowed"},
	{SSZ_BITLIST_OF(8), "\"0x011\"", "3 hex digits, which is an odd number"},
	{SSZ_BITLIST_OF(8), "\"0xg001\"", "not hex"},
	{SSZ_BITLIST_OF(8), "\"0x0g\"", "not hex"},
	{SSZ_BITLIST_OF(8), "[true]", "not a string"},
	{SSZ_PROGRESSIVE_BITLIST, "\"0x\"", "a bit list without its end bit"},
	{SSZ_PROGRESSIVE_BITLIST, "\"0xff00\"", "a bit list without its end bit"},
	{SSZ_PROGRESSIVE_BITLIST, "\"0xffgg01\"", "not hex"},

	{SSZ_VECTOR_OF(&ssz_uint64, 3), "[1, 2]", "2 elements, expected 3"},
	{SSZ_VECTOR_OF(&ssz_uint64, 3), "[1, 2, 3, 4]", "4 elements, expected 3"},
	{SSZ_VECTOR_OF(&ssz_uint64, 3), "[1, \"x\", 3]", "[1]: " U64_MESSAGE},
	{SSZ_VECTOR_OF(&ssz_uint64, 3), "\"123\"", "not an array"},
	{SSZ_VECTOR_OF(&ssz_bytes4, 2), "[\"00000000\", \"0000\"]", "[1]: 4 hex digits, expected 8 (4 bytes)"},
	{SSZ_LIST_OF(&ssz_uint64, 5), "[1, 2, 3, 4, 5, 6]", "6 elements, at most 5 are allowed"},
	{SSZ_LIST_OF(&ssz_uint64, 5), "[1, 2, 3, 4, null]", "[4]: " U64_MESSAGE},
	{SSZ_LIST_OF(&ssz_uint64, 5), "{}", "not an array"},
	{SSZ_LIST_OF(&ssz_bytes32, 2), "[\"\", \"\", \"\"]", "3 elements, at most 2 are allowed"},
	{SSZ_LIST_OF(&ssz_bytes32, 2), "null", "not an array"},
	{SSZ_PROGRESSIVE_LIST_OF(&ssz_uint64), "[1, 2, 3, 4, 5, -6]", "[5]: " U64_MESSAGE},
	{SSZ_PROGRESSIVE_LIST_OF(&ssz_bytes32), "[\"\", 0]", "[1]: not a string"},
	{SSZ_PROGRESSIVE_LIST_OF(&ssz_bytes32), "{\"0\": \"\"}", "not an array"},
	{SSZ_LIST_OF(SSZ_PROGRESSIVE_LIST_OF(&ssz_boolean), 9), "[[], [true, 1]]", "[1][1]: not true or false"},

	{&item, "[]", "not an object"},
	{&item, "null", "not an object"},
	{&item, "{}", "slot: missing"},
	{&item, "{\"slot\": 1}", "root: missing"},
	{&item, "{\"slot\": 1, \"root\": null}", "root: missing"},
	{&item, "{\"Slot\": 1, \"root\": \"\"}", "slot: missing"},
	{&item, "{\"slot\": \"1\", \"root\": \"0x0\"}", "root: 1 hex digits, which is an odd number"},
	{&progressive_item, "\"\"", "not an object"},
	{&progressive_item, "{\"root\": \"\"}", "slot: missing"},
	{&progressive_item, "{\"root\": 7, \"slot\": 7}", "root: not a string"},
	{&nested, "{\"items\": [], \"last\": {\"slot\": \"x\", \"root\": \"\"}}", "last.slot: " U64_MESSAGE},
	{&nested, "{\"items\": [{\"slot\": 1, \"root\": \"\"}, {\"slot\": 1}], \"last\": {}}", "items[1].root: missing"},
	{&nested, "{\"items\": [{\"slot\": 1, \"root\": \"\"}, 5], \"last\": {}}", "items[1]: not an object"},
	{&nested, "{\"items\": [{}, {}, {}], \"last\": {}}", "items: 3 elements, at most 2 are allowed"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		AUTO_JSON json_t *value = parse_value(refusals[i].value);
		struct error error = {0};
		uint8_t root[ROOT_SIZE] = {0xee};
		const uint8_t untouched[ROOT_SIZE] = {0xee};

		if (ssz_json_root(refusals[i].type, value, root, &error))
			fail_msg("accepted: %s (expected \"%s\")", refusals[i].value, refusals[i].message);
		assert_int_equal(error.code, ERROR_INPUT);
		assert_string_equal(error.message, refusals[i].message);
		assert_memory_equal(root, untouched, ROOT_SIZE);
		assert_false(ssz_json_root(refusals[i].type, value, root, NULL));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),           cmocka_unit_test(test_hex_rules),
		cmocka_unit_test(test_long_bytes),        cmocka_unit_test(test_byte_lists),
		cmocka_unit_test(test_bitvectors),        cmocka_unit_test(test_bitlists),
		cmocka_unit_test(test_lists_of_bytes),    cmocka_unit_test(test_lists_of_numbers),
		cmocka_unit_test(test_vectors_of_basics), cmocka_unit_test(test_containers),
		cmocka_unit_test(test_inactive_fields),   cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
