/* SPDX-License-Identifier: Apache-2.0 */
#include "host/enclave_log.h"

#include "vectors.h"

static bool write_lines(const char *text, bool *ret_more, struct error *error)
{
	AUTO_JSON json_t *body = json_parse_object(view_of_text(text), "body", error);

	return body && enclave_log_write(body, ret_more, error);
}

static void lines_are_written(void **state)
{
	struct error error = {0};
	bool more = true;

	(void)state;
	assert_ok(write_lines("{\"lines\":[],\"more\":false}", &more, &error), &error);
	assert_false(more);
	assert_ok(write_lines(
			  "{\"lines\":[{\"time\":\"2026-11-25T00:00:00.000Z\",\"level\":\"info\",\"program\":\"keeper\","
			  "\"event\":\"keys_loaded\",\"count\":2},{\"event\":\"\\u001b[2J\\n\",\"host\":\"x\"},{}],\"more\":true}",
			  &more, &error),
		  &error);
	assert_true(more);
}

static void what_is_no_answer_is_refused(void **state)
{
	static const char *const bad[] = {"{}", "{\"lines\":[]}", "{\"lines\":{},\"more\":false}", "{\"lines\":[1],\"more\":false}",
					  "{\"lines\":[],\"more\":1}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error error = {0};
		bool more;

		assert_false(write_lines(bad[i], &more, &error));
		assert_message_contains(&error, "log of the enclave");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_written),
		cmocka_unit_test(what_is_no_answer_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
