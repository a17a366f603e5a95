/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/tls_table.h"

#include "tables/sqlite_store.h"
#include "tables/tls_table_backend.h"

struct sqlite_tls_table {
	struct tls_table base;
	sqlite3 *database;
};

static sqlite3 *database_of(struct tls_table *table)
{
	return ((struct sqlite_tls_table *)table)->database;
}

static bool get(struct tls_table *table, uint64_t key_id, struct tls_row *ret_row, struct error *error)
{
	static const char sql[] = "SELECT encrypted_tls_key_b64, cert_pem, known_clients_sealed_b64, known_clients_data_key_b64, "
				  "slashing_credentials_b64 FROM TLSKeys WHERE key_id = ?1";
	sqlite3 *database = database_of(table);
	AUTO_STATEMENT sqlite3_stmt *statement = sqlite_store_prepare(database, sql, error);
	int status;

	if (!statement)
		return false;
	/* Ids above INT64_MAX become negative here; none is ever written, so none is found. */
	if (sqlite3_bind_int64(statement, 1, (sqlite3_int64)key_id) != SQLITE_OK)
		return sqlite_store_error(database, "cannot bind a value", error);
	status = sqlite3_step(statement);
	if (status == SQLITE_DONE)
		return error_set(error, ERROR_NOT_FOUND, "key_id %llu: is not there", (unsigned long long)key_id);
	if (status != SQLITE_ROW)
		return sqlite_store_error(database, "cannot read the TLS key", error);
	ret_row->key_id = key_id;
	return sqlite_store_read_text(statement, 0, &ret_row->encrypted_tls_key_b64, error) &&
	       sqlite_store_read_text(statement, 1, &ret_row->cert_pem, error) &&
	       sqlite_store_read_text(statement, 2, &ret_row->known_clients_sealed_b64, error) &&
	       sqlite_store_read_text(statement, 3, &ret_row->known_clients_data_key_b64, error) &&
	       sqlite_store_read_text(statement, 4, &ret_row->slashing_credentials_b64, error);
}

static bool put(struct tls_table *table, const struct tls_row *row, struct error *error)
{
	static const char sql[] = "INSERT OR REPLACE INTO TLSKeys (key_id, encrypted_tls_key_b64, cert_pem, "
				  "known_clients_sealed_b64, known_clients_data_key_b64, slashing_credentials_b64) "
				  "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
	sqlite3 *database = database_of(table);
	AUTO_STATEMENT sqlite3_stmt *statement = sqlite_store_prepare(database, sql, error);

	if (!statement)
		return false;
	if (sqlite3_bind_int64(statement, 1, (sqlite3_int64)row->key_id) != SQLITE_OK)
		return sqlite_store_error(database, "cannot bind a value", error);
	if (!sqlite_store_bind_text(statement, 2, row->encrypted_tls_key_b64, error) ||
	    !sqlite_store_bind_text(statement, 3, row->cert_pem, error) ||
	    !sqlite_store_bind_text(statement, 4, row->known_clients_sealed_b64, error) ||
	    !sqlite_store_bind_text(statement, 5, row->known_clients_data_key_b64, error) ||
	    !sqlite_store_bind_text(statement, 6, row->slashing_credentials_b64, error))
		return false;
	return sqlite3_step(statement) == SQLITE_DONE || sqlite_store_error(database, "cannot write the TLS key", error);
}

#define INSERT_IDENTITY "INSERT INTO TLSKeys (key_id, encrypted_tls_key_b64, cert_pem) VALUES (?1, ?2, ?3) ON CONFLICT (key_id) DO "

static bool put_identity(struct tls_table *table, const struct tls_row *row, bool replaces, bool *ret_done, struct error *error)
{
	static const char replacing[] =
		INSERT_IDENTITY "UPDATE SET encrypted_tls_key_b64 = excluded.encrypted_tls_key_b64, cert_pem = excluded.cert_pem";
	static const char adding[] = INSERT_IDENTITY "NOTHING";
	sqlite3 *database = database_of(table);
	AUTO_STATEMENT sqlite3_stmt *statement = sqlite_store_prepare(database, replaces ? replacing : adding, error);

	if (!statement)
		return false;
	if (sqlite3_bind_int64(statement, 1, (sqlite3_int64)row->key_id) != SQLITE_OK)
		return sqlite_store_error(database, "cannot bind a value", error);
	if (!sqlite_store_bind_text(statement, 2, row->encrypted_tls_key_b64, error) ||
	    !sqlite_store_bind_text(statement, 3, row->cert_pem, error))
		return false;
	if (sqlite3_step(statement) != SQLITE_DONE)
		return sqlite_store_error(database, "cannot write the TLS key", error);
	*ret_done = sqlite3_changes(database) > 0;
	return true;
}

static bool put_companions(struct tls_table *table, const struct tls_row *row, bool *ret_found, struct error *error)
{
	static const char sql[] = "UPDATE TLSKeys SET known_clients_sealed_b64 = ?2, known_clients_data_key_b64 = ?3, "
				  "slashing_credentials_b64 = ?4 WHERE key_id = ?1";
	sqlite3 *database = database_of(table);
	AUTO_STATEMENT sqlite3_stmt *statement = sqlite_store_prepare(database, sql, error);

	if (!statement)
		return false;
	if (sqlite3_bind_int64(statement, 1, (sqlite3_int64)row->key_id) != SQLITE_OK)
		return sqlite_store_error(database, "cannot bind a value", error);
	if (!sqlite_store_bind_text(statement, 2, row->known_clients_sealed_b64, error) ||
	    !sqlite_store_bind_text(statement, 3, row->known_clients_data_key_b64, error) ||
	    !sqlite_store_bind_text(statement, 4, row->slashing_credentials_b64, error))
		return false;
	if (sqlite3_step(statement) != SQLITE_DONE)
		return sqlite_store_error(database, "cannot write beside the TLS key", error);
	*ret_found = sqlite3_changes(database) > 0;
	return true;
}

static void free_table(struct tls_table *table)
{
	sqlite_store_close(database_of(table));
	free(table);
}

struct tls_table *tls_table_open_sqlite(const char *path, struct error *error)
{
	static const struct tls_table_operations operations = {get, put, put_identity, put_companions, free_table};
	sqlite3 *database = sqlite_store_open(path, error);
	struct sqlite_tls_table *table;

	if (!database)
		return error_prefix(error, "TLS table"), NULL;
	table = (struct sqlite_tls_table *)memory_allocate_zeroed(1, sizeof *table);
	table->base.operations = &operations;
	table->database = database;
	return &table->base;
}
