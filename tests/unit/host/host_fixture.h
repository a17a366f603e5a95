/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with everything an ensign-host wants: tables with two keys, folders, a fake enclave and its configuration. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "host/launcher.h"
#include "host/settings.h"
#include "remove_tree.h"
#include "tables/key_table.h"
#include "tables/tls_table.h"
#include "vectors.h"

#define FIXTURE_UUID "fixture"
#define FIXTURE_FOLDER "/tmp/host-XXXXXX"
/* Nothing takes that long unless it is broken, sanitizers and a busy machine included. */
#define PATIENCE_MS 30000u

struct host_fixture {
	char folder[sizeof FIXTURE_FOLDER];
	struct settings settings;
};

static inline const char *fake_enclave_path(void)
{
	const char *path = getenv("ENSIGN_FAKE_ENCLAVE");

	assert_non_null(path);
	return path;
}

static inline void fixture_path(const struct host_fixture *fixture, const char *name, char *ret_path)
{
	(void)snprintf(ret_path, SETTINGS_PATH_SIZE, "%s/%s", fixture->folder, name);
}

/* Mode and more of the fake enclave, see fake_enclave.c. */
static inline void fixture_configure(const struct host_fixture *fixture, const char *configuration)
{
	struct error error = {0};

	assert_ok(file_write_atomic(fixture->settings.configuration, view_of_text(configuration), 0600, &error), &error);
}

static inline void fixture_put_key(const struct host_fixture *fixture, uint8_t seed, bool sealed, bool active)
{
	AUTO_KEY_ROW struct key_row row = {.active = active};
	uint8_t pubkey[48];
	struct error error = {0};
	AUTO_KEY_TABLE struct key_table *table = key_table_open_sqlite(fixture->settings.key_table.name, &error);

	assert_ok(table != NULL, &error);
	memset(pubkey, seed, sizeof pubkey);
	hex_encode(view_of(pubkey, sizeof pubkey), row.pubkey);
	memcpy(row.web3signer_uuid, FIXTURE_UUID, sizeof FIXTURE_UUID);
	memcpy(row.chain, "hoodi", sizeof "hoodi");
	if (sealed) {
		row.sealed_key_b64 = memory_copy_text("c2VhbGVk");
		row.data_key_b64 = memory_copy_text("ZGF0YSBrZXk=");
	}
	if (!sealed)
		row.encrypted_key_password_mnemonic_b64 = memory_copy_text("ZW5jcnlwdGVk");
	assert_ok(key_table_put(table, &row, 1, true, &error), &error);
}

static inline void fixture_put_tls(const struct host_fixture *fixture)
{
	AUTO_TLS_ROW struct tls_row row = {.key_id = TLS_TABLE_KEY_ID};
	struct error error = {0};
	AUTO_TLS_TABLE struct tls_table *table = tls_table_open_sqlite(fixture->settings.tls_table.name, &error);

	assert_ok(table != NULL, &error);
	row.encrypted_tls_key_b64 = memory_copy_text("dGxzIGtleQ==");
	row.cert_pem = memory_copy_text("Y2VydA==");
	assert_ok(tls_table_put(table, &row, &error), &error);
}

static inline void fixture_fill_settings(struct host_fixture *fixture)
{
	AUTO_BUFFER struct buffer json = {0};
	struct error error = {0};

	buffer_append_format(
		&json,
		"{\"launcher\":\"process\",\"program\":\"%s\",\"configuration\":\"%s/enclave.json\","
		"\"run_folder\":\"%s/run\",\"store_folder\":\"%s/store\",\"web3signer_uuid\":\"" FIXTURE_UUID "\","
		"\"key_table\":\"sqlite:%s/tables.sqlite\",\"tls_table\":\"sqlite:%s/tables.sqlite\","
		"\"listen\":\"unix:%s/listen.sock\",\"credentials\":\"environment\",\"nsm\":\"unix:%s/nsm.sock\","
		"\"relays\":[{\"name\":\"kms\",\"listen\":\"unix:%s/run/kms.sock\",\"connect\":\"unix:%s/outside.sock\"}]}",
		fake_enclave_path(), fixture->folder, fixture->folder, fixture->folder, fixture->folder, fixture->folder,
		fixture->folder, fixture->folder, fixture->folder, fixture->folder);
	assert_ok(settings_parse(buffer_view(&json), &fixture->settings, &error), &error);
}

static inline int set_up(void **state)
{
	struct host_fixture *fixture = memory_allocate_zeroed(1, sizeof *fixture);
	struct error error = {0};

	assert_ok(secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error), &error);
	memcpy(fixture->folder, FIXTURE_FOLDER, sizeof FIXTURE_FOLDER);
	assert_non_null(mkdtemp(fixture->folder));
	fixture_fill_settings(fixture);
	assert_ok(folder_make(fixture->settings.run_folder, 0700, &error), &error);
	assert_ok(folder_make(fixture->settings.store_folder, 0700, &error), &error);
	fixture_put_key(fixture, 0x11, true, true);
	fixture_put_key(fixture, 0x22, false, true);
	fixture_put_key(fixture, 0x33, true, false);
	fixture_put_tls(fixture);
	fixture_configure(fixture, "{\"mode\":\"serve\"}");
	assert_int_equal(setenv("AWS_ACCESS_KEY_ID", "AKIAFIXTUREFIXTURE00", 1), 0);
	assert_int_equal(setenv("AWS_SECRET_ACCESS_KEY", "fixture-secret", 1), 0);
	assert_int_equal(setenv("AWS_SESSION_TOKEN", "fixture-token", 1), 0);
	*state = fixture;
	return 0;
}

static inline int tear_down(void **state)
{
	struct host_fixture *fixture = *state;

	(void)remove_tree(fixture->folder);
	free(fixture);
	return 0;
}

/* A JSON file of the fixture; NULL while it is not there. */
static inline json_t *fixture_read_json(const struct host_fixture *fixture, const char *name)
{
	char path[SETTINGS_PATH_SIZE];

	fixture_path(fixture, name, path);
	return file_exists(path) ? load_json(path) : NULL;
}

static inline size_t fixture_start_count(const struct host_fixture *fixture)
{
	char path[SETTINGS_PATH_SIZE];
	struct stat status;

	fixture_path(fixture, "store/starts", path);
	return stat(path, &status) == 0 ? (size_t)status.st_size : 0;
}

static inline struct address fixture_address(const struct host_fixture *fixture, const char *name)
{
	AUTO_FREE char *text = memory_format("unix:%s/%s", fixture->folder, name);
	struct address address = {0};
	struct error error = {0};

	assert_ok(address_parse(text, &address, &error), &error);
	return address;
}

static inline struct launch_options fixture_launch_options(const struct host_fixture *fixture)
{
	return (struct launch_options){
		.program = fixture->settings.program,
		.configuration = fixture->settings.configuration,
		.store_folder = fixture->settings.store_folder,
		.control = fixture_address(fixture, "run/control.sock"),
		.signing = fixture_address(fixture, "run/signing.sock"),
		.kms = fixture_address(fixture, "run/kms.sock"),
		.nsm = fixture_address(fixture, "nsm.sock"),
	};
}

#define HOST_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
