/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/key_table.h"

#include "tables/key_table_backend.h"

const struct key_column key_columns[KEY_COLUMNS] = {
	{"datetime", offsetof(struct key_row, datetime), KEY_TABLE_DATETIME_MAX_SIZE},
	{"deposit_json_b64", offsetof(struct key_row, deposit_json_b64), KEY_TABLE_TEXT_MAX_SIZE},
	{"encrypted_key_password_mnemonic_b64", offsetof(struct key_row, encrypted_key_password_mnemonic_b64),
	 KEY_TABLE_TEXT_MAX_SIZE},
	{"sealed_key_b64", offsetof(struct key_row, sealed_key_b64), KEY_TABLE_TEXT_MAX_SIZE},
	{"data_key_b64", offsetof(struct key_row, data_key_b64), KEY_TABLE_TEXT_MAX_SIZE},
};

void key_row_done(struct key_row *row)
{
	if (!row)
		return;
	free(row->datetime);
	free(row->deposit_json_b64);
	free(row->encrypted_key_password_mnemonic_b64);
	free(row->sealed_key_b64);
	free(row->data_key_b64);
	*row = (struct key_row){0};
}

void key_rows_done(struct key_rows *rows)
{
	if (!rows)
		return;
	for (size_t i = 0; i < rows->count; i++)
		key_row_done(&rows->rows[i]);
	for (size_t i = 0; i < rows->problem_count; i++)
		free(rows->problems[i].message);
	free(rows->rows);
	free(rows->problems);
	*rows = (struct key_rows){0};
}

static int compare_rows(const void *a, const void *b)
{
	return strcmp(((const struct key_row *)a)->pubkey, ((const struct key_row *)b)->pubkey);
}

const struct key_row *key_rows_find(const struct key_rows *rows, const char *pubkey)
{
	struct key_row wanted = {0};

	(void)snprintf(wanted.pubkey, sizeof wanted.pubkey, "%s", pubkey);
	return rows->count == 0 ? NULL : bsearch(&wanted, rows->rows, rows->count, sizeof wanted, compare_rows);
}

bool key_rows_append(struct key_rows *rows, size_t *capacity, struct key_row *row, struct error *error)
{
	if (rows->count == KEY_TABLE_ROWS_MAX)
		return error_set(error, ERROR_INPUT, "key table: more than %d keys", KEY_TABLE_ROWS_MAX);
	if (rows->count == *capacity) {
		size_t grown = *capacity ? 2 * *capacity : 16;
		struct key_row *moved = (struct key_row *)memory_allocate(grown * sizeof *moved);

		if (rows->count)
			memcpy(moved, rows->rows, rows->count * sizeof *moved);
		free(rows->rows);
		rows->rows = moved;
		*capacity = grown;
	}
	rows->rows[rows->count++] = *row;
	*row = (struct key_row){0};
	return true;
}

void key_rows_append_problem(struct key_rows *rows, const char *pubkey, const struct error *reason)
{
	bool is_full = (rows->problem_count & (rows->problem_count - 1)) == 0; /* it is 0, 1, 2, 4, 8, … */
	struct key_row_problem *problem;

	if (is_full) {
		struct key_row_problem *moved = memory_allocate_zeroed(2 * rows->problem_count + 1, sizeof *moved);

		if (rows->problem_count)
			memcpy(moved, rows->problems, rows->problem_count * sizeof *moved);
		free(rows->problems);
		rows->problems = moved;
	}
	problem = &rows->problems[rows->problem_count++];
	(void)snprintf(problem->pubkey, sizeof problem->pubkey, "%s", pubkey[0] ? pubkey : "?");
	problem->message = memory_copy_text(reason->message);
}

bool key_pubkey_is_valid(const char *pubkey)
{
	return strnlen(pubkey, KEY_TABLE_PUBKEY_SIZE) == KEY_TABLE_PUBKEY_SIZE - 1 &&
	       strspn(pubkey, "0123456789abcdef") == KEY_TABLE_PUBKEY_SIZE - 1;
}

bool key_row_check_form(const struct key_row *row, struct error *error)
{
	if (!row->sealed_key_b64 != !row->data_key_b64)
		return error_set(error, ERROR_INPUT, "%s: missing", row->sealed_key_b64 ? "data_key_b64" : "sealed_key_b64");
	if (!row->sealed_key_b64 && !row->encrypted_key_password_mnemonic_b64)
		return error_set(error, ERROR_INPUT, "encrypted_key_password_mnemonic_b64: missing, and so is sealed_key_b64");
	return true;
}

static bool check_names(const char *web3signer_uuid, const char *pubkey, struct error *error)
{
	if (web3signer_uuid[0] == 0 || strnlen(web3signer_uuid, KEY_TABLE_UUID_SIZE) == KEY_TABLE_UUID_SIZE)
		return error_set(error, ERROR_INPUT, "web3signer_uuid: empty or longer than %d bytes", KEY_TABLE_UUID_SIZE - 1);
	if (!key_pubkey_is_valid(pubkey))
		return error_set(error, ERROR_INPUT, "pubkey: not 96 lower-case hex digits");
	return true;
}

static bool check_sizes(const struct key_row *row, struct error *error)
{
	for (size_t i = 0; i < KEY_COLUMNS; i++) {
		const char *text = key_column_value(row, &key_columns[i]);

		if (text && strlen(text) > key_columns[i].max_size)
			return error_set(error, ERROR_INPUT, "pubkey %s: %s: %zu bytes, at most %zu are allowed", row->pubkey,
					 key_columns[i].name, strlen(text), key_columns[i].max_size);
	}
	return true;
}

static bool check_row(const struct key_row *row, struct error *error)
{
	bool sealed = row->sealed_key_b64 && row->data_key_b64;
	bool half_sealed = (row->sealed_key_b64 || row->data_key_b64) && !sealed;

	if (!check_names(row->web3signer_uuid, row->pubkey, error))
		return false;
	if (row->chain[0] == 0 || strnlen(row->chain, sizeof row->chain) == sizeof row->chain)
		return error_set(error, ERROR_INPUT, "pubkey %s: chain: empty or longer than %d bytes", row->pubkey,
				 KEY_TABLE_CHAIN_SIZE - 1);
	if (half_sealed || sealed == (row->encrypted_key_password_mnemonic_b64 != NULL))
		return error_set(
			error, ERROR_INPUT,
			"pubkey %s: either sealed_key_b64 and data_key_b64 or encrypted_key_password_mnemonic_b64 is wanted",
			row->pubkey);
	return check_sizes(row, error);
}

bool key_table_list(struct key_table *table, const char *web3signer_uuid, bool only_active, struct key_rows *ret_rows,
		    struct error *error)
{
	AUTO_KEY_ROWS struct key_rows rows = {0};

	if (!table->operations->list(table, web3signer_uuid, only_active, &rows, error))
		return error_prefix(error, "key table");
	*ret_rows = rows;
	rows = (struct key_rows){0};
	return true;
}

bool key_table_put(struct key_table *table, const struct key_row *rows, size_t count, bool replace, struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		if (!check_row(&rows[i], error))
			return error_prefix(error, "key table");
	}
	return table->operations->put(table, rows, count, replace, error) || error_prefix(error, "key table");
}

static bool check_reseal(const struct key_reseal *reseal, struct error *error)
{
	struct key_row after = *reseal->before;

	after.encrypted_key_password_mnemonic_b64 = NULL;
	after.sealed_key_b64 = (char *)(uintptr_t)reseal->sealed_key_b64;
	after.data_key_b64 = (char *)(uintptr_t)reseal->data_key_b64;
	return check_row(&after, error);
}

bool key_table_reseal(struct key_table *table, struct key_reseal *reseals, size_t count, struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		reseals[i].is_done = false;
		if (!check_reseal(&reseals[i], error))
			return error_prefix(error, "key table");
	}
	return table->operations->reseal(table, reseals, count, error) || error_prefix(error, "key table");
}

bool key_table_delete(struct key_table *table, const char *web3signer_uuid, const char *pubkey, struct error *error)
{
	if (!check_names(web3signer_uuid, pubkey, error))
		return error_prefix(error, "key table");
	return table->operations->remove(table, web3signer_uuid, pubkey, error) || error_prefix(error, "key table");
}

void key_table_free(struct key_table *table)
{
	if (table)
		table->operations->free(table);
}

bool key_table_assign(struct key_table *table, const char *web3signer_uuid, const char *pubkey, const char *to_uuid,
		      struct error *error)
{
	if (!check_names(web3signer_uuid, pubkey, error) || !check_names(to_uuid, pubkey, error))
		return error_prefix(error, "key table");
	if (strcmp(web3signer_uuid, to_uuid) == 0)
		return error_set(error, ERROR_INPUT, "key table: pubkey %s: %s has it already", pubkey, to_uuid);
	return table->operations->assign(table, web3signer_uuid, pubkey, to_uuid, error) || error_prefix(error, "key table");
}

bool key_table_set_active(struct key_table *table, const char *web3signer_uuid, const char *pubkey, bool is_active,
			  struct error *error)
{
	if (!check_names(web3signer_uuid, pubkey, error))
		return error_prefix(error, "key table");
	return table->operations->set_active(table, web3signer_uuid, pubkey, is_active, error) || error_prefix(error, "key table");
}
