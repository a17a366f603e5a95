/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_json.h"

#include "base/log_relay.h"
#include "vectors.h"

static const struct log_origin origin = {"2026-11-25T00:00:00.000Z", "info", "keeper", "keys_loaded"};

/* The object of the line that these fields make; every line is one object of printable ASCII, whatever the fields. */
static json_t *object_of(const char *fields)
{
	char line[LOG_JSON_LINE_SIZE];
	size_t size = log_json_format(line, &origin, fields);
	struct error error = {0};
	json_t *object;

	assert_in_range(size, 1, sizeof line);
	assert_int_equal(line[size - 1], '\n');
	for (size_t i = 0; i + 1 < size; i++)
		assert_in_range(line[i], ' ', '~');
	object = json_parse_object(view_of(line, size - 1), "line", &error);
	assert_ok(object != NULL, &error);
	assert_string_equal(json_string_value(json_object_get(object, "program")), "keeper");
	assert_string_equal(json_string_value(json_object_get(object, "event")), "keys_loaded");
	return object;
}

static const char *text_of(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void fields_become_members(void **state)
{
	AUTO_JSON json_t *object = object_of("count=12 network=mainnet ratio=0.5x reason=\"it \\\"is\\\" so\" empty=\"\"");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(object, "count")), 12);
	assert_string_equal(text_of(object, "network"), "mainnet");
	assert_string_equal(text_of(object, "ratio"), "0.5x");
	assert_string_equal(text_of(object, "reason"), "it \"is\" so");
	assert_string_equal(text_of(object, "empty"), "");
	assert_int_equal(json_object_size(object), 9);
}

/* What a peer says can neither take the place of a member nor break the object. */
static void odd_fields_are_text(void **state)
{
	static const char *const odd[] = {"no field at all",
					  "level=error",
					  "time=x event=y",
					  "a=1 a=2",
					  "a=\"open",
					  "=1",
					  "A=1",
					  "a==",
					  "a=\"x\"y",
					  "\\",
					  "\"",
					  "a=00012345678901234567890",
					  "a=-"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		AUTO_JSON json_t *object = object_of(odd[i]);

		assert_string_equal(text_of(object, "level"), "info");
		assert_string_equal(text_of(object, "time"), origin.time);
	}
}

static void long_fields_are_cut(void **state)
{
	AUTO_BUFFER struct buffer fields = {0};
	AUTO_JSON json_t *object = NULL;

	(void)state;
	buffer_append_text(&fields, "a=1 reason=\"");
	for (size_t i = 0; i < 4000; i++)
		buffer_append_text(&fields, "\\\"");
	object = object_of(buffer_text(&fields));
	assert_non_null(object);
}

static void anything_is_a_line_of_somebody(void **state)
{
	static const char *const lines[] = {
		"", "{", "[]", "==ERROR: AddressSanitizer", "{\"time\":1}", "\xff\xfe", "{\"a\":{\"b\":1}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		AUTO_JSON json_t *line = log_relay_parse(view_of_text(lines[i]));

		assert_true(json_is_object(line));
		log_relay(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_become_members),
		cmocka_unit_test(odd_fields_are_text),
		cmocka_unit_test(long_fields_are_cut),
		cmocka_unit_test(anything_is_a_line_of_somebody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
