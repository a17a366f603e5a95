/* SPDX-License-Identifier: Apache-2.0 */
#include "image/slashing_settings.h"

#include "vectors.h"

static bool read_json(const char *text, struct slashing_settings *ret_settings, struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(view_of_text(text), "test", error);

	return object && slashing_settings_read(object, ret_settings, error);
}

static void absent_is_the_strictest(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct slashing_settings settings;
	struct error error = {0};

	(void)state;
	assert_ok(read_json("{}", &settings, &error), &error);
	assert_false(settings.uses_dynamodb || settings.host_may_begin || settings.quiet_period_s != 0);
	slashing_settings_write(&settings, &text);
	assert_int_equal(text.size, 0);
}

static void reads_what_it_wrote(void **state)
{
	static const char *const texts[] = {
		"{\"store\":\"dynamodb\",\"table\":\"SlashingProtection\",\"host\":\"dynamodb.eu-west-1.amazonaws.com:443\","
		"\"credentials\":\"sealed\",\"first_use\":\"operator\",\"quiet_period_s\":0}",
		"{\"store\":\"dynamodb\",\"table\":\"T\",\"host\":\"h\",\"credentials\":\"parent\",\"first_use\":"
		"\"host\",\"quiet_period_s\":604800}",
		"{\"store\":\"embedded\",\"first_use\":\"host\",\"quiet_period_s\":0}",
		"{\"store\":\"embedded\",\"first_use\":\"operator\",\"quiet_period_s\":1200}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_FREE char *configuration = memory_format("{\"slashing\": %s}", texts[i]);
		AUTO_FREE char *expected = memory_format(" \"slashing\": %s,\n", texts[i]);
		AUTO_BUFFER struct buffer text = {0};
		struct slashing_settings settings;
		struct error error = {0};

		assert_ok(read_json(configuration, &settings, &error), &error);
		slashing_settings_write(&settings, &text);
		assert_string_equal(buffer_text(&text), expected);
	}
}

static void refuses_what_it_does_not_know(void **state)
{
	static const struct {
		const char *json;
		const char *message;
	} cases[] = {
		{"{\"slashing\":true}", "slashing"},
		{"{\"slashing\":{\"first_use\":\"host\"}}", "slashing: store"},
		{"{\"slashing\":{\"store\":\"disk\",\"first_use\":\"host\"}}", "slashing: store: embedded or dynamodb, not disk"},
		{"{\"slashing\":{\"store\":\"embedded\"}}", "slashing: first_use"},
		{"{\"slashing\":{\"store\":\"embedded\",\"first_use\":\"me\"}}", "slashing: first_use: operator or host"},
		{"{\"slashing\":{\"store\":\"embedded\",\"first_use\":\"host\",\"quiet\":1}}", "slashing: quiet: no such setting"},
		{"{\"slashing\":{\"store\":\"embedded\",\"first_use\":\"host\",\"quiet_period_s\":604801}}",
		 "quiet_period_s: at most"},
		{"{\"slashing\":{\"store\":\"embedded\",\"first_use\":\"host\",\"table\":\"t\"}}",
		 "slashing: table: only with store"},
		{"{\"slashing\":{\"store\":\"dynamodb\",\"first_use\":\"host\"}}", "slashing: table"},
		{"{\"slashing\":{\"store\":\"dynamodb\",\"first_use\":\"host\",\"table\":\"t\"}}", "slashing: host"},
		{"{\"slashing\":{\"store\":\"dynamodb\",\"first_use\":\"host\",\"table\":\"t\",\"host\":\"h\"}}",
		 "slashing: credentials"},
		{"{\"slashing\":{\"store\":\"dynamodb\",\"table\":\"a:b\"}}", "slashing: table: only letters"},
		{"{\"slashing\":{\"store\":\"dynamodb\",\"table\":\"t\",\"host\":\"h/\"}}", "slashing: host: only letters"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct slashing_settings settings;
		struct error error = {0};

		assert_false(read_json(cases[i].json, &settings, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_is_the_strictest),
		cmocka_unit_test(reads_what_it_wrote),
		cmocka_unit_test(refuses_what_it_does_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
