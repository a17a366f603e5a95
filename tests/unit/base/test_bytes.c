/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include "vectors.h"

static void test_views(void **state)
{
	(void)state;
	assert_true(view_equal(view_of(NULL, 0), view_of("x", 0)));
	assert_true(view_equal(view_of("a\0b", 3), view_of("a\0b", 3)));
	assert_false(view_equal(view_of("a\0b", 3), view_of("a\0c", 3)));
	assert_false(view_equal(view_of("ab", 2), view_of("ab", 1)));
	assert_true(view_equal_text(view_of("ab", 2), "ab"));
	assert_false(view_equal_text(view_of("ab", 3), "ab"));
	assert_true(view_equal_text(view_of(NULL, 0), ""));
}

static void test_memory(void **state)
{
	AUTO_FREE char *copy = memory_copy_text("text");
	AUTO_FREE char *empty = memory_copy_text("");
	AUTO_FREE char *formatted = memory_format("%d-%s", 5, "x");
	AUTO_FREE uint8_t *zeroed = (uint8_t *)memory_allocate_zeroed(10, 3);
	AUTO_FREE void *nothing = memory_allocate(0);

	(void)state;
	assert_string_equal(copy, "text");
	assert_string_equal(empty, "");
	assert_string_equal(formatted, "5-x");
	for (size_t i = 0; i < 30; i++)
		assert_int_equal(zeroed[i], 0);
	assert_non_null(nothing);
}

static void test_buffer(void **state)
{
	AUTO_BUFFER struct buffer buffer = {0};
	size_t capacity;

	(void)state;
	buffer_append(&buffer, view_of(NULL, 0));
	assert_int_equal(buffer.size, 0);
	assert_string_equal(buffer_text(&buffer), "");
	buffer_append_text(&buffer, "ab");
	buffer_append_byte(&buffer, 'c');
	buffer_append_format(&buffer, "%03d", 7);
	buffer_append(&buffer, view_of("\0z", 2));
	assert_true(view_equal(buffer_view(&buffer), view_of("abc007\0z", 8)));
	assert_string_equal(buffer_text(&buffer), "abc007");
	assert_int_equal(buffer.size, 8);
	capacity = buffer.capacity;
	buffer_clear(&buffer);
	assert_int_equal(buffer.size, 0);
	assert_int_equal(buffer.capacity, capacity);
	assert_string_equal(buffer_text(&buffer), "");
	buffer_done(&buffer);
	assert_null(buffer.data);
	assert_int_equal(buffer.capacity, 0);
	buffer_done(&buffer);
	buffer_done(NULL);
}

static void test_buffer_grows(void **state)
{
	AUTO_BUFFER struct buffer buffer = {0};

	(void)state;
	for (size_t i = 0; i < 100000; i++)
		buffer_append_byte(&buffer, (uint8_t)(i * 31));
	assert_int_equal(buffer.size, 100000);
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(buffer.data[i], (uint8_t)(i * 31));
	/* The NUL of buffer_text() has room at every size, also where the contents fill a power of two. */
	buffer_done(&buffer);
	for (size_t i = 1; i <= 300; i++) {
		buffer_append_byte(&buffer, 'x');
		assert_int_equal(strlen(buffer_text(&buffer)), i);
		assert_true(buffer.capacity > buffer.size);
	}
}

static void test_hex_encode(void **state)
{
	const uint8_t bytes[] = {0x00, 0x01, 0x9a, 0xff};
	char text[9];

	(void)state;
	hex_encode(view_of(bytes, sizeof bytes), text);
	assert_string_equal(text, "00019aff");
	hex_encode(view_of(NULL, 0), text);
	assert_string_equal(text, "");
}

static void test_hex_decode(void **state)
{
	uint8_t bytes[4];
	const uint8_t expected[] = {0xde, 0xad, 0xbe, 0xef};

	(void)state;
	assert_true(hex_decode(view_of_text("deadbeef"), bytes, 4));
	assert_memory_equal(bytes, expected, 4);
	memset(bytes, 0, 4);
	assert_true(hex_decode(view_of_text("0xDEADbeef"), bytes, 4));
	assert_memory_equal(bytes, expected, 4);
	assert_true(hex_decode(view_of_text(""), bytes, 0));
	assert_true(hex_decode(view_of_text("0x"), bytes, 0));
}

static void test_hex_decode_refuses(void **state)
{
	static const char *const bad[] = {
		"",           "0x",       "deadbee",   "deadbeef0", "deadbeef00", "0xdeadbe",       "0Xdeadbeef",
		"0x0xdeadbe", "deadbeeg", "dead beef", "deadbee ",  " deadbeef",  "deadbe\xc3\xa9", "-eadbeef",
		"deadbe+f",   "@eadbeef", "`eadbeef",  "/eadbeef",  ":eadbeef",   "Geadbeef",
	};
	uint8_t bytes[4] = {1, 2, 3, 4};
	const uint8_t untouched[4] = {1, 2, 3, 4};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(hex_decode(view_of_text(bad[i]), bytes, 4));
		assert_memory_equal(bytes, untouched, 4);
	}
	assert_false(hex_decode(view_of("dead\0eef", 8), bytes, 4));
	assert_memory_equal(bytes, untouched, 4);
}

/* Every byte in the place of a digit: exactly the 22 hex digits pass, and each for its value. */
static void test_hex_every_byte(void **state)
{
	size_t accepted = 0;

	(void)state;
	for (int c = 0; c < 256; c++) {
		const char text[2] = {'0', (char)c};
		char digit[2] = {(char)c, 0};
		uint8_t byte;

		if (!hex_decode(view_of(text, 2), &byte, 1))
			continue;
		accepted++;
		assert_int_equal(byte, strtoul(digit, NULL, 16));
	}
	assert_int_equal(accepted, 22);
}

static const struct {
	const char *plain;
	const char *encoded;
} base64_cases[] = {
	/* RFC 4648, section 10 */
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
	{"\xfb\xff\xfe", "+//+"},
};

static void test_base64(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(base64_cases); i++) {
		AUTO_BUFFER struct buffer encoded = {0};
		AUTO_BUFFER struct buffer decoded = {0};
		struct view text = view_of_text(base64_cases[i].encoded);
		uint8_t bytes[8];
		size_t size = strlen(base64_cases[i].plain);

		base64_encode(view_of_text(base64_cases[i].plain), &encoded);
		assert_string_equal(buffer_text(&encoded), base64_cases[i].encoded);
		assert_int_equal(base64_decoded_size(text), size);
		assert_true(base64_decode(text, &decoded));
		assert_string_equal(buffer_text(&decoded), base64_cases[i].plain);
		assert_true(base64_decode_into(text, bytes, size));
		assert_memory_equal(bytes, base64_cases[i].plain, size);
		assert_false(base64_decode_into(text, bytes, size + 1));
	}
}

static void test_base64_appends(void **state)
{
	AUTO_BUFFER struct buffer buffer = {0};

	(void)state;
	buffer_append_text(&buffer, "<");
	base64_encode(view_of_text("foo"), &buffer);
	assert_string_equal(buffer_text(&buffer), "<Zm9v");
	assert_true(base64_decode(view_of_text("Zm8="), &buffer));
	assert_string_equal(buffer_text(&buffer), "<Zm9vfo");
	assert_false(base64_decode(view_of_text("Zm8"), &buffer));
	assert_string_equal(buffer_text(&buffer), "<Zm9vfo");
}

static void test_base64_refuses(void **state)
{
	static const char *const bad[] =
		{
			"Z",     "Zg",        "Zg=",          "Zm9vY",    "=",    "==",      "====",
			"Z===",  "Zg==Zg==",  "Zm8=Zm8=",     "Zg=a",     "=Zg=", "Zm 9",    "Zm9v\n",
			" Zm9v", "Zm9v Zm9v", "Zm9v\r\nZm9v", "Zm9-",     "Zm9_", "Zm9\xc3", "Zh==", /* bits left over */
			"Zn==",  "Zm9=",      "Zm*v",         "Zm9v====",
		};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_BUFFER struct buffer decoded = {0};
		uint8_t bytes[16];

		assert_true(base64_decoded_size(view_of_text(bad[i])) == SIZE_MAX);
		assert_false(base64_decode(view_of_text(bad[i]), &decoded));
		assert_int_equal(decoded.size, 0);
		assert_false(base64_decode_into(view_of_text(bad[i]), bytes, 3));
	}
	assert_true(base64_decoded_size(view_of("Zm\0v", 4)) == SIZE_MAX);
}

static void test_base64_every_byte_and_size(void **state)
{
	size_t accepted = 0;

	(void)state;
	for (int c = 0; c < 256; c++) {
		const char text[4] = {(char)c, 'A', 'A', 'A'};

		accepted += base64_decoded_size(view_of(text, 4)) == 3;
	}
	assert_int_equal(accepted, 64);
	for (size_t size = 0; size < 200; size++) {
		AUTO_BUFFER struct buffer encoded = {0};
		AUTO_BUFFER struct buffer decoded = {0};
		uint8_t bytes[200];

		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(i * 77 + size);
		base64_encode(view_of(bytes, size), &encoded);
		assert_true(base64_decode(buffer_view(&encoded), &decoded));
		assert_true(view_equal(buffer_view(&decoded), view_of(bytes, size)));
	}
}

static void test_u64_parse(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{"0", 0},
		{"7", 7},
		{"00000000000000000012", 12},
		{"18446744073709551615", UINT64_MAX},
		{"9223372036854775808", 1ull << 63},
	};
	static const char *const bad[] = {
		"",
		"-1",
		"+1",
		" 1",
		"1 ",
		"0x10",
		"1e3",
		"1.0",
		"18446744073709551616",
		"99999999999999999999",
		"000000000000000000001", /* 21 digits */
		"1_0",
		"\xd9\xa1",
		"a",
	};
	uint64_t value = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(u64_parse(view_of_text(bad[i]), &value));
		assert_int_equal(value, 42);
	}
	assert_false(u64_parse(view_of("1\0", 2), &value));
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(u64_parse(view_of_text(good[i].text), &value));
		assert_true(value == good[i].value);
	}
}

static void test_integers(void **state)
{
	uint8_t bytes[8];
	const uint8_t big[4] = {0x01, 0x02, 0x03, 0xff};
	const uint8_t little[8] = {0xff, 3, 2, 1, 0, 0, 0, 0x80};

	(void)state;
	store_be32(bytes, 0x010203ff);
	assert_memory_equal(bytes, big, 4);
	assert_int_equal(load_be32(big), 0x010203ff);
	store_be32(bytes, UINT32_MAX);
	assert_true(load_be32(bytes) == UINT32_MAX);
	store_le64(bytes, 0x80000000010203ff);
	assert_memory_equal(bytes, little, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_buffer),
		cmocka_unit_test(test_buffer_grows),
		cmocka_unit_test(test_hex_encode),
		cmocka_unit_test(test_hex_decode),
		cmocka_unit_test(test_hex_decode_refuses),
		cmocka_unit_test(test_hex_every_byte),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_base64_appends),
		cmocka_unit_test(test_base64_refuses),
		cmocka_unit_test(test_base64_every_byte_and_size),
		cmocka_unit_test(test_u64_parse),
		cmocka_unit_test(test_integers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
