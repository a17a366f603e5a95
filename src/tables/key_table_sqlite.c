/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/key_table.h"

#include "tables/key_table_backend.h"
#include "tables/sqlite_store.h"

#define COLUMNS                                                                                                                    \
	"web3signer_uuid, pubkey, chain, active, datetime, deposit_json_b64, encrypted_key_password_mnemonic_b64,"                 \
	" sealed_key_b64, data_key_b64"
#define VALUES "(" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"

struct sqlite_key_table {
	struct key_table base;
	sqlite3 *database;
};

static sqlite3 *database_of(struct key_table *table)
{
	return ((struct sqlite_key_table *)table)->database;
}

static bool read_row(sqlite3_stmt *statement, struct key_row *ret_row, struct error *error)
{
	struct key_row *row = ret_row;
	char active[sizeof "false"];

	if (!sqlite_store_read_text_into(statement, 0, row->web3signer_uuid, sizeof row->web3signer_uuid, error) ||
	    !sqlite_store_read_text_into(statement, 1, row->pubkey, sizeof row->pubkey, error) ||
	    !sqlite_store_read_text_into(statement, 2, row->chain, sizeof row->chain, error) ||
	    !sqlite_store_read_text_into(statement, 3, active, sizeof active, error) ||
	    !sqlite_store_read_text(statement, 4, &row->datetime, error) ||
	    !sqlite_store_read_text(statement, 5, &row->deposit_json_b64, error) ||
	    !sqlite_store_read_text(statement, 6, &row->encrypted_key_password_mnemonic_b64, error) ||
	    !sqlite_store_read_text(statement, 7, &row->sealed_key_b64, error) ||
	    !sqlite_store_read_text(statement, 8, &row->data_key_b64, error))
		return false;
	row->active = strcmp(active, "true") == 0;
	return key_row_check_form(row, error);
}

static bool list(struct key_table *table, const char *web3signer_uuid, bool only_active, struct key_rows *ret_rows,
		 struct error *error)
{
	static const char sql[] = "SELECT " COLUMNS " FROM ValidatorKeys"
				  " WHERE web3signer_uuid = ?1 AND (active = 'true' OR NOT ?2) ORDER BY pubkey";
	sqlite3 *database = database_of(table);
	AUTO_STATEMENT sqlite3_stmt *statement = sqlite_store_prepare(database, sql, error);
	size_t capacity = 0;
	int status;

	if (!statement || !sqlite_store_bind_text(statement, 1, web3signer_uuid, error))
		return false;
	if (sqlite3_bind_int(statement, 2, only_active) != SQLITE_OK)
		return sqlite_store_error(database, "cannot bind a value", error);
	while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
		AUTO_KEY_ROW struct key_row row = {0};

		struct error problem;

		if (!read_row(statement, &row, &problem))
			key_rows_append_problem(ret_rows, row.pubkey, &problem);
		else if (!key_rows_append(ret_rows, &capacity, &row, error))
			return false;
	}
	return status == SQLITE_DONE || sqlite_store_error(database, "cannot read the keys", error);
}

static bool bind_row(sqlite3_stmt *statement, const struct key_row *row, struct error *error)
{
	const char *const values[] = {
		row->web3signer_uuid,
		row->pubkey,
		row->chain,
		row->active ? "true" : "false",
		row->datetime,
		row->deposit_json_b64,
		row->encrypted_key_password_mnemonic_b64,
		row->sealed_key_b64,
		row->data_key_b64,
	};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (!sqlite_store_bind_text(statement, (int)i + 1, values[i], error))
			return false;
	}
	return true;
}

static bool put_row(sqlite3_stmt *statement, const struct key_row *row, struct error *error)
{
	int status;

	if (!bind_row(statement, row, error))
		return false;
	status = sqlite3_step(statement);
	if (status == SQLITE_CONSTRAINT_PRIMARYKEY)
		return error_set(error, ERROR_INPUT, "pubkey %s: is there already", row->pubkey);
	if (status != SQLITE_DONE)
		return sqlite_store_error(sqlite3_db_handle(statement), "cannot write a key", error);
	return sqlite3_reset(statement) == SQLITE_OK ||
	       sqlite_store_error(sqlite3_db_handle(statement), "cannot write a key", error);
}

static bool put(struct key_table *table, const struct key_row *rows, size_t count, bool replace, struct error *error)
{
	static const char insert_sql[] = "INSERT INTO ValidatorKeys " VALUES;
	static const char replace_sql[] = "INSERT OR REPLACE INTO ValidatorKeys " VALUES;
	sqlite3 *database = database_of(table);
	AUTO_TRANSACTION struct sqlite_transaction transaction = {0};
	AUTO_STATEMENT sqlite3_stmt *statement = sqlite_store_prepare(database, replace ? replace_sql : insert_sql, error);

	if (!statement || !sqlite_transaction_begin(database, &transaction, error))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!put_row(statement, &rows[i], error))
			return false;
	}
	return sqlite_transaction_commit(&transaction, error);
}

static bool reseal_row(sqlite3_stmt *statement, struct key_reseal *reseal, struct error *error)
{
	const char *const values[] = {
		reseal->before->web3signer_uuid, reseal->before->pubkey,
		reseal->sealed_key_b64,          reseal->data_key_b64,
		reseal->before->sealed_key_b64,  reseal->before->encrypted_key_password_mnemonic_b64,
	};
	sqlite3 *database = sqlite3_db_handle(statement);

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (!sqlite_store_bind_text(statement, (int)i + 1, values[i], error))
			return false;
	}
	if (sqlite3_step(statement) != SQLITE_DONE)
		return sqlite_store_error(database, "cannot change a key", error);
	reseal->is_done = sqlite3_changes(database) == 1;
	return sqlite3_reset(statement) == SQLITE_OK || sqlite_store_error(database, "cannot change a key", error);
}

static bool reseal(struct key_table *table, struct key_reseal *reseals, size_t count, struct error *error)
{
	static const char sql[] = "UPDATE ValidatorKeys SET sealed_key_b64 = ?3, data_key_b64 = ?4,"
				  " encrypted_key_password_mnemonic_b64 = NULL WHERE web3signer_uuid = ?1 AND pubkey = ?2"
				  " AND sealed_key_b64 IS ?5 AND encrypted_key_password_mnemonic_b64 IS ?6";
	sqlite3 *database = database_of(table);
	AUTO_TRANSACTION struct sqlite_transaction transaction = {0};
	AUTO_STATEMENT sqlite3_stmt *statement = sqlite_store_prepare(database, sql, error);

	if (!statement || !sqlite_transaction_begin(database, &transaction, error))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!reseal_row(statement, &reseals[i], error))
			return false;
	}
	return sqlite_transaction_commit(&transaction, error);
}

/* Run a statement of two parameters on one row. */
static bool change_row(struct key_table *table, const char *sql, const char *web3signer_uuid, const char *pubkey,
		       struct error *error)
{
	sqlite3 *database = database_of(table);
	AUTO_STATEMENT sqlite3_stmt *statement = sqlite_store_prepare(database, sql, error);

	if (!statement || !sqlite_store_bind_text(statement, 1, web3signer_uuid, error) ||
	    !sqlite_store_bind_text(statement, 2, pubkey, error))
		return false;
	if (sqlite3_step(statement) != SQLITE_DONE)
		return sqlite_store_error(database, "cannot change a key", error);
	return sqlite3_changes(database) == 1 || error_set(error, ERROR_NOT_FOUND, "pubkey %s: is not there", pubkey);
}

static bool set_row_active(struct key_table *table, const char *web3signer_uuid, const char *pubkey, bool is_active,
			   struct error *error)
{
	static const char activate[] = "UPDATE ValidatorKeys SET active = 'true' WHERE web3signer_uuid = ?1 AND pubkey = ?2";
	static const char deactivate[] = "UPDATE ValidatorKeys SET active = 'false' WHERE web3signer_uuid = ?1 AND pubkey = ?2";

	return change_row(table, is_active ? activate : deactivate, web3signer_uuid, pubkey, error);
}

static bool assign_row(struct key_table *table, const char *web3signer_uuid, const char *pubkey, const char *to_uuid,
		       struct error *error)
{
	static const char sql[] = "UPDATE ValidatorKeys SET web3signer_uuid = ?3 WHERE web3signer_uuid = ?1 AND pubkey = ?2";
	sqlite3 *database = database_of(table);
	AUTO_STATEMENT sqlite3_stmt *statement = sqlite_store_prepare(database, sql, error);
	int status;

	if (!statement || !sqlite_store_bind_text(statement, 1, web3signer_uuid, error) ||
	    !sqlite_store_bind_text(statement, 2, pubkey, error) || !sqlite_store_bind_text(statement, 3, to_uuid, error))
		return false;
	status = sqlite3_step(statement);
	if (status == SQLITE_CONSTRAINT_PRIMARYKEY)
		return error_set(error, ERROR_INPUT, "pubkey %s: %s has it already", pubkey, to_uuid);
	if (status != SQLITE_DONE)
		return sqlite_store_error(database, "cannot change a key", error);
	return sqlite3_changes(database) == 1 || error_set(error, ERROR_NOT_FOUND, "pubkey %s: is not there", pubkey);
}

static bool remove_row(struct key_table *table, const char *web3signer_uuid, const char *pubkey, struct error *error)
{
	return change_row(table, "DELETE FROM ValidatorKeys WHERE web3signer_uuid = ?1 AND pubkey = ?2", web3signer_uuid, pubkey,
			  error);
}

static void free_table(struct key_table *table)
{
	sqlite_store_close(database_of(table));
	free(table);
}

struct key_table *key_table_open_sqlite(const char *path, struct error *error)
{
	static const struct key_table_operations operations = {list,       put,        reseal,    set_row_active,
							       assign_row, remove_row, free_table};
	sqlite3 *database = sqlite_store_open(path, error);
	struct sqlite_key_table *table;

	if (!database)
		return error_prefix(error, "key table"), NULL;
	table = (struct sqlite_key_table *)memory_allocate_zeroed(1, sizeof *table);
	table->base.operations = &operations;
	table->database = database;
	return &table->base;
}
