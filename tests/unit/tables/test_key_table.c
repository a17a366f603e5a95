/* SPDX-License-Identifier: Apache-2.0 */
#include "table_place.h"
#include "tables/key_table_backend.h"

static void keeps_every_column(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	AUTO_KEY_ROW struct key_row sealed = sealed_row('a');
	AUTO_KEY_ROW struct key_row seeds = {.web3signer_uuid = UUID, .chain = "mainnet", .active = false};
	AUTO_KEY_ROWS struct key_rows rows = {0};

	memset(seeds.pubkey, 'b', KEY_TABLE_PUBKEY_SIZE - 1);
	seeds.encrypted_key_password_mnemonic_b64 = memory_copy_text("of the loader");
	put_row(table, &sealed, false);
	put_row(table, &seeds, false);
	key_table_done(&table);
	table = open_key_table(*state);
	rows = list_rows(table, false);
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
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	static const char digits[] = "7c0f3e1";
	AUTO_KEY_ROW struct key_row foreign = sealed_row('5');
	AUTO_KEY_ROW struct key_row idle = sealed_row('d');
	AUTO_KEY_ROWS struct key_rows all = {0};
	AUTO_KEY_ROWS struct key_rows active = {0};

	idle.active = false;
	(void)snprintf(foreign.web3signer_uuid, sizeof foreign.web3signer_uuid, "another' OR 1=1 --");
	for (size_t i = 0; digits[i]; i++)
		put_sealed_row(table, digits[i]);
	put_row(table, &foreign, false);
	put_row(table, &idle, false);
	all = list_rows(table, false);
	active = list_rows(table, true);
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
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	AUTO_KEY_ROWS struct key_rows rows = {0};
	struct error error = {0};

	put_sealed_row(table, '1');
	assert_ok(key_table_list(table, "nobody", false, &rows, &error), &error);
	assert_int_equal(rows.count, 0);
}

static void puts_all_or_none(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	AUTO_KEY_ROWS struct key_rows rows = {0};
	struct key_row batch[3] = {sealed_row('1'), sealed_row('2'), sealed_row('3')};
	struct error error = {0};

	put_sealed_row(table, '3');
	assert_false(key_table_put(table, batch, 3, false, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, batch[2].pubkey);
	assert_message_contains(&error, "is there already");
	assert_row_count(table, 1);
	/* A fault that the checks find before the first write. */
	batch[1].chain[0] = 0;
	assert_false(key_table_put(table, batch, 3, true, &error));
	assert_message_contains(&error, "chain");
	assert_row_count(table, 1);
	(void)snprintf(batch[1].chain, sizeof batch[1].chain, "hoodi");
	(void)snprintf(batch[2].chain, sizeof batch[2].chain, "gnosis");
	assert_ok(key_table_put(table, batch, 3, true, &error), &error);
	rows = list_rows(table, false);
	assert_int_equal(rows.count, 3);
	assert_string_equal(rows.rows[2].chain, "gnosis");
	assert_ok(key_table_put(table, NULL, 0, false, &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(batch); i++)
		key_row_done(&batch[i]);
}

static void refuses_one_key_twice_in_a_batch(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	struct key_row batch[2] = {sealed_row('1'), sealed_row('1')};
	struct error error = {0};

	assert_false(key_table_put(table, batch, 2, false, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_row_count(table, 0);
	for (size_t i = 0; i < ARRAY_SIZE(batch); i++)
		key_row_done(&batch[i]);
}

static void replacing_changes_the_form_of_a_row(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	AUTO_KEY_ROW struct key_row seeds = {.web3signer_uuid = UUID, .chain = "hoodi", .active = true};
	AUTO_KEY_ROW struct key_row sealed = sealed_row('4');
	AUTO_KEY_ROWS struct key_rows rows = {0};

	memcpy(seeds.pubkey, sealed.pubkey, sizeof seeds.pubkey);
	seeds.encrypted_key_password_mnemonic_b64 = memory_copy_text("old");
	put_row(table, &seeds, false);
	put_row(table, &sealed, true);
	rows = list_rows(table, true);
	assert_int_equal(rows.count, 1);
	assert_null(rows.rows[0].encrypted_key_password_mnemonic_b64);
	assert_string_equal(rows.rows[0].sealed_key_b64, "sealed 4");
}

static void deletes_one_row(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	AUTO_KEY_ROW struct key_row row = sealed_row('1');
	struct error error = {0};

	put_sealed_row(table, '1');
	put_sealed_row(table, '2');
	assert_false(key_table_delete(table, "another", row.pubkey, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	assert_ok(key_table_delete(table, UUID, row.pubkey, &error), &error);
	assert_row_count(table, 1);
	assert_false(key_table_delete(table, UUID, row.pubkey, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	assert_false(key_table_delete(table, UUID, "0xabc", &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_row_count(table, 1);
}

static void deactivates_one_row(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	AUTO_KEY_ROW struct key_row row = sealed_row('1');
	AUTO_KEY_ROWS struct key_rows active = {0};
	AUTO_KEY_ROWS struct key_rows all = {0};
	struct error error = {0};

	put_sealed_row(table, '1');
	put_sealed_row(table, '2');
	assert_false(key_table_set_active(table, "another", row.pubkey, false, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	/* Twice is the same as once. */
	for (int i = 0; i < 2; i++)
		assert_ok(key_table_set_active(table, UUID, row.pubkey, false, &error), &error);
	active = list_rows(table, true);
	all = list_rows(table, false);
	assert_int_equal(active.count, 1);
	assert_string_not_equal(active.rows[0].pubkey, row.pubkey);
	assert_int_equal(all.count, 2);
	assert_false(all.rows[0].active);
	assert_string_equal(all.rows[0].sealed_key_b64, "sealed 1");
	assert_row_count(table, 2);
}

/* What is put last is what stays. */
static void replaces_one_key_twice_in_a_batch(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	struct key_row batch[3] = {sealed_row('1'), sealed_row('2'), sealed_row('1')};
	AUTO_KEY_ROWS struct key_rows rows = {0};
	struct error error = {0};

	(void)snprintf(batch[2].chain, sizeof batch[2].chain, "gnosis");
	assert_ok(key_table_put(table, batch, 3, true, &error), &error);
	rows = list_rows(table, false);
	assert_int_equal(rows.count, 2);
	assert_string_equal(rows.rows[0].chain, "gnosis");
	for (size_t i = 0; i < ARRAY_SIZE(batch); i++)
		key_row_done(&batch[i]);
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

static void enlarge(char **text, size_t size)
{
	free(*text);
	*text = (char *)memory_allocate_zeroed(1, size + 1);
	memset(*text, 'A', size);
}

static void enlarge_deposit(struct key_row *row)
{
	enlarge(&row->deposit_json_b64, KEY_TABLE_TEXT_MAX_SIZE + 1);
}

static void enlarge_datetime(struct key_row *row)
{
	enlarge(&row->datetime, KEY_TABLE_DATETIME_MAX_SIZE + 1);
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
		{enlarge_deposit, "deposit_json_b64: 12289 bytes, at most 12288"},
		{enlarge_datetime, "datetime: 65 bytes, at most 64"},
	};
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_KEY_ROW struct key_row row = sealed_row('a');
		struct error error = {0};

		cases[i].spoil(&row);
		assert_false(key_table_put(table, &row, 1, true, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, "key table: ");
		assert_message_contains(&error, cases[i].message);
	}
	assert_row_count(table, 0);
}

static void the_largest_row_fits(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	AUTO_KEY_ROW struct key_row row = sealed_row('a');
	AUTO_KEY_ROWS struct key_rows rows = {0};

	enlarge(&row.datetime, KEY_TABLE_DATETIME_MAX_SIZE);
	enlarge(&row.deposit_json_b64, KEY_TABLE_TEXT_MAX_SIZE);
	enlarge(&row.sealed_key_b64, KEY_TABLE_TEXT_MAX_SIZE);
	enlarge(&row.data_key_b64, KEY_TABLE_TEXT_MAX_SIZE);
	memset(row.chain, 'c', sizeof row.chain - 1);
	put_row(table, &row, false);
	rows = list_rows(table, true);
	assert_int_equal(rows.count, 1);
	assert_string_equal(rows.rows[0].chain, row.chain);
	assert_string_equal(rows.rows[0].deposit_json_b64, row.deposit_json_b64);
	assert_string_equal(rows.rows[0].data_key_b64, row.data_key_b64);
}

static void two_connections_share_a_table(void **state)
{
	AUTO_KEY_TABLE struct key_table *one = open_key_table(*state);
	AUTO_KEY_TABLE struct key_table *two = open_key_table(*state);

	put_sealed_row(one, '1');
	put_sealed_row(two, '2');
	assert_row_count(one, 2);
	assert_row_count(two, 2);
}

/* Listed, and then sealed anew: what somebody changed in between stays. */
static void sealing_anew_changes_nothing_else(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	struct key_reseal reseals[5] = {0};
	struct error error = {0};

	for (char digit = 'a'; digit <= 'e'; digit++)
		put_sealed_row(table, digit);
	{
		AUTO_KEY_ROW struct key_row keystore = sealed_row('b');

		drop_both(&keystore);
		add_other_form(&keystore);
		put_row(table, &keystore, true);
	}
	AUTO_KEY_ROWS struct key_rows before = list_rows(table, false);

	assert_int_equal(before.count, ARRAY_SIZE(reseals));
	for (size_t i = 0; i < ARRAY_SIZE(reseals); i++)
		reseals[i] = (struct key_reseal){&before.rows[i], "sealed anew", "another data key", true};
	assert_ok(key_table_set_active(table, UUID, before.rows[0].pubkey, false, &error), &error);
	assert_ok(key_table_assign(table, UUID, before.rows[2].pubkey, "another", &error), &error);
	{
		AUTO_KEY_ROW struct key_row other = sealed_row('d');

		enlarge(&other.sealed_key_b64, 7);
		put_row(table, &other, true);
	}
	assert_ok(key_table_reseal(table, reseals, ARRAY_SIZE(reseals), &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(reseals); i++)
		assert_int_equal(reseals[i].is_done, i != 2 && i != 3);
	AUTO_KEY_ROWS struct key_rows after = list_rows(table, false);

	assert_int_equal(after.count, 4);
	for (size_t i = 0; i < after.count; i++) {
		bool is_done = after.rows[i].pubkey[0] != 'd';

		assert_string_equal(after.rows[i].sealed_key_b64, is_done ? "sealed anew" : "AAAAAAA");
		assert_null(after.rows[i].encrypted_key_password_mnemonic_b64);
		assert_int_equal(after.rows[i].active, after.rows[i].pubkey[0] != 'a');
		assert_non_null(after.rows[i].deposit_json_b64);
	}
	/* Once more it is not as it was listed. */
	assert_ok(key_table_reseal(table, &reseals[1], 1, &error), &error);
	reseals[1].sealed_key_b64 = "";
	reseals[1].data_key_b64 = NULL;
	assert_false(key_table_reseal(table, &reseals[1], 1, &error));
	assert_int_equal(error.code, ERROR_INPUT);
}

static void a_row_is_always_one_signers(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	AUTO_KEY_ROWS struct key_rows theirs = {0};
	AUTO_KEY_ROW struct key_row same = sealed_row('a');
	struct error error = {0};
	char key[KEY_TABLE_PUBKEY_SIZE] = {0};

	memset(key, 'a', sizeof key - 1);
	put_sealed_row(table, 'a');
	put_sealed_row(table, 'b');
	assert_ok(key_table_assign(table, UUID, key, "another", &error), &error);
	assert_row_count(table, 1);
	assert_ok(key_table_list(table, "another", false, &theirs, &error), &error);
	assert_int_equal(theirs.count, 1);
	assert_string_equal(theirs.rows[0].sealed_key_b64, same.sealed_key_b64);
	assert_string_equal(theirs.rows[0].deposit_json_b64, same.deposit_json_b64);
	assert_false(key_table_assign(table, UUID, key, "another", &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	/* Two signers with one key are not made one by losing a row. */
	put_row(table, &same, false);
	assert_false(key_table_assign(table, UUID, key, "another", &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_row_count(table, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_false(key_table_assign(table, UUID, key, i ? "" : UUID, &error));
		assert_int_equal(error.code, ERROR_INPUT);
	}
	/* And one that was inactive can be active again. */
	assert_ok(key_table_set_active(table, UUID, key, false, &error), &error);
	assert_ok(key_table_set_active(table, UUID, key, true, &error), &error);
	{
		AUTO_KEY_ROWS struct key_rows active = list_rows(table, true);

		assert_int_equal(active.count, 2);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(keeps_every_column),
		WITH_PLACE(lists_one_signer_in_order),
		WITH_PLACE(lists_nothing_of_an_unknown_signer),
		WITH_PLACE(puts_all_or_none),
		WITH_PLACE(refuses_one_key_twice_in_a_batch),
		WITH_PLACE(replaces_one_key_twice_in_a_batch),
		WITH_PLACE(replacing_changes_the_form_of_a_row),
		WITH_PLACE(deletes_one_row),
		WITH_PLACE(deactivates_one_row),
		WITH_PLACE(refuses_bad_rows),
		WITH_PLACE(the_largest_row_fits),
		WITH_PLACE(two_connections_share_a_table),
		WITH_PLACE(sealing_anew_changes_nothing_else),
		WITH_PLACE(a_row_is_always_one_signers),
		cmocka_unit_test(bounds_the_number_of_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
