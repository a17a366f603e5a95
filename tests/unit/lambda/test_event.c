/* SPDX-License-Identifier: Apache-2.0 */
#include "lambda/event.h"

#include "lambda/operations.h"
#include "vectors.h"

#define HEX_16 "0123456789abcdef"
#define HEX_96 HEX_16 HEX_16 HEX_16 HEX_16 HEX_16 HEX_16

static void events_are_read(void **state)
{
	struct lambda_event event = {0};
	struct error error = {0};

	(void)state;
	assert_ok(lambda_event_parse(view_of_text("{\"operation\":\"get_tls_key\"}"), &event, &error), &error);
	assert_string_equal(event.operation->name, "get_tls_key");
	assert_ok(lambda_event_parse(view_of_text("{\"operation\":\"set_tls_key\"}"), &event, &error), &error);
	assert_false(event.overwrite);
	assert_ok(lambda_event_parse(view_of_text("{\"operation\":\"set_tls_key\",\"overwrite\":true}"), &event, &error), &error);
	assert_true(event.overwrite);
	assert_ok(lambda_event_parse(view_of_text("{\"operation\":\"attest\"}"), &event, &error), &error);
	assert_string_equal(event.pcr0, "");
	assert_int_equal(event.nonce_size, 0);
	assert_ok(lambda_event_parse(
			  view_of_text("{\"nonce\":\"00112233445566778899\",\"pcr0\":\"" HEX_96 "\",\"operation\":\"attest\"}"),
			  &event, &error),
		  &error);
	assert_string_equal(event.pcr0, HEX_96);
	assert_int_equal(event.nonce_size, 10);
	assert_int_equal(event.nonce[9], 0x99);
}

static void malformed_events_are_refused(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} bad[] = {
		{"", "event"},
		{"[]", "event"},
		{"{\"operation\":\"attest\"} x", "event"},
		{"{}", "operation: "},
		{"{\"operation\":\"\"}", "operation: none of set_tls_key, get_tls_key, decrypt_tls_key, web3signer_status"},
		{"{\"operation\":\"Attest\"}", "operation: none of"},
		{"{\"operation\":\"attest\",\"overwrite\":true}", "overwrite"},
		{"{\"operation\":\"web3signer_status\",\"pcr0\":\"" HEX_96 "\"}", "pcr0"},
		{"{\"operation\":\"set_tls_key\",\"overwrite\":1}", "overwrite"},
		{"{\"operation\":\"attest\",\"pcr0\":null}", "pcr0"},
		{"{\"operation\":\"attest\",\"pcr0\":\"" HEX_96 "0\"}", "pcr0"},
		{"{\"operation\":\"attest\",\"nonce\":\"00112233445566\"}", "nonce"},
		{"{\"operation\":\"attest\",\"nonce\":\"0011223344556677889\"}", "nonce"},
		{"{\"operation\":\"attest\",\"nonce\":\"001122334455667z\"}", "nonce"},
		{"{\"operation\":\"attest\",\"nonce\":\"" HEX_96 HEX_16 HEX_16 HEX_16 "\"}", "nonce"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct lambda_event event = {.nonce_size = 7};
		struct error error = {0};

		if (lambda_event_parse(view_of_text(bad[i].text), &event, &error))
			fail_msg("%s was taken", bad[i].text);
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, bad[i].message);
		assert_int_equal(event.nonce_size, 7);
	}
}

static void large_events_are_refused(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct lambda_event event;
	struct error error = {0};

	(void)state;
	buffer_append_text(&text, "{\"operation\":\"attest\"}");
	while (text.size < LAMBDA_EVENT_MAX_SIZE)
		buffer_append_byte(&text, ' ');
	assert_ok(lambda_event_parse(buffer_view(&text), &event, &error), &error);
	buffer_append_byte(&text, ' ');
	assert_false(lambda_event_parse(buffer_view(&text), &event, &error));
	assert_message_contains(&error, "larger");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_read),
		cmocka_unit_test(malformed_events_are_refused),
		cmocka_unit_test(large_events_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
