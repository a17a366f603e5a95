/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for the key table in a file alone. */
#include "temporary_store.h"

#include "table_place.h"

static void the_file_is_private_and_synced(void **state)
{
	mode_t before = umask(0);
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	AUTO_FREE char *wal = memory_format("%s-wal", store_path(state));
	AUTO_FREE char *shm = memory_format("%s-shm", store_path(state));

	(void)umask(before);
	put_sealed_row(table, '1');
	assert_private_file(store_path(state));
	assert_private_file(wal);
	assert_private_file(shm);
	assert_query(store_path(state), "PRAGMA journal_mode", "wal");
	assert_query(store_path(state), "PRAGMA user_version", "3");
	assert_query(store_path(state), "SELECT group_concat(name, ' ') FROM pragma_table_info('ValidatorKeys')",
		     "web3signer_uuid pubkey chain active datetime deposit_json_b64 encrypted_key_password_mnemonic_b64"
		     " sealed_key_b64 data_key_b64");
	assert_query(store_path(state), "SELECT group_concat(DISTINCT type) FROM pragma_table_info('ValidatorKeys')", "TEXT");
	assert_query(store_path(state), "SELECT active FROM ValidatorKeys", "true");
}

static void assert_does_not_open(const char *path, enum error_code code, const char *message)
{
	struct error error = {0};
	AUTO_KEY_TABLE struct key_table *table = key_table_open_sqlite(path, &error);

	assert_null(table);
	assert_int_equal(error.code, code);
	assert_message_contains(&error, message);
}

static void refuses_foreign_files(void **state)
{
	const char *path = store_path(state);
	FILE *file;

	assert_does_not_open("/nonexistent/tables.sqlite", ERROR_IO, "/nonexistent/tables.sqlite");
	assert_does_not_open("/tmp", ERROR_IO, "/tmp");
	store_execute(path, "CREATE TABLE other (x)");
	assert_does_not_open(path, ERROR_INPUT, "a database of another program");
	assert_query(path, "SELECT group_concat(name) FROM sqlite_schema", "other");
	assert_query(path, "PRAGMA journal_mode", "delete");
	assert_int_equal(unlink(path), 0);
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 100; i++)
		(void)fputs("this is no database at all\n", file);
	assert_int_equal(fclose(file), 0);
	assert_does_not_open(path, ERROR_IO, "not a database");
}

static void refuses_a_later_version(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);

	key_table_done(&table);
	store_execute(store_path(state), "PRAGMA user_version = 4");
	assert_does_not_open(store_path(state), ERROR_INPUT, "schema version 4, this program knows 3");
}

#define OF_THE_FIRST " WHERE pubkey LIKE '1%'"

/* Somebody else wrote the row: nothing overflows, and the others are listed. */
static void tells_of_tampered_rows(void **state)
{
	static const char *const updates[][2] = {
		{"UPDATE ValidatorKeys SET chain = 'a chain with a name much too long for the row'" OF_THE_FIRST,
		 "chain: 45 bytes, at most 31"},
		{"UPDATE ValidatorKeys SET chain = 'ok', datetime = 'a' || char(0) || 'b'" OF_THE_FIRST,
		 "datetime: text with a NUL"},
		{"UPDATE ValidatorKeys SET datetime = NULL, data_key_b64 = NULL" OF_THE_FIRST, "data_key_b64: missing"},
	};
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);

	put_sealed_row(table, '1');
	put_sealed_row(table, '2');
	for (size_t i = 0; i < ARRAY_SIZE(updates); i++) {
		AUTO_KEY_ROWS struct key_rows rows = {0};
		struct error error = {0};

		store_execute(store_path(state), updates[i][0]);
		assert_ok(key_table_list(table, UUID, false, &rows, &error), &error);
		assert_int_equal(rows.count, 1);
		assert_int_equal(rows.rows[0].pubkey[0], '2');
		assert_int_equal(rows.problem_count, 1);
		assert_int_equal(rows.problems[0].pubkey[0], '1');
		assert_non_null(strstr(rows.problems[0].message, updates[i][1]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(the_file_is_private_and_synced),
		WITH_PLACE(refuses_foreign_files),
		WITH_PLACE(refuses_a_later_version),
		WITH_PLACE(tells_of_tampered_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
