/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "vectors.h"

static json_t *parse(const char *text)
{
	struct error error = {0};
	json_t *json = json_parse_object(view_of_text(text), "test", &error);

	assert_ok(json != NULL, &error);
	return json;
}

static void test_parse(void **state)
{
	AUTO_JSON json_t *array = NULL;
	AUTO_JSON json_t *object = NULL;
	struct error error = {0};

	(void)state;
	array = json_parse(view_of_text(" [1, {\"a\": null}] \n"), "test", &error);
	assert_ok(json_is_array(array), &error);
	object = json_parse_object(view_of_text("{}"), "test", &error);
	assert_ok(json_is_object(object), &error);
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"{\"a\":1,}",
		"{\"a\":1}x",
		"{\"a\":1}{}",
		"{\"a\":1,\"a\":2}",               /* duplicate */
		"{\"x\":{\"a\":1,\"\\u0061\":1}}", /* duplicate, spelled otherwise, nested */
		"{'a':1}",
		"{a:1}",
		"{\"a\":01}",
		"{\"a\":+1}",
		"{\"a\":NaN}",
		"{\"a\":1e999}",
		"{\"a\":99999999999999999999}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\\u0000\":1}",
		"{\"a\":\"\\ud800\"}",
		"{\"a\":\"\xff\"}",
		"{\"a\":\"\xc0\x80\"}", /* overlong NUL */
		"{\"a\":\"\n\"}",
		"{\"a\":\"unterminated",
		"// comment\n{}",
		"\xef\xbb\xbf{}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error error = {0};

		if (json_parse(view_of_text(bad[i]), "the body", &error))
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, "the body: ");
	}
}

static void test_parse_refuses_bytes(void **state)
{
	struct error error = {0};

	(void)state;
	assert_null(json_parse(view_of("{}\0", 3), "test", &error));
	assert_null(json_parse(view_of("{\"a\0\":1}", 8), "test", &error));
	assert_null(json_parse(view_of(NULL, 0), "test", &error));
	assert_message_contains(&error, "empty");
	assert_null(json_parse_object(view_of_text("[]"), "test", &error));
	assert_message_contains(&error, "test: not a JSON object");
}

/* What stands around a fault may be a password: the error gives its place and none of the text. */
static void test_parse_error_does_not_quote(void **state)
{
	struct error error = {0};

	(void)state;
	assert_null(json_parse(view_of_text("{\"password\":\n \"hunter2\" oops}"), "test", &error));
	assert_message_contains(&error, "line 2");
	assert_null(strstr(error.message, "hunter2"));
	assert_null(strstr(error.message, "oops"));
}

/* A peer's brackets must not become our stack. */
static void test_parse_bounds_depth(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct error error = {0};

	(void)state;
	for (int i = 0; i < 200000; i++)
		buffer_append_byte(&text, '[');
	assert_null(json_parse(buffer_view(&text), "test", &error));
	assert_int_equal(error.code, ERROR_INPUT);
}

static void test_read_structures(void **state)
{
	AUTO_JSON json_t *json = parse("{\"o\":{\"k\":1},\"a\":[1],\"n\":null,\"t\":true,\"f\":false,\"s\":\"x\"}");
	struct error error = {0};
	json_t *value = NULL;
	bool flag = false;

	(void)state;
	assert_ok(json_read_object(json, "o", &value, &error), &error);
	assert_true(json_is_object(value));
	assert_ok(json_read_array(json, "a", &value, &error), &error);
	assert_true(json_is_array(value));
	assert_ok(json_read_bool(json, "t", &flag, &error), &error);
	assert_true(flag);
	assert_ok(json_read_bool(json, "f", &flag, &error), &error);
	assert_false(flag);

	value = NULL;
	assert_false(json_read_object(json, "a", &value, &error));
	assert_string_equal(error.message, "a: not an object");
	assert_false(json_read_array(json, "o", &value, &error));
	assert_string_equal(error.message, "o: not an array");
	assert_false(json_read_object(json, "missing", &value, &error));
	assert_string_equal(error.message, "missing: missing");
	assert_false(json_read_array(json, "n", &value, &error));
	assert_string_equal(error.message, "n: missing");
	assert_null(value);
	flag = true;
	assert_false(json_read_bool(json, "s", &flag, &error));
	assert_string_equal(error.message, "s: not true or false");
	assert_int_equal(error.code, ERROR_INPUT);
	assert_true(flag);
}

static void test_read_text(void **state)
{
	AUTO_JSON json_t *json = parse("{\"s\":\"h\\u00e9\",\"empty\":\"\",\"n\":null,\"i\":5}");
	struct error error = {0};
	const char *text = NULL;

	(void)state;
	assert_ok(json_read_text(json, "s", &text, &error), &error);
	assert_string_equal(text, "h\xc3\xa9");
	assert_ok(json_read_text(json, "empty", &text, &error), &error);
	assert_string_equal(text, "");
	assert_false(json_read_text(json, "i", &text, &error));
	assert_string_equal(error.message, "i: not a string");
	assert_false(json_read_text(json, "n", &text, &error));
	assert_false(json_read_text(json, "gone", &text, &error));
	assert_string_equal(text, "");

	assert_ok(json_read_text_optional(json, "n", &text, &error), &error);
	assert_null(text);
	text = "x";
	assert_ok(json_read_text_optional(json, "gone", &text, &error), &error);
	assert_null(text);
	assert_ok(json_read_text_optional(json, "s", &text, &error), &error);
	assert_non_null(text);
	assert_false(json_read_text_optional(json, "i", &text, &error));
	assert_string_equal(error.message, "i: not a string");
}

static void test_read_u64(void **state)
{
	static const struct {
		const char *json;
		uint64_t value;
	} good[] = {
		{"{\"x\":\"0\"}", 0},
		{"{\"x\":0}", 0},
		{"{\"x\":\"18446744073709551615\"}", UINT64_MAX},
		{"{\"x\":9223372036854775807}", INT64_MAX},
		{"{\"x\":\"12\"}", 12},
	};
	static const char *const bad[] = {
		"{\"x\":\"\"}",   "{\"x\":\"-1\"}", "{\"x\":-1}",   "{\"x\":\"0x1\"}", "{\"x\":\"18446744073709551616\"}",
		"{\"x\":1.0}",    "{\"x\":1e2}",    "{\"x\":true}", "{\"x\":[]}",      "{\"x\":{}}",
		"{\"x\":\" 1\"}", "{\"x\":null}",   "{}",
	};
	uint64_t value = 42;
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_JSON json_t *json = parse(bad[i]);

		assert_false(json_read_u64(json, "x", &value, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_int_equal(strncmp(error.message, "x: ", 3), 0);
		assert_int_equal(value, 42);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		AUTO_JSON json_t *json = parse(good[i].json);

		assert_ok(json_read_u64(json, "x", &value, &error), &error);
		assert_true(value == good[i].value);
	}
}

static void test_read_hex(void **state)
{
	AUTO_JSON json_t *json =
		parse("{\"x\":\"0xDEad\",\"bare\":\"dead\",\"short\":\"0xde\",\"long\":\"0xdeadbe\",\"odd\":\"0xdea\","
		      "\"bad\":\"0xdeag\",\"twice\":\"0x0xde\",\"i\":1}");
	const uint8_t expected[] = {0xde, 0xad};
	struct error error = {0};
	uint8_t bytes[2];

	(void)state;
	assert_ok(json_read_hex(json, "x", bytes, 2, &error), &error);
	assert_memory_equal(bytes, expected, 2);
	memset(bytes, 0, 2);
	assert_ok(json_read_hex(json, "bare", bytes, 2, &error), &error);
	assert_memory_equal(bytes, expected, 2);
	assert_false(json_read_hex(json, "short", bytes, 2, &error));
	assert_string_equal(error.message, "short: 2 hex digits, expected 4 (2 bytes)");
	assert_false(json_read_hex(json, "long", bytes, 2, &error));
	assert_false(json_read_hex(json, "odd", bytes, 2, &error));
	assert_false(json_read_hex(json, "bad", bytes, 2, &error));
	assert_string_equal(error.message, "bad: not hex");
	assert_false(json_read_hex(json, "twice", bytes, 2, &error));
	assert_false(json_read_hex(json, "i", bytes, 2, &error));
	assert_string_equal(error.message, "i: not a string");
	assert_memory_equal(bytes, expected, 2);
}

static void test_read_bytes32(void **state)
{
	AUTO_JSON json_t *json = parse("{\"empty\":\"0x\",\"one\":\"0x01\",\"two\":\"ab01\",\"odd\":\"0x1\",\"bad\":\"0xzz\","
				       "\"full\":\"0x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20\","
				       "\"long\":\"0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20\"}");
	uint8_t expected[32] = {0};
	uint8_t bytes[32];
	struct error error = {0};

	(void)state;
	memset(bytes, 0xff, sizeof bytes);
	assert_ok(json_read_bytes32(json, "empty", bytes, &error), &error);
	assert_memory_equal(bytes, expected, 32);
	expected[31] = 1;
	assert_ok(json_read_bytes32(json, "one", bytes, &error), &error);
	assert_memory_equal(bytes, expected, 32);
	expected[30] = 0xab;
	assert_ok(json_read_bytes32(json, "two", bytes, &error), &error);
	assert_memory_equal(bytes, expected, 32);
	assert_false(json_read_bytes32(json, "odd", bytes, &error));
	assert_false(json_read_bytes32(json, "bad", bytes, &error));
	assert_string_equal(error.message, "bad: not hex");
	assert_false(json_read_bytes32(json, "long", bytes, &error));
	assert_string_equal(error.message, "long: 66 hex digits, expected 64 (32 bytes)");
	assert_false(json_read_bytes32(json, "gone", bytes, &error));
	assert_memory_equal(bytes, expected, 32);
	for (size_t i = 0; i < 32; i++)
		expected[i] = (uint8_t)(i + 1);
	assert_ok(json_read_bytes32(json, "full", bytes, &error), &error);
	assert_memory_equal(bytes, expected, 32);
}

static void test_read_base64(void **state)
{
	AUTO_JSON json_t *json = parse("{\"x\":\"Zm9vYg==\",\"empty\":\"\",\"bad\":\"Zm9vYg\",\"i\":1}");
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};

	(void)state;
	assert_false(json_read_base64(json, "x", 3, &bytes, &error));
	assert_string_equal(error.message, "x: 4 bytes, at most 3 are allowed");
	assert_false(json_read_base64(json, "bad", 10, &bytes, &error));
	assert_string_equal(error.message, "bad: not base64");
	assert_false(json_read_base64(json, "i", 10, &bytes, &error));
	assert_false(json_read_base64(json, "gone", 10, &bytes, &error));
	assert_int_equal(bytes.size, 0);
	assert_ok(json_read_base64(json, "x", 4, &bytes, &error), &error);
	assert_ok(json_read_base64(json, "empty", 0, &bytes, &error), &error);
	assert_true(view_equal_text(buffer_view(&bytes), "foob"));
}

static void test_read_secrets(void **state)
{
	AUTO_JSON json_t *json = parse("{\"b64\":\"Zm9vYg==\",\"text\":\"p\\u00e4ss\",\"bad\":\"hunter2!\",\"i\":1}");
	AUTO_SECRET struct secret decoded = {0};
	AUTO_SECRET struct secret text = {0};
	struct secret none = {0};
	struct error error = {0};

	(void)state;
	assert_ok(json_read_base64_secret(json, "b64", &decoded, &error), &error);
	assert_true(secret_equal(secret_view(&decoded), view_of_text("foob")));
	assert_ok(json_read_text_secret(json, "text", &text, &error), &error);
	assert_true(secret_equal(secret_view(&text), view_of_text("p\xc3\xa4ss")));
	assert_false(json_read_base64_secret(json, "bad", &none, &error));
	assert_string_equal(error.message, "bad: not base64");
	assert_null(strstr(error.message, "hunter2"));
	assert_false(json_read_text_secret(json, "i", &none, &error));
	assert_false(json_read_text_secret(json, "gone", &none, &error));
	assert_null(none.data);
}

static void test_write(void **state)
{
	AUTO_JSON json_t *json = parse("{ \"b\": [1, \"x\\ny\", null], \"a\": true }");
	AUTO_JSON json_t *number = json_integer(5);
	AUTO_BUFFER struct buffer text = {0};
	AUTO_SECRET struct secret secret = {0};
	struct secret none = {0};
	struct error error = {0};

	(void)state;
	buffer_append_text(&text, ">");
	json_write(json, &text);
	assert_string_equal(buffer_text(&text), ">{\"b\":[1,\"x\\ny\",null],\"a\":true}");
	assert_ok(json_write_secret(json, &secret, &error), &error);
	assert_true(view_equal_text(secret_view(&secret), "{\"b\":[1,\"x\\ny\",null],\"a\":true}"));
	buffer_clear(&text);
	json_write_spaced(json, &text);
	assert_string_equal(buffer_text(&text), "{\"b\": [1, \"x\\ny\", null], \"a\": true}");
	buffer_clear(&text);
	json_write(number, &text);
	assert_string_equal(buffer_text(&text), "5");
	assert_false(json_write_secret(NULL, &none, &error));
	assert_int_equal(error.code, ERROR_BUG);
	assert_null(none.data);
}

static void test_text_of_hex(void **state)
{
	static const uint8_t bytes[] = {0, 0xab, 0x1f};
	AUTO_JSON json_t *bare = json_text_of_hex("", view_of(bytes, sizeof bytes));
	AUTO_JSON json_t *marked = json_text_of_hex("0x", view_of(bytes, sizeof bytes));
	AUTO_JSON json_t *empty = json_text_of_hex("0x", view_of(NULL, 0));

	(void)state;
	assert_string_equal(json_string_value(bare), "00ab1f");
	assert_string_equal(json_string_value(marked), "0x00ab1f");
	assert_string_equal(json_string_value(empty), "0x");
}

static void test_text_of_any(void **state)
{
	static const struct {
		const char *text;
		const char *expected;
	} cases[] = {{"", ""}, {"plain", "plain"}, {"\xc3\xa9", "\xc3\xa9"}, {"cut \xc3", "cut ?"}, {"\xc3\xa9\xff.", "???."}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_JSON json_t *json = json_text_of_any(cases[i].text);

		assert_string_equal(json_string_value(json), cases[i].expected);
	}
}

static void test_done_accepts_null(void **state)
{
	json_t *json = NULL;

	(void)state;
	json_done(&json);
	json = json_object();
	json_done(&json);
	assert_null(json);
}

/* Run with the allocator that the programs use. */
static int set_up(void **state)
{
	struct error error = {0};

	(void)state;
	json_use_wiping_memory();
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ? 0 : -1;
}

static void test_other_members_are_named(void **state)
{
	static const char *const names[] = {"a", "b"};
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"{}", NULL}, {"{\"b\":1}", NULL}, {"{\"a\":1,\"b\":null}", NULL}, {"{\"a\":1,\"A\":1}", "A: no such setting"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = {0};
		AUTO_JSON json_t *object = json_parse_object(view_of_text(cases[i].text), "object", &error);

		assert_non_null(object);
		assert_int_equal(json_check_members(object, names, ARRAY_SIZE(names), &error), cases[i].message == NULL);
		if (cases[i].message)
			assert_message_contains(&error, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_members_are_named),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_parse_refuses_bytes),
		cmocka_unit_test(test_parse_error_does_not_quote),
		cmocka_unit_test(test_parse_bounds_depth),
		cmocka_unit_test(test_read_structures),
		cmocka_unit_test(test_read_text),
		cmocka_unit_test(test_read_u64),
		cmocka_unit_test(test_read_hex),
		cmocka_unit_test(test_read_bytes32),
		cmocka_unit_test(test_read_base64),
		cmocka_unit_test(test_read_secrets),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_text_of_hex),
		cmocka_unit_test(test_text_of_any),
		cmocka_unit_test(test_done_accepts_null),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
