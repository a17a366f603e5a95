/* SPDX-License-Identifier: Apache-2.0 */
#include "temporary_store.h"

#include "tables/key_table.h"
#include "tables/key_table_backend.h"

#define UUID "6b1f4e2a-0c57-4f0e-9d3c-2f4d1b6a7c10"

static struct key_table *open_table(const char *path)
{
	struct error error = {0};
	struct key_table *table = key_table_open_sqlite(path, &error);

	assert_ok(table != NULL, &error);
	return table;
}

/* A sealed row whose pubkey is 96 times `digit`. Texts are copies, freed by key_row_done(). */
static struct key_row sealed_row(char digit)
{
	struct key_row row = {.web3signer_uuid = UUID, .chain = "hoodi", .active = true};

	memset(row.pubkey, digit, KEY_TABLE_PUBKEY_SIZE - 1);
	row.datetime = memory_copy_text("2026-11-23T00:39:22Z");
	row.deposit_json_b64 = memory_copy_text("e30=");
	row.sealed_key_b64 = memory_format("sealed %c", digit);
	row.data_key_b64 = memory_copy_text("data key");
	return row;
}

static void put(struct key_table *table, const struct key_row *row, bool replace)
{
	struct error error = {0};

	assert_ok(key_table_put(table, row, 1, replace, &error), &error);
}

static void put_sealed(struct key_table *table, char digit)
{
	AUTO_KEY_ROW struct key_row row = sealed_row(digit);

	put(table, &row, false);
}

static struct key_rows list(struct key_table *table, bool only_active)
{
	struct key_rows rows = {0};
	struct error error = {0};

	assert_ok(key_table_list(table, UUID, only_active, &rows, &error), &error);
	return rows;
}

static void assert_count(struct key_table *table, size_t count)
{
	AUTO_KEY_ROWS struct key_rows rows = list(table, false);

	assert_int_equal(rows.count, count);
}

static void keeps_every_column(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_table(store_path(state));
	AUTO_KEY_ROW struct key_row sealed = sealed_row('a');
	AUTO_KEY_ROW struct key_row seeds = {.web3signer_uuid = UUID, .chain = "mainnet", .active = false};
	AUTO_KEY_ROWS struct key_rows rows = {0};

	memset(seeds.pubkey, 'b', KEY_TABLE_PUBKEY_SIZE - 1);
	seeds.encrypted_key_password_mnemonic_b64 = memory_copy_text("of the loader");
	put(table, &sealed, false);
	put(table, &seeds, false);
	key_table_done(&table);
	table = open_table(store_path(state));
	rows = list(table, false);
	assert_int_equal(rows.count, 2);
	assert_string_equal(rows.rows[0].web3signer_uuid, UUID);
	assert_string_equal(rows.rows[0].pubkey, sealed.pubkey);
	assert_string_equal(rows.rows[0].chain, "hoodi");
	assert_true(rows.rows[0].active);
	assert_string_equal(rows.rows[0].datetime, "2026-11-23T00:39:22Z");
	assert_string_equal(rows.rows[0].deposit_json_b64, "e30=");
	assert_null(rows.rows[0].encrypted_key_password_mnemonic_b64);
	assert_string_equal(rows.rows[0].sealed_key_b64, "sealed a");
	assert_string_equal(rows.rows[0].data_key_b64, "data key");
	assert_string_equal(rows.rows[1].pubkey, seeds.pubkey);
	assert_string_equal(rows.rows[1].chain, "mainnet");
	assert_false(rows.rows[1].active);
	assert_null(rows.rows[1].datetime);
	assert_null(rows.rows[1].deposit_json_b64);
	assert_string_equal(rows.rows[1].encrypted_key_password_mnemonic_b64, "of the loader");
	assert_null(rows.rows[1].sealed_key_b64);
	assert_null(rows.rows[1].data_key_b64);
}

static void lists_one_signer_in_order(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_table(store_path(state));
	static const char digits[] = "7c0f3e1";
	AUTO_KEY_ROW struct key_row foreign = sealed_row('5');
	AUTO_KEY_ROW struct key_row idle = sealed_row('d');
	AUTO_KEY_ROWS struct key_rows all = {0};
	AUTO_KEY_ROWS struct key_rows active = {0};

	idle.active = false;
	(void)snprintf(foreign.web3signer_uuid, sizeof foreign.web3signer_uuid, "another' OR 1=1 --");
	for (size_t i = 0; digits[i]; i++)
		put_sealed(table, digits[i]);
	put(table, &foreign, false);
	put(table, &idle, false);
	all = list(table, false);
	active = list(table, true);
	assert_int_equal(all.count, strlen(digits) + 1);
	assert_int_equal(active.count, strlen(digits));
	for (size_t i = 0; i < all.count; i++) {
		assert_string_equal(all.rows[i].web3signer_uuid, UUID);
		assert_true(i == 0 || strcmp(all.rows[i - 1].pubkey, all.rows[i].pubkey) < 0);
	}
	for (size_t i = 0; i < active.count; i++)
		assert_true(active.rows[i].active);
}

static void lists_nothing_of_an_unknown_signer(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_table(store_path(state));
	AUTO_KEY_ROWS struct key_rows rows = {0};
	struct error error = {0};

	put_sealed(table, '1');
	assert_ok(key_table_list(table, "nobody", false, &rows, &error), &error);
	assert_int_equal(rows.count, 0);
}

static void puts_all_or_none(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_table(store_path(state));
	AUTO_KEY_ROWS struct key_rows rows = {0};
	struct key_row batch[3] = {sealed_row('1'), sealed_row('2'), sealed_row('3')};
	struct error error = {0};

	put_sealed(table, '3');
	assert_false(key_table_put(table, batch, 3, false, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, batch[2].pubkey);
	assert_message_contains(&error, "is there already");
	assert_count(table, 1);
	/* A fault that the checks find before the first write. */
	batch[1].chain[0] = 0;
	assert_false(key_table_put(table, batch, 3, true, &error));
	assert_message_contains(&error, "chain");
	assert_count(table, 1);
	(void)snprintf(batch[1].chain, sizeof batch[1].chain, "hoodi");
	(void)snprintf(batch[2].chain, sizeof batch[2].chain, "gnosis");
	assert_ok(key_table_put(table, batch, 3, true, &error), &error);
	rows = list(table, false);
	assert_int_equal(rows.count, 3);
	assert_string_equal(rows.rows[2].chain, "gnosis");
	assert_ok(key_table_put(table, NULL, 0, false, &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(batch); i++)
		key_row_done(&batch[i]);
}

static void refuses_one_key_twice_in_a_batch(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_table(store_path(state));
	struct key_row batch[2] = {sealed_row('1'), sealed_row('1')};
	struct error error = {0};

	assert_false(key_table_put(table, batch, 2, false, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_count(table, 0);
	for (size_t i = 0; i < ARRAY_SIZE(batch); i++)
		key_row_done(&batch[i]);
}

static void replacing_changes_the_form_of_a_row(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_table(store_path(state));
	AUTO_KEY_ROW struct key_row seeds = {.web3signer_uuid = UUID, .chain = "hoodi", .active = true};
	AUTO_KEY_ROW struct key_row sealed = sealed_row('4');
	AUTO_KEY_ROWS struct key_rows rows = {0};

	memcpy(seeds.pubkey, sealed.pubkey, sizeof seeds.pubkey);
	seeds.encrypted_key_password_mnemonic_b64 = memory_copy_text("old");
	put(table, &seeds, false);
	put(table, &sealed, true);
	rows = list(table, true);
	assert_int_equal(rows.count, 1);
	assert_null(rows.rows[0].encrypted_key_password_mnemonic_b64);
	assert_string_equal(rows.rows[0].sealed_key_b64, "sealed 4");
}

static void deletes_one_row(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_table(store_path(state));
	AUTO_KEY_ROW struct key_row row = sealed_row('1');
	struct error error = {0};

	put_sealed(table, '1');
	put_sealed(table, '2');
	assert_false(key_table_delete(table, "another", row.pubkey, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	assert_ok(key_table_delete(table, UUID, row.pubkey, &error), &error);
	assert_count(table, 1);
	assert_false(key_table_delete(table, UUID, row.pubkey, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	assert_false(key_table_delete(table, UUID, "0xabc", &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_count(table, 1);
}

static void spoil_pubkey_case(struct key_row *row)
{
	row->pubkey[95] = 'A';
}

static void spoil_pubkey_length(struct key_row *row)
{
	row->pubkey[95] = 0;
}

static void spoil_pubkey_end(struct key_row *row)
{
	row->pubkey[96] = 'a';
}

static void spoil_uuid(struct key_row *row)
{
	row->web3signer_uuid[0] = 0;
}

static void spoil_uuid_end(struct key_row *row)
{
	memset(row->web3signer_uuid, 'u', sizeof row->web3signer_uuid);
}

static void spoil_chain_end(struct key_row *row)
{
	memset(row->chain, 'c', sizeof row->chain);
}

static void drop_data_key(struct key_row *row)
{
	cleanup_free(&row->data_key_b64);
	row->data_key_b64 = NULL;
}

static void drop_sealed_key(struct key_row *row)
{
	cleanup_free(&row->sealed_key_b64);
	row->sealed_key_b64 = NULL;
}

static void drop_both(struct key_row *row)
{
	drop_data_key(row);
	drop_sealed_key(row);
}

static void add_other_form(struct key_row *row)
{
	row->encrypted_key_password_mnemonic_b64 = memory_copy_text("too much");
}

static void refuses_bad_rows(void **state)
{
	static const struct {
		void (*spoil)(struct key_row *row);
		const char *message;
	} cases[] = {
		{spoil_pubkey_case, "pubkey: not 96"},
		{spoil_pubkey_length, "pubkey: not 96"},
		{spoil_pubkey_end, "pubkey: not 96"},
		{spoil_uuid, "web3signer_uuid: empty"},
		{spoil_uuid_end, "web3signer_uuid: empty or longer than 63"},
		{spoil_chain_end, "chain: empty or longer than 31"},
		{drop_data_key, "sealed_key_b64 and data_key_b64"},
		{drop_sealed_key, "sealed_key_b64 and data_key_b64"},
		{drop_both, "sealed_key_b64 and data_key_b64"},
		{add_other_form, "or encrypted_key_password_mnemonic_b64"},
	};
	AUTO_KEY_TABLE struct key_table *table = open_table(store_path(state));

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_KEY_ROW struct key_row row = sealed_row('a');
		struct error error = {0};

		cases[i].spoil(&row);
		assert_false(key_table_put(table, &row, 1, true, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, "key table: ");
		assert_message_contains(&error, cases[i].message);
	}
	assert_count(table, 0);
}

static void the_file_is_private_and_synced(void **state)
{
	mode_t before = umask(0);
	AUTO_KEY_TABLE struct key_table *table = open_table(store_path(state));
	AUTO_FREE char *wal = memory_format("%s-wal", store_path(state));
	AUTO_FREE char *shm = memory_format("%s-shm", store_path(state));

	(void)umask(before);
	put_sealed(table, '1');
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

static void two_connections_share_a_file(void **state)
{
	AUTO_KEY_TABLE struct key_table *one = open_table(store_path(state));
	AUTO_KEY_TABLE struct key_table *two = open_table(store_path(state));

	put_sealed(one, '1');
	put_sealed(two, '2');
	assert_count(one, 2);
	assert_count(two, 2);
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
	AUTO_KEY_TABLE struct key_table *table = open_table(store_path(state));

	key_table_done(&table);
	store_execute(store_path(state), "PRAGMA user_version = 4");
	assert_does_not_open(store_path(state), ERROR_INPUT, "schema version 4, this program knows 3");
}

/* Somebody else wrote the row: nothing overflows. */
static void refuses_tampered_columns(void **state)
{
	static const char *const updates[][2] = {
		{"UPDATE ValidatorKeys SET chain = 'a chain with a name much too long for the row'", "chain: 45 bytes, at most 31"},
		{"UPDATE ValidatorKeys SET chain = 'ok', datetime = 'a' || char(0) || 'b'", "datetime: text with a NUL"},
	};
	AUTO_KEY_TABLE struct key_table *table = open_table(store_path(state));

	put_sealed(table, '1');
	for (size_t i = 0; i < ARRAY_SIZE(updates); i++) {
		AUTO_KEY_ROWS struct key_rows rows = {0};
		struct error error = {0};

		store_execute(store_path(state), updates[i][0]);
		assert_false(key_table_list(table, UUID, false, &rows, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, updates[i][1]);
		assert_null(rows.rows);
	}
}

static void bounds_the_number_of_rows(void **state)
{
	AUTO_KEY_ROWS struct key_rows rows = {0};
	struct error error = {0};
	size_t capacity = 0;

	(void)state;
	for (size_t i = 0; i < KEY_TABLE_ROWS_MAX; i++) {
		struct key_row row = {.web3signer_uuid = UUID};

		assert_ok(key_rows_append(&rows, &capacity, &row, &error), &error);
	}
	assert_false(key_rows_append(&rows, &capacity, &rows.rows[0], &error));
	assert_message_contains(&error, "more than 100000 keys");
	assert_int_equal(rows.count, KEY_TABLE_ROWS_MAX);
}

static void a_row_is_always_one_signers(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_table(store_path(state));
	AUTO_KEY_ROWS struct key_rows theirs = {0};
	AUTO_KEY_ROW struct key_row same = sealed_row('a');
	struct error error = {0};
	char key[KEY_TABLE_PUBKEY_SIZE] = {0};

	memset(key, 'a', sizeof key - 1);
	put_sealed(table, 'a');
	put_sealed(table, 'b');
	assert_ok(key_table_assign(table, UUID, key, "another", &error), &error);
	assert_count(table, 1);
	assert_ok(key_table_list(table, "another", false, &theirs, &error), &error);
	assert_int_equal(theirs.count, 1);
	assert_string_equal(theirs.rows[0].sealed_key_b64, "sealed a");
	assert_false(key_table_assign(table, UUID, key, "another", &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	/* Two signers with one key are not made one by losing a row. */
	put(table, &same, false);
	assert_false(key_table_assign(table, UUID, key, "another", &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_count(table, 2);
	assert_false(key_table_assign(table, UUID, key, "", &error));
	assert_int_equal(error.code, ERROR_INPUT);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, temporary_store_make, temporary_store_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(keeps_every_column),
		STORE_TEST(lists_one_signer_in_order),
		STORE_TEST(lists_nothing_of_an_unknown_signer),
		STORE_TEST(puts_all_or_none),
		STORE_TEST(refuses_one_key_twice_in_a_batch),
		STORE_TEST(replacing_changes_the_form_of_a_row),
		STORE_TEST(deletes_one_row),
		STORE_TEST(refuses_bad_rows),
		STORE_TEST(the_file_is_private_and_synced),
		STORE_TEST(two_connections_share_a_file),
		STORE_TEST(refuses_foreign_files),
		STORE_TEST(refuses_a_later_version),
		STORE_TEST(refuses_tampered_columns),
		STORE_TEST(a_row_is_always_one_signers),
		cmocka_unit_test(bounds_the_number_of_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
