/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/sqlite_store.h"

#include <errno.h>
#include <fcntl.h>

#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)

/* Column names are those of the DynamoDB tables; the length of a key is checked there because it is half of the row's name. */
static const char SCHEMA[] = "CREATE TABLE ValidatorKeys ("
			     " web3signer_uuid TEXT NOT NULL,"
			     " pubkey TEXT NOT NULL CHECK (length(pubkey) = 96),"
			     " chain TEXT NOT NULL,"
			     " active TEXT NOT NULL CHECK (active IN ('true', 'false')),"
			     " datetime TEXT,"
			     " deposit_json_b64 TEXT,"
			     " encrypted_key_password_mnemonic_b64 TEXT,"
			     " sealed_key_b64 TEXT,"
			     " data_key_b64 TEXT,"
			     " PRIMARY KEY (web3signer_uuid, pubkey)) STRICT;"
			     "CREATE TABLE TLSKeys ("
			     " key_id INTEGER PRIMARY KEY,"
			     " encrypted_tls_key_b64 TEXT NOT NULL,"
			     " cert_pem TEXT NOT NULL,"
			     " known_clients_sealed_b64 TEXT,"
			     " known_clients_data_key_b64 TEXT,"
			     " slashing_credentials_b64 TEXT) STRICT;"
			     "PRAGMA application_id = " STRINGIFY(SQLITE_STORE_APPLICATION_ID) ";"
											       "PRAGMA user_version = " STRINGIFY(
												       SQLITE_STORE_VERSION) ";";

/* What leads from each version to the next. */
static const char *const migrations[SQLITE_STORE_VERSION] = {
	[1] = "ALTER TABLE TLSKeys ADD COLUMN known_clients_sealed_b64 TEXT;"
	      "ALTER TABLE TLSKeys ADD COLUMN known_clients_data_key_b64 TEXT;"
	      "PRAGMA user_version = 2;",
	[2] = "ALTER TABLE TLSKeys ADD COLUMN slashing_credentials_b64 TEXT;"
	      "PRAGMA user_version = 3;",
};

bool sqlite_store_error(sqlite3 *database, const char *what, struct error *error)
{
	const char *file = sqlite3_db_filename(database, "main");

	return error_set(error, ERROR_IO, "%s: %s: %s", file ? file : "SQLite", what, sqlite3_errmsg(database));
}

sqlite3_stmt *sqlite_store_prepare(sqlite3 *database, const char *sql, struct error *error)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
		return sqlite_store_error(database, "cannot prepare a statement", error), NULL;
	return statement;
}

bool sqlite_store_bind_text(sqlite3_stmt *statement, int index, const char *text, struct error *error)
{
	if (sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC) == SQLITE_OK)
		return true;
	return sqlite_store_error(sqlite3_db_handle(statement), "cannot bind a value", error);
}

bool sqlite_store_read_text(sqlite3_stmt *statement, int column, char **ret_text, struct error *error)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	if (!text) {
		*ret_text = NULL;
		return true;
	}
	if (strlen(text) != (size_t)sqlite3_column_bytes(statement, column))
		return error_set(error, ERROR_INPUT, "%s: text with a NUL in it", sqlite3_column_name(statement, column));
	*ret_text = memory_copy_text(text);
	return true;
}

bool sqlite_store_read_text_into(sqlite3_stmt *statement, int column, char *ret_text, size_t size, struct error *error)
{
	AUTO_FREE char *text = NULL;
	size_t length;

	if (!sqlite_store_read_text(statement, column, &text, error))
		return false;
	if (!text)
		return error_set(error, ERROR_INPUT, "%s: missing", sqlite3_column_name(statement, column));
	length = strlen(text);
	if (length >= size)
		return error_set(error, ERROR_INPUT, "%s: %zu bytes, at most %zu are allowed",
				 sqlite3_column_name(statement, column), length, size - 1);
	memcpy(ret_text, text, length + 1);
	return true;
}

/* For statements that are constants of this file. */
static bool execute(sqlite3 *database, const char *sql, const char *what, struct error *error)
{
	if (sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK)
		return true;
	return sqlite_store_error(database, what, error);
}

static bool read_number(sqlite3 *database, const char *sql, int64_t *ret_value, struct error *error)
{
	AUTO_STATEMENT sqlite3_stmt *statement = sqlite_store_prepare(database, sql, error);

	if (!statement)
		return false;
	if (sqlite3_step(statement) != SQLITE_ROW)
		return sqlite_store_error(database, "cannot read the file's header", error);
	*ret_value = sqlite3_column_int64(statement, 0);
	return true;
}

bool sqlite_transaction_begin(sqlite3 *database, struct sqlite_transaction *ret_transaction, struct error *error)
{
	/* IMMEDIATE: waits for the lock here, under the busy timeout, and never in the middle, where waiting cannot help. */
	if (!execute(database, "BEGIN IMMEDIATE", "cannot begin a transaction", error))
		return false;
	ret_transaction->database = database;
	return true;
}

bool sqlite_transaction_commit(struct sqlite_transaction *transaction, struct error *error)
{
	if (!execute(transaction->database, "COMMIT", "cannot commit", error))
		return false;
	transaction->database = NULL;
	return true;
}

void sqlite_transaction_done(struct sqlite_transaction *transaction)
{
	/* Some errors have rolled it back already; then this says so, and nothing is lost. */
	if (transaction->database)
		(void)sqlite3_exec(transaction->database, "ROLLBACK", NULL, NULL, NULL);
}

/*
 * SQLite makes files with the umask's mode, and its -wal and -shm files with the mode of the database: so make the database
 * first. A file that exists is not even opened: closing it again would drop the locks that other connections of this process hold
 * on it (POSIX).
 */
static bool make_file(const char *path, struct error *error)
{
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0 || errno == EEXIST)
		return true;
	return error_set_errno(error, ERROR_IO, "%s", path);
}

static bool configure(sqlite3 *database, struct error *error)
{
	(void)sqlite3_extended_result_codes(database, 1);
	(void)sqlite3_limit(database, SQLITE_LIMIT_LENGTH, SQLITE_STORE_TEXT_MAX_SIZE);
	if (sqlite3_busy_timeout(database, SQLITE_STORE_BUSY_TIMEOUT_MS) != SQLITE_OK ||
	    sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
	    sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK)
		return sqlite_store_error(database, "cannot configure SQLite", error);
	return true;
}

/* Last, since it writes into a file that has no log yet: only after check_or_make_schema() knows that the file is ours. */
static bool use_write_ahead_log(sqlite3 *database, struct error *error)
{
	AUTO_STATEMENT sqlite3_stmt *statement = sqlite_store_prepare(database, "PRAGMA journal_mode = WAL", error);
	const char *mode;

	if (!statement)
		return false;
	if (sqlite3_step(statement) != SQLITE_ROW)
		return sqlite_store_error(database, "cannot turn the write-ahead log on", error);
	mode = (const char *)sqlite3_column_text(statement, 0);
	if (!mode || strcmp(mode, "wal") != 0)
		return error_set(error, ERROR_IO, "%s: cannot turn the write-ahead log on", sqlite3_db_filename(database, "main"));
	return true;
}

static bool check_or_make_schema(sqlite3 *database, struct error *error)
{
	AUTO_TRANSACTION struct sqlite_transaction transaction = {0};
	const char *file = sqlite3_db_filename(database, "main");
	int64_t application_id = 0;
	int64_t version = 0;
	int64_t tables = 0;

	if (!sqlite_transaction_begin(database, &transaction, error) ||
	    !read_number(database, "PRAGMA application_id", &application_id, error) ||
	    !read_number(database, "PRAGMA user_version", &version, error) ||
	    !read_number(database, "SELECT count(*) FROM sqlite_schema", &tables, error))
		return false;
	if (tables == 0 && version == 0 && application_id == 0)
		return execute(database, SCHEMA, "cannot make the tables", error) && sqlite_transaction_commit(&transaction, error);
	if (application_id != SQLITE_STORE_APPLICATION_ID)
		return error_set(error, ERROR_INPUT, "%s: a database of another program", file);
	if (version < 1 || version > SQLITE_STORE_VERSION)
		return error_set(error, ERROR_INPUT, "%s: schema version %lld, this program knows %d", file, (long long)version,
				 SQLITE_STORE_VERSION);
	for (; version < SQLITE_STORE_VERSION; version++) {
		if (!execute(database, migrations[version], "cannot bring the tables up to date", error))
			return false;
	}
	return sqlite_transaction_commit(&transaction, error);
}

sqlite3 *sqlite_store_open(const char *path, struct error *error)
{
	sqlite3 *database = NULL;

	if (!make_file(path, error))
		return NULL;
	if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL) != SQLITE_OK) {
		(void)error_set(error, ERROR_IO, "%s: %s", path, database ? sqlite3_errmsg(database) : "out of memory");
		sqlite_store_close(database);
		return NULL;
	}
	if (configure(database, error) && check_or_make_schema(database, error) && use_write_ahead_log(database, error) &&
	    execute(database, "PRAGMA synchronous = FULL", "cannot configure SQLite", error))
		return database;
	sqlite_store_close(database);
	return NULL;
}

void sqlite_store_close(sqlite3 *database)
{
	(void)sqlite3_close(database);
}
