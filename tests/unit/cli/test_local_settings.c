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
	assert_string_equal(settings.network.name, "mainnet");
	assert_ok(network_check(&settings.network, &error), &error);
}

static void written_is_read(void **state)
{
	struct local_settings settings, again;
	struct error error = {0};

	(void)state;
	local_settings_default(&settings);
	assert_ok(local_settings_set_listen(&settings, "[::1]:9000", &error), &error);
	settings.slashing_protection = false;
	assert_ok(local_settings_set_log_format(&settings, "json", &error), &error);
	settings.tls_created_ms = 1795392000123;
	assert_false(local_settings_is_machine(&settings));
	(void)snprintf(settings.launcher, sizeof settings.launcher, "%s", LOCAL_LAUNCHER_QEMU);
	(void)snprintf(settings.kernel, sizeof settings.kernel, "/boot/vmlinuz");
	(void)snprintf(settings.kms_key_arn, sizeof settings.kms_key_arn, "arn:aws:kms:us-east-1:000000000000:key/1");
	assert_ok(local_settings_write(TEST_FILE, &settings, &error), &error);
	assert_ok(local_settings_read(TEST_FILE, &again, &error), &error);
	assert_string_equal(settings.listen, again.listen);
	assert_true(network_equal(&settings.network, &again.network));
	assert_string_equal(settings.kms_key_arn, again.kms_key_arn);
	assert_false(again.slashing_protection);
	assert_false(again.any_port);
	assert_true(again.log_is_json);
	assert_true(local_settings_is_machine(&again));
	assert_string_equal(again.kernel, "/boot/vmlinuz");
	(void)snprintf(settings.launcher, sizeof settings.launcher, "nitro");
	assert_ok(local_settings_write(TEST_FILE, &settings, &error), &error);
	assert_false(local_settings_read(TEST_FILE, &again, &error));
	assert_message_contains(&error, "launcher: neither process nor qemu");
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
	assert_ok(local_settings_set_network(&settings, "hoodi", NULL, NULL, &error), &error);
	assert_false(local_settings_set_network(&settings, "nonsense", NULL, NULL, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "--network");
	assert_ok(local_settings_set_network(&settings, NULL, NULL, NULL, &error), &error);
	assert_string_equal(settings.network.name, "hoodi");
}

#define ROOT_7 "0x0707070707070707070707070707070707070707070707070707070707070707"

static void networks_from_a_file_are_remembered(void **state)
{
	static const char *const roots[] = {ROOT_7, "learn"};
	AUTO_FREE char *config = own_vector_path("network/devnet.yaml");
	struct local_settings settings, again;
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		local_settings_default(&settings);
		assert_ok(local_settings_set_network(&settings, NULL, config, roots[i], &error), &error);
		assert_string_equal(settings.network.name, "devnet-7");
		assert_true(settings.network.genesis_validators_root_learned == (i == 1));
		assert_true(settings.network.genesis_validators_root_known == (i == 0));
		assert_int_equal(settings.network.genesis_validators_root[31], i == 0 ? 7 : 0);
		assert_ok(local_settings_write(TEST_FILE, &settings, &error), &error);
		assert_ok(local_settings_read(TEST_FILE, &again, &error), &error);
		assert_true(network_equal(&settings.network, &again.network));
	}
	(void)unlink(TEST_FILE);
}

static void network_options_fit_together(void **state)
{
	AUTO_FREE char *config = own_vector_path("network/devnet.yaml");
	const struct {
		const char *name, *config, *root, *message;
	} cases[] = {
		{"hoodi", config, "learn", "--network and --network-config"},
		{NULL, config, NULL, "--network-config needs --genesis-validators-root"},
		{"hoodi", NULL, "learn", "--genesis-validators-root: only with"},
		{NULL, NULL, "learn", "--genesis-validators-root: only with"},
		{NULL, config, "0x12", "--genesis-validators-root 0x12: neither"},
		{NULL, config, "Learn", "neither"},
		{NULL, config, &ROOT_7[2], "neither"},
		{NULL, "/nonexistent.yaml", "learn", "--network-config: /nonexistent.yaml"},
		{NULL, "/dev/null", "learn", "--network-config /dev/null: line 1"},
	};
	struct local_settings settings;

	(void)state;
	local_settings_default(&settings);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = {0};

		assert_false(local_settings_set_network(&settings, cases[i].name, cases[i].config, cases[i].root, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
		assert_string_equal(settings.network.name, "mainnet");
	}
}

/* A file may bring a built-in network's next fork, but not another chain under its name. */
static void a_built_in_name_keeps_its_root(void **state)
{
	static const char yaml[] = "CONFIG_NAME: gnosis\nPRESET_BASE: gnosis\nGENESIS_FORK_VERSION: 0x00000064\n";
	static const char root[] = "0xf5dcb5564e829aab27264b9becd5dfaa01708561"
				   "1224cb3036f573368dbb9d47";
	struct local_settings settings;
	struct error error = {0};

	(void)state;
	local_settings_default(&settings);
	assert_ok(file_write_atomic(TEST_FILE, view_of_text(yaml), 0600, &error), &error);
	assert_ok(local_settings_set_network(&settings, NULL, TEST_FILE, root, &error), &error);
	assert_true(settings.network.forks[FORK_ALTAIR].epoch == EPOCH_NEVER);
	assert_false(local_settings_set_network(&settings, NULL, TEST_FILE, "learn", &error));
	assert_message_contains(&error, "not that of the built-in network gnosis");
	assert_false(local_settings_set_network(&settings, NULL, TEST_FILE, ROOT_7, &error));
	(void)unlink(TEST_FILE);
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
	assert_false(local_settings_set_log_format(&settings, "JSON", &error));
	assert_message_contains(&error, "--log-format");
	assert_false(settings.log_is_json);
	assert_ok(local_settings_set_log_format(&settings, "json", &error), &error);
	assert_ok(local_settings_set_log_format(&settings, "text", &error), &error);
	assert_false(settings.log_is_json);
}

/* Of a signer that was made before these members were. */
static void older_files_are_read(void **state)
{
	static const char *const later[] = {"tls_is_own",     "known_clients_serial", "key_manager_token_sha256",
					    "metrics_listen", "log_is_json",          "launcher",
					    "kernel"};
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *object = NULL;
	struct local_settings settings;
	struct error error = {0};

	(void)state;
	local_settings_default(&settings);
	settings.log_is_json = true;
	assert_ok(local_settings_write(TEST_FILE, &settings, &error), &error);
	object = load_json(TEST_FILE);
	for (size_t i = 0; i < ARRAY_SIZE(later); i++)
		assert_int_equal(json_object_del(object, later[i]), 0);
	json_write(object, &text);
	assert_ok(file_write_atomic(TEST_FILE, buffer_view(&text), 0600, &error), &error);
	assert_ok(local_settings_read(TEST_FILE, &settings, &error), &error);
	assert_false(settings.log_is_json);
	(void)unlink(TEST_FILE);
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
		cmocka_unit_test(defaults_are_safe),
		cmocka_unit_test(written_is_read),
		cmocka_unit_test(bad_files_are_refused),
		cmocka_unit_test(network_must_be_known),
		cmocka_unit_test(networks_from_a_file_are_remembered),
		cmocka_unit_test(network_options_fit_together),
		cmocka_unit_test(a_built_in_name_keeps_its_root),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(older_files_are_read),
		cmocka_unit_test(url_is_for_clients_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
