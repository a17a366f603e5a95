/* SPDX-License-Identifier: Apache-2.0 */
#include "image/key_manager.h"

#include "vectors.h"

#define TOKEN "0123456789abcdef0123456789abcdef"
#define DIGEST "3b9cc9dc6aeff9f6f1a87cda5f4a1f3a9c5d2d4c2fd6fbbd7bb4a1fb1e57ee3a"

static bool read_json(const char *text, struct key_manager *ret_manager, struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(view_of_text(text), "configuration", error);

	return object && key_manager_read(object, ret_manager, error);
}

static void obeys_one_token(void **state)
{
	struct key_manager manager = {0};
	struct error error = {0};

	(void)state;
	assert_false(key_manager_obeys(&manager, view_of_text(TOKEN)));
	assert_ok(key_manager_digest_token(view_of_text(TOKEN "\n"), manager.token_sha256, &error), &error);
	assert_false(key_manager_obeys(&manager, view_of_text(TOKEN))); /* it is off */
	manager.is_on = true;
	assert_true(key_manager_obeys(&manager, view_of_text(TOKEN)));
	assert_false(key_manager_obeys(&manager, view_of_text(TOKEN "\n")));
	assert_false(key_manager_obeys(&manager, view_of_text("")));
	assert_false(key_manager_obeys(&manager, view_of_text(TOKEN "0")));
}

static void tokens_are_long_enough(void **state)
{
	static const char *const bad[] = {"",         "\n",         "short",         "0123456789abcdef0123456789abcde\n",
					  TOKEN " x", TOKEN "\n\n", TOKEN "\xc3\xa9"};
	AUTO_BUFFER struct buffer longest = {0};
	uint8_t digest[KEY_MANAGER_DIGEST_SIZE];
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(key_manager_digest_token(view_of_text(bad[i]), digest, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, "token");
	}
	while (longest.size < KEY_MANAGER_TOKEN_MAX_SIZE)
		buffer_append_byte(&longest, 'x');
	assert_ok(key_manager_digest_token(buffer_view(&longest), digest, &error), &error);
	buffer_append_byte(&longest, 'x');
	assert_false(key_manager_digest_token(buffer_view(&longest), digest, &error));
}

static void reads_what_it_wrote(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct key_manager manager;
	struct error error = {0};

	(void)state;
	assert_ok(read_json("{}", &manager, &error), &error);
	assert_false(manager.is_on);
	key_manager_write(&manager, &text);
	assert_int_equal(text.size, 0);
	assert_ok(read_json("{\"key_manager\":{\"token_sha256\":\"" DIGEST "\"}}", &manager, &error), &error);
	assert_true(manager.is_on);
	key_manager_write(&manager, &text);
	assert_string_equal(buffer_text(&text), " \"key_manager\": {\"token_sha256\": \"" DIGEST "\"},\n");
}

static void refuses_what_it_does_not_know(void **state)
{
	static const struct {
		const char *json;
		const char *message;
	} cases[] = {
		{"{\"key_manager\":true}", "key_manager"},
		{"{\"key_manager\":{}}", "key_manager: token_sha256"},
		{"{\"key_manager\":{\"token_sha256\":\"12\"}}", "key_manager: token_sha256"},
		{"{\"key_manager\":{\"token_sha256\":\"" DIGEST "\",\"token\":\"x\"}}", "key_manager: token: no such setting"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct key_manager manager;
		struct error error = {0};

		assert_false(read_json(cases[i].json, &manager, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(obeys_one_token),
		cmocka_unit_test(tokens_are_long_enough),
		cmocka_unit_test(reads_what_it_wrote),
		cmocka_unit_test(refuses_what_it_does_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
