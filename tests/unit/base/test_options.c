/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include "base/cleanup.h"
#include "vectors.h"

#define MAX_POSITIONALS 2

static struct {
	bool verbose;
	const char *name;
	uint64_t port;
} values;

static const struct option options[] = {
	{"verbose", OPTION_FLAG, &values.verbose, NULL, "say more"},
	{"name", OPTION_TEXT, &values.name, "NAME", "what to call it"},
	{"a-rather-long-option-name", OPTION_TEXT, &values.name, "VALUE", "the same"},
	{"port", OPTION_NUMBER, &values.port, "N", "default 8443"},
};

static const char *positionals[MAX_POSITIONALS];
static size_t positional_count;
static bool help;

/* Parse the given words behind a program name. */
static bool parse(const char *const *words, struct error *error)
{
	char *argv[16] = {(char *)(uintptr_t) "program"};
	int argc = 1;

	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	memset(&values, 0, sizeof values);
	values.port = 8443;
	positional_count = 99;
	help = false;
	return options_parse(options, ARRAY_SIZE(options), argc, argv, positionals, MAX_POSITIONALS, &positional_count, &help,
			     error);
}

#define PARSE(error, ...) parse((const char *const[]){__VA_ARGS__, NULL}, error)

static void assert_refused(const char *const *words, const char *message)
{
	struct error error = {0};

	assert_false(parse(words, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, message);
}

#define ASSERT_REFUSED(message, ...) assert_refused((const char *const[]){__VA_ARGS__, NULL}, message)

static void test_nothing(void **state)
{
	struct error error = {0};

	(void)state;
	assert_ok(parse((const char *const[]){NULL}, &error), &error);
	assert_int_equal(positional_count, 0);
	assert_false(help);
	assert_false(values.verbose);
	assert_int_equal(values.port, 8443);
}

static void test_both_spellings(void **state)
{
	struct error error = {0};

	(void)state;
	assert_ok(PARSE(&error, "--verbose", "--name", "x", "--port=17"), &error);
	assert_true(values.verbose);
	assert_string_equal(values.name, "x");
	assert_int_equal(values.port, 17);
	assert_ok(PARSE(&error, "--name=a=b", "--port", "18446744073709551615"), &error);
	assert_string_equal(values.name, "a=b");
	assert_true(values.port == UINT64_MAX);
	assert_ok(PARSE(&error, "--name="), &error);
	assert_string_equal(values.name, "");
	/* A value may look like an option, and the last of several counts. */
	assert_ok(PARSE(&error, "--name", "first", "--name", "--verbose"), &error);
	assert_string_equal(values.name, "--verbose");
	assert_false(values.verbose);
}

static void test_positionals(void **state)
{
	struct error error = {0};

	(void)state;
	assert_ok(PARSE(&error, "one", "--verbose", "two"), &error);
	assert_int_equal(positional_count, 2);
	assert_string_equal(positionals[0], "one");
	assert_string_equal(positionals[1], "two");
	assert_true(values.verbose);
	assert_ok(PARSE(&error, "-", ""), &error);
	assert_string_equal(positionals[0], "-");
	assert_string_equal(positionals[1], "");
	assert_ok(PARSE(&error, "--", "--verbose", "-h"), &error);
	assert_int_equal(positional_count, 2);
	assert_string_equal(positionals[0], "--verbose");
	assert_string_equal(positionals[1], "-h");
	assert_false(values.verbose);
	assert_false(help);
	assert_ok(PARSE(&error, "--", "--"), &error);
	assert_int_equal(positional_count, 1);
	assert_string_equal(positionals[0], "--");
}

static void test_refuses(void **state)
{
	(void)state;
	ASSERT_REFUSED("unknown option --nmae", "--nmae", "x");
	ASSERT_REFUSED("unknown option --nam ", "--nam=x"); /* no abbreviations */
	ASSERT_REFUSED("unknown option --names", "--names=x");
	ASSERT_REFUSED("unknown option --", "--=x");
	ASSERT_REFUSED("unknown option -v", "-v");
	ASSERT_REFUSED("unknown option -name", "-name", "x");
	ASSERT_REFUSED("--verbose takes no value", "--verbose=yes");
	ASSERT_REFUSED("--name wants a value: NAME", "--name");
	ASSERT_REFUSED("--port wants a value: N", "one", "--port");
	ASSERT_REFUSED("--port: x is not a number", "--port", "x");
	ASSERT_REFUSED("--port:  is not a number", "--port=");
	ASSERT_REFUSED("--port: -1 is not a number", "--port", "-1");
	ASSERT_REFUSED("--port: 18446744073709551616 is not a number", "--port=18446744073709551616");
	ASSERT_REFUSED("unexpected word: three", "one", "two", "three");
}

static void test_help_is_asked_for(void **state)
{
	struct error error = {0};

	(void)state;
	assert_ok(PARSE(&error, "--help"), &error);
	assert_true(help);
	assert_ok(PARSE(&error, "one", "-h", "--bogus"), &error);
	assert_true(help);
	assert_ok(PARSE(&error, "--name", "--help"), &error);
	assert_false(help);
	assert_string_equal(values.name, "--help");
}

static void test_help_page(void **state)
{
	static const struct command_help page = {"program [options]", "Does things."};
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	assert_non_null(stream);
	options_print_help(stream, &page, options, ARRAY_SIZE(options));
	assert_int_equal(fclose(stream), 0);
	assert_string_equal(text, "usage: program [options]\n"
				  "\n"
				  "Does things.\n"
				  "\n"
				  "options:\n"
				  "  --verbose                 say more\n"
				  "  --name NAME               what to call it\n"
				  "  --a-rather-long-option-name VALUE  the same\n"
				  "  --port N                  default 8443\n"
				  "  --help                    this page\n");
}

static void test_exit_codes(void **state)
{
	static const struct {
		enum error_code code;
		enum exit_code exit_code;
	} cases[ERROR_CODE_COUNT] = {
		{ERROR_NONE, EXIT_CODE_OK},           {ERROR_INPUT, EXIT_CODE_USAGE},    {ERROR_NOT_FOUND, EXIT_CODE_FAILED},
		{ERROR_SLASHABLE, EXIT_CODE_REFUSED}, {ERROR_POLICY, EXIT_CODE_REFUSED}, {ERROR_IO, EXIT_CODE_FAILED},
		{ERROR_PEER, EXIT_CODE_FAILED},       {ERROR_AWS, EXIT_CODE_FAILED},     {ERROR_CRYPTO, EXIT_CODE_FAILED},
		{ERROR_BUG, EXIT_CODE_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = {.code = cases[i].code};

		assert_int_equal(cases[i].code, i);
		assert_int_equal(exit_code_of(&error), cases[i].exit_code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),    cmocka_unit_test(test_both_spellings),    cmocka_unit_test(test_positionals),
		cmocka_unit_test(test_refuses),    cmocka_unit_test(test_help_is_asked_for), cmocka_unit_test(test_help_page),
		cmocka_unit_test(test_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
