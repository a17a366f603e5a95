/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the embedded store, for store_sqlite*.c:
 *
 *   store_sqlite.c        the file: its schema, opening, transactions, pruning
 *   store_sqlite_rows.c   one row of a table: read, written
 *   store_sqlite_judge.c  what a commit or a question about a history does
 */
#pragma once

#include <sqlite3.h>

#include "slashing/store_backend.h"

/* A prepared statement each. */
enum store_statement {
	STATEMENT_READ_WATERMARK,
	STATEMENT_WRITE_WATERMARK,
	STATEMENT_READ_ROOT,
	STATEMENT_WRITE_ROOT,
	STATEMENT_READ_HIGH,
	STATEMENT_WRITE_HIGH,
	STATEMENT_READ_KEY,
	STATEMENT_NEXT_KEY,
	STATEMENT_LIST_RETIRED,
	STATEMENT_WRITE_KEY,
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_COUNT,
};

struct sqlite_store {
	struct slashing_store base;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	bool learns_root;
	bool has_root; /* configured */
	uint8_t root[ROOT_SIZE];
};

/* Whose watermark; borrows. */
struct row_key {
	const uint8_t *public_key;
	const uint8_t *root;
};

/* What is known of a key besides its watermarks. */
struct key_row {
	bool has_begun; /* there is a history, however empty */
	bool is_retired;
	enum history_origin origin;
	uint64_t begun_s;
};

/* The network's root, if it is known. */
struct own_root {
	bool known;
	uint8_t root[ROOT_SIZE];
};

/* ---- store_sqlite_rows.c ---- */

bool store_sqlite_fail(const struct sqlite_store *store, const char *what, struct error *error);
MUST_USE bool store_sqlite_prepare(struct sqlite_store *store, struct error *error);
/* A statement that gives no rows. */
MUST_USE bool store_sqlite_step(struct sqlite_store *store, enum store_statement statement, struct error *error);
/* *ret_found (may be NULL): whether there is one; empty where there is none. */
MUST_USE bool store_sqlite_read_watermark(struct sqlite_store *store, const struct row_key *key, struct watermark *ret_watermark,
					  bool *ret_found, struct error *error);
MUST_USE bool store_sqlite_write_watermark(struct sqlite_store *store, const struct row_key *key, const struct watermark *watermark,
					   struct error *error);
MUST_USE bool store_sqlite_read_key(struct sqlite_store *store, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
				    struct key_row *ret_row, struct error *error);
/* The first key above of which anything is known; an empty row when there is none. */
MUST_USE bool store_sqlite_next_key(struct sqlite_store *store, const uint8_t after[BLS_PUBLIC_KEY_SIZE],
				    uint8_t ret_public_key[BLS_PUBLIC_KEY_SIZE], struct key_row *ret_row, struct error *error);
/* As slashing_store_list_retired(). */
MUST_USE bool store_sqlite_list_retired(struct slashing_store *base, size_t max, struct buffer *ret_keys, struct error *error);
MUST_USE bool store_sqlite_write_key(struct sqlite_store *store, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
				     const struct key_row *row, struct error *error);
/* Asked each time, not remembered: a transaction that fails takes what it learned with it. */
MUST_USE bool store_sqlite_read_own_root(struct sqlite_store *store, struct own_root *ret_own, struct error *error);
/* The high watermark: two numbers, each there or not. */
MUST_USE bool store_sqlite_read_high(struct sqlite_store *store, struct high_watermark *ret_high, struct error *error);
MUST_USE bool store_sqlite_write_high(struct sqlite_store *store, const struct high_watermark *high, struct error *error);
MUST_USE bool store_sqlite_write_learned_root(struct sqlite_store *store, const uint8_t root[ROOT_SIZE], struct error *error);

/* ---- store_sqlite_judge.c; inside a transaction ---- */

/* `high`: as the store has it, which no commit changes. */
MUST_USE bool store_sqlite_commit_one(struct sqlite_store *store, const struct high_watermark *high,
				      const struct store_commit *commit, struct store_result *ret_result, struct error *error);
MUST_USE bool store_sqlite_history_one(struct sqlite_store *store, const struct store_history *history,
				       struct store_history_result *ret_result, struct error *error);
