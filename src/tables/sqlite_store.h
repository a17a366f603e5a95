/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded store of both tables: one SQLite file, mode 0600, write-ahead log, every commit synced to disk. Key table and TLS
 * table may share a file; each opens its own connection. Only for the *_sqlite.c files of this folder.
 */
#pragma once

#include <sqlite3.h>

#include "base/bytes.h"

/* Another process holds the lock for one small transaction; if it is longer, something is wrong with it. */
#define SQLITE_STORE_BUSY_TIMEOUT_MS 5000
/* No text of a row comes near: a KMS ciphertext in base64 is 8 KiB, a deposit 2 KiB. */
#define SQLITE_STORE_TEXT_MAX_SIZE (1 << 20)
/* PRAGMA application_id, "Ensg": a file of some other program is refused and not written to. */
#define SQLITE_STORE_APPLICATION_ID 0x456e7367
/* PRAGMA user_version: of the schema. A file of an earlier version is brought up to it when it is opened; of a later one it is refused. */
#define SQLITE_STORE_VERSION 3

/* Open, make the file and its tables when missing. NULL on failure. `path` is a path, never a URI. */
MUST_USE sqlite3 *sqlite_store_open(const char *path, struct error *error);
void sqlite_store_close(sqlite3 *database);

/* "<file>: what: SQLite's reason" as ERROR_IO. Returns false. SQLite's texts name tables and columns, never values. */
bool sqlite_store_error(sqlite3 *database, const char *what, struct error *error);

static inline void sqlite_statement_done(sqlite3_stmt **statement)
{
	(void)sqlite3_finalize(*statement);
}

#define AUTO_STATEMENT CLEANUP(sqlite_statement_done)

/* NULL on failure. */
MUST_USE sqlite3_stmt *sqlite_store_prepare(sqlite3 *database, const char *sql, struct error *error);
/* Bind text that outlives the statement; NULL binds NULL. */
MUST_USE bool sqlite_store_bind_text(sqlite3_stmt *statement, int index, const char *text, struct error *error);
/* Text of a result column. NULL stays NULL in the first and is ERROR_INPUT in the second. */
MUST_USE bool sqlite_store_read_text(sqlite3_stmt *statement, int column, char **ret_text, struct error *error);
MUST_USE bool sqlite_store_read_text_into(sqlite3_stmt *statement, int column, char *ret_text, size_t size, struct error *error);

/* A write transaction that is rolled back when its scope ends before sqlite_transaction_commit(). */
struct sqlite_transaction {
	sqlite3 *database; /* NULL when none is open */
};

MUST_USE bool sqlite_transaction_begin(sqlite3 *database, struct sqlite_transaction *ret_transaction, struct error *error);
MUST_USE bool sqlite_transaction_commit(struct sqlite_transaction *transaction, struct error *error);
void sqlite_transaction_done(struct sqlite_transaction *transaction);
#define AUTO_TRANSACTION CLEANUP(sqlite_transaction_done)
