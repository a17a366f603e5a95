/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_settings.h"
#include "vectors.h"

#include <unistd.h>

#include "base/file.h"

#define TEST_FILE "test_local_settings.json"

static void defaults_are_safe(void **state)
{
	struct local_settings settings;
	struct error error = {0};

	(void)state;
	local_settings_default(&settings);
	assert_true(settings.slashing_protection);
	assert_ok(local_settings_check(&settings, &error), &error);
}

static void written_is_read(void **state)
{
	struct local_settings settings, again;
	struct error error = {0};

	(void)state;
	local_settings_default(&settings);
	assert_ok(local_settings_set_listen(&settings, "[::1]:9000", &error), &error);
	settings.slashing_protection = false;
	settings.tls_created_ms = 1795392000123;
	(void)snprintf(settings.kms_key_arn, sizeof settings.kms_key_arn, "arn:aws:kms:us-east-1:000000000000:key/1");
	assert_ok(local_settings_write(TEST_FILE, &settings, &error), &error);
	assert_ok(local_settings_read(TEST_FILE, &again, &error), &error);
	assert_string_equal(settings.listen, again.listen);
	assert_string_equal(settings.network, again.network);
	assert_string_equal(settings.kms_key_arn, again.kms_key_arn);
	assert_false(again.slashing_protection);
	assert_false(again.any_port);
	assert_int_equal(settings.tls_created_ms, again.tls_created_ms);
	(void)unlink(TEST_FILE);
	assert_false(local_settings_read(TEST_FILE, &again, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
}

static void bad_files_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"version\":2}",
		"{\"version\":1,\"listen\":7}",
		"{\"version\":1,\"listen\":\"a:1\",\"network\":\"a name that is much longer than any network has or ever will\"}",
		("{\"version\":1,\"listen\":\"a:1\",\"network\":\"mainnet\",\"kms_key_arn\":\"\",\"tls_listen\":\"\",\"pcr0\":\"\","
		 "\"any_port\":false,\"slashing_protection\":\"false\",\"tls_created_ms\":0}"),
	};
	struct local_settings settings;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error error = {0};

		assert_ok(file_write_atomic(TEST_FILE, view_of_text(bad[i]), 0600, &error), &error);
		assert_false(local_settings_read(TEST_FILE, &settings, &error));
		assert_int_equal(error.code, ERROR_INPUT);
	}
	(void)unlink(TEST_FILE);
}

static void network_must_be_known(void **state)
{
	struct local_settings settings;
	struct error error = {0};

	(void)state;
	local_settings_default(&settings);
	assert_ok(local_settings_check(&settings, &error), &error);
	(void)snprintf(settings.network, sizeof settings.network, "nonsense");
	assert_false(local_settings_check(&settings, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "--network");
}

static void options_are_checked(void **state)
{
	struct local_settings settings;
	struct error error = {0};

	(void)state;
	local_settings_default(&settings);
	assert_false(local_settings_set_slashing(&settings, "Off", &error));
	assert_message_contains(&error, "--slashing");
	assert_true(settings.slashing_protection);
	assert_false(local_settings_set_listen(&settings, "nonsense", &error));
	assert_message_contains(&error, "--listen");
	assert_false(local_settings_set_listen(&settings, "127.0.0.1:99999", &error));
	assert_string_equal(settings.listen, "127.0.0.1:8443");
}

static void url_is_for_clients_here(void **state)
{
	static const struct {
		const char *listen;
		const char *url;
	} cases[] = {
		{"127.0.0.1:8443", "https://127.0.0.1:8443"},
		{"[::1]:9000", "https://[::1]:9000"},
		{"0.0.0.0:1", "https://localhost:1"},
		{"signer.example:443", "https://signer.example:443"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct local_settings settings;
		struct error error = {0};
		AUTO_FREE char *url = NULL;

		local_settings_default(&settings);
		assert_ok(local_settings_set_listen(&settings, cases[i].listen, &error), &error);
		url = local_settings_url(&settings);
		assert_string_equal(url, cases[i].url);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_safe),     cmocka_unit_test(written_is_read),
		cmocka_unit_test(bad_files_are_refused), cmocka_unit_test(network_must_be_known),
		cmocka_unit_test(options_are_checked),   cmocka_unit_test(url_is_for_clients_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
