/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>

#include "vectors.h"

static void test_set(void **state)
{
	struct error error = {0};

	(void)state;
	assert_false(error_set(&error, ERROR_POLICY, "key %s: slot %d", "0xab", 7));
	assert_int_equal(error.code, ERROR_POLICY);
	assert_string_equal(error.message, "key 0xab: slot 7");
	/* A second error replaces the first. */
	assert_false(error_set(&error, ERROR_IO, "short"));
	assert_int_equal(error.code, ERROR_IO);
	assert_string_equal(error.message, "short");
}

static void test_set_errno(void **state)
{
	struct error error = {0};

	(void)state;
	errno = ENOENT;
	assert_false(error_set_errno(&error, ERROR_IO, "opening %s", "/x"));
	assert_int_equal(error.code, ERROR_IO);
	assert_string_equal(error.message, "opening /x: No such file or directory");
	errno = 99999;
	assert_false(error_set_errno(&error, ERROR_IO, "x"));
	assert_string_equal(error.message, "x: unknown error");
}

static void test_prefix(void **state)
{
	struct error error = {0};

	(void)state;
	assert_false(error_set(&error, ERROR_INPUT, "slot: missing"));
	assert_false(error_prefix(&error, "body[%d]", 3));
	assert_false(error_prefix(&error, "request"));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_string_equal(error.message, "request: body[3]: slot: missing");
}

/* Text from a peer may be of any length: the message is cut and stays terminated, and nothing behind it is touched. */
static void test_long_text_is_cut(void **state)
{
	struct {
		struct error error;
		char guard[8];
	} memory;
	char text[2 * ERROR_MESSAGE_SIZE];

	(void)state;
	memset(&memory, 0, sizeof memory);
	memset(memory.guard, 'G', sizeof memory.guard);
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	assert_false(error_set(&memory.error, ERROR_PEER, "%s", text));
	assert_int_equal(strlen(memory.error.message), ERROR_MESSAGE_SIZE - 1);
	assert_false(error_prefix(&memory.error, "peer"));
	assert_int_equal(strlen(memory.error.message), ERROR_MESSAGE_SIZE - 1);
	assert_int_equal(strncmp(memory.error.message, "peer: xxx", 9), 0);
	assert_false(error_prefix(&memory.error, "%s", text));
	assert_int_equal(strlen(memory.error.message), ERROR_MESSAGE_SIZE - 1);
	assert_int_equal(memory.error.message[ERROR_MESSAGE_SIZE - 2], 'x');
	errno = EIO;
	assert_false(error_set_errno(&memory.error, ERROR_IO, "%s", text));
	assert_int_equal(strlen(memory.error.message), ERROR_MESSAGE_SIZE - 1);
	for (size_t i = 0; i < sizeof memory.guard; i++)
		assert_int_equal(memory.guard[i], 'G');
}

static void test_null_error_is_fine(void **state)
{
	(void)state;
	assert_false(error_set(NULL, ERROR_IO, "x"));
	assert_false(error_set_errno(NULL, ERROR_IO, "x"));
	assert_false(error_prefix(NULL, "x"));
}

static void test_code_names(void **state)
{
	(void)state;
	assert_string_equal(error_code_name(ERROR_NONE), "none");
	assert_string_equal(error_code_name(ERROR_INPUT), "input");
	assert_string_equal(error_code_name(ERROR_NOT_FOUND), "not_found");
	assert_string_equal(error_code_name(ERROR_SLASHABLE), "slashable");
	assert_string_equal(error_code_name(ERROR_BUG), "bug");
	for (unsigned i = 0; i < ERROR_CODE_COUNT; i++) {
		assert_non_null(error_code_name((enum error_code)i));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(error_code_name((enum error_code)i), error_code_name((enum error_code)j));
	}
	assert_string_equal(error_code_name(ERROR_CODE_COUNT), "bug");
	assert_string_equal(error_code_name((enum error_code) - 1), "bug");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_errno),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_long_text_is_cut),
		cmocka_unit_test(test_null_error_is_fine),
		cmocka_unit_test(test_code_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
