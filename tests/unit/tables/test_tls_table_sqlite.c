/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for the TLS table in a file alone. */
#include "temporary_store.h"

#include "table_place.h"

static void put(struct tls_table *table, uint64_t key_id, const char *encrypted, const char *cert_pem)
{
	AUTO_TLS_ROW struct tls_row row = {
		.key_id = key_id, .encrypted_tls_key_b64 = memory_copy_text(encrypted), .cert_pem = memory_copy_text(cert_pem)};
	struct error error = {0};

	assert_ok(tls_table_put(table, &row, &error), &error);
}

static void assert_row(struct tls_table *table, uint64_t key_id, const char *encrypted, const char *cert_pem)
{
	AUTO_TLS_ROW struct tls_row row = {0};
	struct error error = {0};

	assert_ok(tls_table_get(table, key_id, &row, &error), &error);
	assert_int_equal(row.key_id, key_id);
	assert_string_equal(row.encrypted_tls_key_b64, encrypted);
	assert_string_equal(row.cert_pem, cert_pem);
}

/* Both tables in one file, open at once, in one process. */
static void shares_a_file_with_the_key_table(void **state)
{
	AUTO_TLS_TABLE struct tls_table *tls_table = open_tls_table(*state);
	AUTO_KEY_TABLE struct key_table *key_table = NULL;
	AUTO_KEY_ROWS struct key_rows rows = {0};
	AUTO_KEY_ROW struct key_row row = {.web3signer_uuid = "local", .chain = "hoodi"};
	struct error error = {0};

	key_table = key_table_open_sqlite(store_path(state), &error);
	assert_ok(key_table != NULL, &error);
	memset(row.pubkey, '0', KEY_TABLE_PUBKEY_SIZE - 1);
	row.encrypted_key_password_mnemonic_b64 = memory_copy_text("x");
	put(tls_table, 1, "encrypted", "pem");
	assert_ok(key_table_put(key_table, &row, 1, false, &error), &error);
	put(tls_table, 1, "again", "pem");
	assert_row(tls_table, 1, "again", "pem");
	assert_ok(key_table_list(key_table, "local", false, &rows, &error), &error);
	assert_int_equal(rows.count, 1);
	assert_private_file(store_path(state));
	assert_query(store_path(state), "SELECT group_concat(name, ' ') FROM pragma_table_info('TLSKeys')",
		     "key_id encrypted_tls_key_b64 cert_pem known_clients_sealed_b64 known_clients_data_key_b64 "
		     "slashing_credentials_b64");
}

/* A file that the first version made. */
static void brings_old_files_up_to_date(void **state)
{
	store_execute(
		store_path(state),
		"CREATE TABLE ValidatorKeys ( web3signer_uuid TEXT NOT NULL, pubkey TEXT NOT NULL CHECK (length(pubkey) = 96), "
		"chain TEXT NOT NULL, active TEXT NOT NULL CHECK (active IN ('true', 'false')), datetime TEXT, "
		"deposit_json_b64 TEXT, encrypted_key_password_mnemonic_b64 TEXT, sealed_key_b64 TEXT, data_key_b64 TEXT, "
		"PRIMARY KEY (web3signer_uuid, pubkey)) STRICT");
	store_execute(store_path(state), "CREATE TABLE TLSKeys ( key_id INTEGER PRIMARY KEY, encrypted_tls_key_b64 TEXT NOT NULL, "
					 "cert_pem TEXT NOT NULL) STRICT");
	store_execute(store_path(state), "INSERT INTO TLSKeys VALUES (1, 'encrypted', 'pem')");
	store_execute(store_path(state), "PRAGMA application_id = 1164866407");
	store_execute(store_path(state), "PRAGMA user_version = 1");
	for (int i = 0; i < 2; i++) {
		AUTO_TLS_TABLE struct tls_table *table = open_tls_table(*state);

		assert_row(table, 1, "encrypted", "pem");
		put(table, 2, "second", "pem");
		assert_query(store_path(state), "PRAGMA user_version", "3");
	}
	assert_query(store_path(state), "SELECT group_concat(name, ' ') FROM pragma_table_info('TLSKeys')",
		     "key_id encrypted_tls_key_b64 cert_pem known_clients_sealed_b64 known_clients_data_key_b64 "
		     "slashing_credentials_b64");
}

static void refuses_foreign_files(void **state)
{
	struct error error = {0};

	store_execute(store_path(state), "CREATE TABLE TLSKeys (x)");
	assert_null(tls_table_open_sqlite(store_path(state), &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "TLS table: ");
	assert_message_contains(&error, "another program");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(shares_a_file_with_the_key_table),
		WITH_PLACE(brings_old_files_up_to_date),
		WITH_PLACE(refuses_foreign_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
