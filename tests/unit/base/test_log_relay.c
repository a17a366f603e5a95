/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_relay.h"

#include <sys/mman.h>

#include "base/log_json.h"
#include "vectors.h"

#define HEAD "{\"time\":\"2026-11-23T00:39:22.123Z\",\"level\":\"info\",\"program\":\"keeper\",\"event\":\"keys_loaded\""

static void relay(const char *text, enum log_format format, struct buffer *ret_line)
{
	AUTO_JSON json_t *object = log_relay_parse(view_of_text(text));
	int saved = dup(STDERR_FILENO);
	int fd = memfd_create("log", 0);
	ssize_t size;

	assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	log_set_format(format);
	log_relay(object);
	log_set_format(LOG_FORMAT_TEXT);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	buffer_reserve(ret_line, 8192);
	size = pread(fd, ret_line->data, 8192, 0);
	assert_true(size > 0);
	ret_line->size = (size_t)size;
	assert_ptr_equal(memchr(ret_line->data, '\n', ret_line->size), ret_line->data + ret_line->size - 1);
	(void)close(fd);
	(void)close(saved);
}

static void test_relay_round_trip(void **state)
{
	static const char *const texts[] = {
		HEAD ",\"count\":12,\"network\":\"mainnet\"}\n",
		HEAD ",\"a\":\"7\",\"b\":\"\",\"c\":\"two words\",\"d\":\"\\\"\\\\\",\"e\":-1,\"f\":\"x=y\"}\n",
		HEAD ",\"text\":\"every vote\"}\n",
	};
	AUTO_BUFFER struct buffer text = {0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		AUTO_BUFFER struct buffer line = {0};

		relay(texts[i], LOG_FORMAT_JSON, &line);
		assert_string_equal(buffer_text(&line), texts[i]);
	}
	relay(texts[1], LOG_FORMAT_TEXT, &text);
	assert_string_equal(
		buffer_text(&text),
		"2026-11-23T00:39:22.123Z info keeper keys_loaded a=\"7\" b=\"\" c=\"two words\" d=\"\\\"\\\\\" e=-1 f=x=y\n");
}

/* Whoever has taken the enclave over can write lines of it, and nothing else. */
static void test_relay_of_hostile_lines(void **state)
{
	static const struct {
		const char *text;
		const char *expected; /* after the time */
	} lines[] = {
		{"no JSON \x1b[31m\xff", "warning enclave output text=\"no JSON ?[31m?\""},
		{"", "warning enclave output text=\"\""},
		{"[1]", "warning enclave output text=[1]"},
		{"{}", "warning enclave unknown"},
		{"{\"time\":\"now\",\"level\":\"fatal\",\"program\":\"host\",\"event\":\"a b\"}", "warning enclave unknown"},
		{"{\"level\":7,\"program\":[],\"event\":\"e\",\"event\":\"f\"}", "warning enclave output text=\"{\\\"level\\\":7,"},
		{"{\"event\":\"e\",\"a\\nb\":1,\"Key\":2,\"k\":\"x\\n2026 error host forged\"}",
		 "warning enclave e k=\"x\\x0a2026 error host forged\""},
		{"{\"event\":\"e\",\"k\":{\"deep\":[1,null]},\"n\":null,\"t\":true,\"r\":0.5}",
		 "warning enclave e k=\"{\\\"deep\\\":[1,null]}\" n=null t=true r=0.5"},
		{"{\"event\":\"e\",\"k\":\"\\u00e9\"}", "warning enclave e k=\"\\xc3\\xa9\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		AUTO_BUFFER struct buffer line = {0};

		relay(lines[i].text, LOG_FORMAT_TEXT, &line);
		assert_memory_equal(buffer_text(&line) + 25, lines[i].expected, strlen(lines[i].expected));
	}
}

static void test_relay_of_long_lines(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_BUFFER struct buffer line = {0};

	(void)state;
	buffer_append_text(&text, "{\"event\":\"e\",\"k\":\"");
	for (size_t i = 0; i < 100000; i++)
		buffer_append_text(&text, "\\\"");
	buffer_append_text(&text, "\"}");
	relay(buffer_text(&text), LOG_FORMAT_TEXT, &line);
	assert_true(line.size <= LOG_LINE_SIZE);
	line.size = 0;
	relay(buffer_text(&text), LOG_FORMAT_JSON, &line);
	assert_true(line.size <= LOG_JSON_LINE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relay_round_trip),
		cmocka_unit_test(test_relay_of_hostile_lines),
		cmocka_unit_test(test_relay_of_long_lines),
	};

	log_init("host");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
