/* SPDX-License-Identifier: Apache-2.0 */
#include "host/provisioner.h"

#include "host_fixture.h"

static const atomic_bool never = false;

struct running {
	struct launch_options options;
	struct launcher *launcher;
};

static void start(const struct host_fixture *fixture, struct running *running)
{
	struct control_state got = {0};
	struct error error = {0};

	running->options = fixture_launch_options(fixture);
	running->launcher = launcher_new("process", &running->options, &error);
	assert_ok(running->launcher != NULL, &error);
	assert_ok(running->launcher->operations->start(running->launcher, &error), &error);
	assert_ok(provisioner_wait(&running->options.control, PATIENCE_MS, &never, &got, &error), &error);
	assert_false(got.initialized);
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void sends_what_the_tables_hold(void **state)
{
	struct host_fixture *fixture = *state;
	struct running running;
	struct control_state got = {0};
	struct error error = {0};
	AUTO_JSON json_t *frame = NULL;
	json_t *keys;
	json_t *credential;

	start(fixture, &running);
	assert_ok(provisioner_run(&fixture->settings, &running.options.control, &got, &error), &error);
	assert_true(got.initialized);
	assert_int_equal(got.key_count, 2);
	frame = fixture_read_json(fixture, "store/init.json");
	assert_int_equal(json_object_size(frame), 5);
	assert_non_null(json_object_get(frame, "tls_chain_pem_b64"));
	assert_string_equal(text_of(frame, "operation"), "init");
	assert_string_equal(text_of(frame, "encrypted_tls_key"), "dGxzIGtleQ==");
	credential = json_object_get(frame, "credential");
	assert_string_equal(text_of(credential, "access_key_id"), "AKIAFIXTUREFIXTURE00");
	assert_string_equal(text_of(credential, "secret_access_key"), "fixture-secret");
	assert_string_equal(text_of(credential, "token"), "fixture-token");
	keys = json_object_get(frame, "encrypted_validator_keys");
	assert_int_equal(json_array_size(keys), 2); /* not the inactive one */
	assert_int_equal(json_object_size(json_array_get(keys, 0)), 4);
	assert_string_equal(text_of(json_array_get(keys, 0), "sealed_key_b64"), "c2VhbGVk");
	assert_string_equal(text_of(json_array_get(keys, 0), "data_key_b64"), "ZGF0YSBrZXk=");
	assert_string_equal(text_of(json_array_get(keys, 0), "chain"), "hoodi");
	assert_int_equal(json_string_length(json_object_get(json_array_get(keys, 0), "pubkey")), 96);
	assert_int_equal(json_object_size(json_array_get(keys, 1)), 3);
	assert_string_equal(text_of(json_array_get(keys, 1), "encrypted_key_password_mnemonic_b64"), "ZW5jcnlwdGVk");
	/* A second time the enclave says no, and why. */
	assert_false(provisioner_run(&fixture->settings, &running.options.control, &got, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	assert_message_contains(&error, "enclave: init: the keys are loaded already");
	launcher_free(running.launcher);
}

static void passes_on_the_list_of_clients(void **state)
{
	struct host_fixture *fixture = *state;
	struct running running;
	struct control_state got = {0};
	struct error error = {0};
	AUTO_JSON json_t *frame = NULL;
	json_t *clients;

	{
		AUTO_TLS_TABLE struct tls_table *table = tls_table_open_sqlite(fixture->settings.tls_table.name, &error);
		AUTO_TLS_ROW struct tls_row row = {0};

		assert_ok(table != NULL, &error);
		assert_ok(tls_table_get(table, TLS_TABLE_KEY_ID, &row, &error), &error);
		row.known_clients_sealed_b64 = memory_copy_text("bGlzdA==");
		row.known_clients_data_key_b64 = memory_copy_text("d3JhcHBlZA==");
		assert_ok(tls_table_put(table, &row, &error), &error);
	}
	start(fixture, &running);
	assert_ok(provisioner_run(&fixture->settings, &running.options.control, &got, &error), &error);
	frame = fixture_read_json(fixture, "store/init.json");
	assert_int_equal(json_object_size(frame), 6);
	clients = json_object_get(frame, "known_clients");
	assert_int_equal(json_object_size(clients), 2);
	assert_string_equal(text_of(clients, "sealed_b64"), "bGlzdA==");
	assert_string_equal(text_of(clients, "data_key_b64"), "d3JhcHBlZA==");
	launcher_free(running.launcher);
}

static void passes_on_why_kms_refused(void **state)
{
	struct host_fixture *fixture = *state;
	struct running running;
	struct control_state got = {0};
	struct error error = {0};

	fixture_configure(fixture, "{\"mode\":\"refuse\"}");
	start(fixture, &running);
	assert_false(provisioner_run(&fixture->settings, &running.options.control, &got, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	assert_message_contains(&error, "enclave: AccessDeniedException: PCR0 is not the one that the key policy wants");
	launcher_free(running.launcher);
}

static void an_enclave_that_dies_is_noticed_at_once(void **state)
{
	struct host_fixture *fixture = *state;
	struct running running;
	struct control_state got = {0};
	struct error error = {0};

	fixture_configure(fixture, "{\"mode\":\"crash\"}");
	start(fixture, &running);
	assert_false(provisioner_run(&fixture->settings, &running.options.control, &got, &error));
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "control channel: ");
	launcher_free(running.launcher);
}

/* What is wrong on the host's side is told before anything is sent. */
static void assert_not_even_tried(const struct host_fixture *fixture, enum error_code code, const char *message)
{
	struct launch_options options = fixture_launch_options(fixture);
	struct control_state got = {0};
	struct error error = {0};

	assert_false(provisioner_run(&fixture->settings, &options.control, &got, &error));
	assert_int_equal(error.code, code);
	assert_message_contains(&error, message);
}

static void missing_tables_are_named(void **state)
{
	struct host_fixture *fixture = *state;
	char path[SETTINGS_PATH_SIZE];

	fixture_path(fixture, "nowhere.sqlite", path);
	memcpy(fixture->settings.tls_table.name, path, sizeof path);
	assert_not_even_tried(fixture, ERROR_NOT_FOUND, "nowhere.sqlite: TLS table: does not exist");
	memcpy(fixture->settings.key_table.name, path, sizeof path);
	assert_not_even_tried(fixture, ERROR_NOT_FOUND, "nowhere.sqlite: key table: does not exist");
	/* Looking must not have made one. */
	assert_false(file_exists(path));
}

/* Whoever reads that the list was empty wants to know which table it came from. */
static void an_enclave_without_a_key_manager_refuses_no_keys(void **state)
{
	struct host_fixture *fixture = *state;
	struct running running;
	struct control_state got = {0};
	struct error error = {0};
	AUTO_JSON json_t *frame = NULL;

	memcpy(fixture->settings.web3signer_uuid, "another", sizeof "another");
	start(fixture, &running);
	assert_false(provisioner_run(&fixture->settings, &running.options.control, &got, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "key table: no active keys of web3signer_uuid another in /tmp/host-");
	assert_message_contains(&error, "enclave: encrypted_validator_keys: empty");
	frame = fixture_read_json(fixture, "store/init.json"); /* keys of others were not sent */
	assert_int_equal(json_array_size(json_object_get(frame, "encrypted_validator_keys")), 0);
	launcher_free(running.launcher);
}

static void an_enclave_with_a_key_manager_serves_no_keys(void **state)
{
	struct host_fixture *fixture = *state;
	struct running running;
	struct control_state got = {0};
	struct error error = {0};

	fixture_configure(fixture, "{\"mode\":\"key-manager\"}");
	fixture_put_key(fixture, 0x11, true, false);
	fixture_put_key(fixture, 0x22, false, false);
	start(fixture, &running);
	assert_ok(provisioner_run(&fixture->settings, &running.options.control, &got, &error), &error);
	assert_true(got.initialized);
	assert_int_equal(got.key_count, 0);
	launcher_free(running.launcher);
}

static void no_tls_row_is_an_error(void **state)
{
	struct host_fixture *fixture = *state;

	fixture_path(fixture, "tls.sqlite", fixture->settings.tls_table.name);
	{
		struct error error = {0};
		AUTO_TLS_TABLE struct tls_table *table = tls_table_open_sqlite(fixture->settings.tls_table.name, &error);

		assert_ok(table != NULL, &error);
	}
	assert_not_even_tried(fixture, ERROR_NOT_FOUND, "tls.sqlite: TLS table: ");
}

static void broken_tables_are_named(void **state)
{
	struct host_fixture *fixture = *state;
	struct error error = {0};

	fixture_path(fixture, "broken.sqlite", fixture->settings.key_table.name);
	assert_ok(file_write_atomic(fixture->settings.key_table.name,
				    view_of_text("this is no database, and long enough to see that"), 0600, &error),
		  &error);
	assert_not_even_tried(fixture, ERROR_IO, "broken.sqlite");
}

static void missing_credentials_are_named(void **state)
{
	struct host_fixture *fixture = *state;

	assert_int_equal(unsetenv("AWS_ACCESS_KEY_ID"), 0);
	assert_not_even_tried(fixture, ERROR_NOT_FOUND, "credentials: ");
	fixture->settings.credential_source = CREDENTIAL_SOURCE_IMDS;
	/* Port 9 is discard: nothing serves it. */
	memcpy(fixture->settings.imds_url, "http://127.0.0.1:9", sizeof "http://127.0.0.1:9");
	assert_not_even_tried(fixture, ERROR_PEER, "credentials: ");
}

static void an_enclave_that_is_not_there_is_told(void **state)
{
	assert_not_even_tried(*state, ERROR_PEER, "control channel: unix:");
}

static void waiting_ends_at_its_deadline(void **state)
{
	struct host_fixture *fixture = *state;
	struct launch_options options = fixture_launch_options(fixture);
	uint64_t start_ms = clock_monotonic_ms();
	struct control_state got = {0};
	struct error error = {0};

	assert_false(provisioner_wait(&options.control, 300, &never, &got, &error));
	assert_in_range(clock_monotonic_ms() - start_ms, 300, PATIENCE_MS);
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "did not come up within 300 ms: control channel: unix:");
}

static void waiting_can_be_cancelled(void **state)
{
	struct host_fixture *fixture = *state;
	struct launch_options options = fixture_launch_options(fixture);
	const atomic_bool cancel = true;
	struct control_state got = {0};
	struct error error = {0};

	assert_false(provisioner_wait(&options.control, 1000 * PATIENCE_MS, &cancel, &got, &error));
	assert_message_contains(&error, "given up");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(sends_what_the_tables_hold),
		HOST_TEST(passes_on_the_list_of_clients),
		HOST_TEST(passes_on_why_kms_refused),
		HOST_TEST(an_enclave_that_dies_is_noticed_at_once),
		HOST_TEST(missing_tables_are_named),
		HOST_TEST(an_enclave_without_a_key_manager_refuses_no_keys),
		HOST_TEST(an_enclave_with_a_key_manager_serves_no_keys),
		HOST_TEST(no_tls_row_is_an_error),
		HOST_TEST(broken_tables_are_named),
		HOST_TEST(missing_credentials_are_named),
		HOST_TEST(an_enclave_that_is_not_there_is_told),
		HOST_TEST(waiting_ends_at_its_deadline),
		HOST_TEST(waiting_can_be_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
