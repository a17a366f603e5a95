/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/store.h"

#include <sqlite3.h>

#define STORE_FILE "slashing.sqlite"
#define STORE_SCHEMA_VERSION 1

/* Numbers are SQLite's signed 64-bit integers and hold unsigned ones bit for bit; all comparing is done in C. */
static const char schema[] =
	"CREATE TABLE IF NOT EXISTS SlashingProtection ("
	" pubkey BLOB NOT NULL, genesis_validators_root BLOB NOT NULL,"
	" block_slot INTEGER, block_root BLOB,"
	" source_epoch INTEGER, target_epoch INTEGER, attestation_root BLOB,"
	" PRIMARY KEY (pubkey, genesis_validators_root)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS Metadata (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID";

static const char select_sql[] = "SELECT block_slot, block_root, source_epoch, target_epoch, attestation_root"
				 " FROM SlashingProtection WHERE pubkey = ?1 AND genesis_validators_root = ?2";

static const char write_sql[] =
	"INSERT OR REPLACE INTO SlashingProtection (pubkey, genesis_validators_root, block_slot, block_root,"
	" source_epoch, target_epoch, attestation_root) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

static const char select_root_sql[] = "SELECT value FROM Metadata WHERE name = 'genesis_validators_root'";
static const char write_root_sql[] = "INSERT INTO Metadata (name, value) VALUES ('genesis_validators_root', ?1)";

/*
 * Exclusive locking before WAL keeps the WAL index in memory and every file open. FULL: a commit is on the disk when it returns.
 * The version is written last: writing it opens the WAL, so nothing is left to open later.
 */
static const char *const pragmas[] = {
	"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
	"PRAGMA temp_store = MEMORY",      "PRAGMA mmap_size = 0",      "PRAGMA trusted_schema = OFF",
};

struct slashing_store {
	sqlite3 *db;
	sqlite3_stmt *select;
	sqlite3_stmt *write;
	sqlite3_stmt *select_root;
	sqlite3_stmt *write_root;
	sqlite3_stmt *begin;
	sqlite3_stmt *commit;
	sqlite3_stmt *rollback;
	bool learns_root;
};

static bool fail(const struct slashing_store *store, const char *what, struct error *error)
{
	return error_set(error, ERROR_IO, "slashing store: %s: %s", what, sqlite3_errmsg(store->db));
}

static bool execute(struct slashing_store *store, const char *sql, struct error *error)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK || fail(store, sql, error);
}

static bool read_version(struct slashing_store *store, int *ret_version, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	bool ok = sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
		  sqlite3_step(statement) == SQLITE_ROW;

	if (ok)
		*ret_version = sqlite3_column_int(statement, 0);
	(void)sqlite3_finalize(statement);
	return ok || fail(store, "reading the version", error);
}

static bool prepare_schema(struct slashing_store *store, struct error *error)
{
	AUTO_FREE char *set_version = memory_format("PRAGMA user_version = %d", STORE_SCHEMA_VERSION);
	int version = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pragmas); i++) {
		if (!execute(store, pragmas[i], error))
			return false;
	}
	if (!read_version(store, &version, error))
		return false;
	if (version > STORE_SCHEMA_VERSION)
		return error_set(error, ERROR_INPUT, "slashing store: written by a newer Ensign (schema %d, this one knows %d)",
				 version, STORE_SCHEMA_VERSION);
	return execute(store, schema, error) && execute(store, set_version, error);
}

static bool prepare_statements(struct slashing_store *store, struct error *error)
{
	const struct {
		const char *sql;
		sqlite3_stmt **statement;
	} list[] = {
		{select_sql, &store->select},         {write_sql, &store->write},         {select_root_sql, &store->select_root},
		{write_root_sql, &store->write_root}, {"BEGIN IMMEDIATE", &store->begin}, {"COMMIT", &store->commit},
		{"ROLLBACK", &store->rollback},
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		if (sqlite3_prepare_v3(store->db, list[i].sql, -1, SQLITE_PREPARE_PERSISTENT, list[i].statement, NULL) != SQLITE_OK)
			return fail(store, list[i].sql, error);
	}
	return true;
}

struct slashing_store *slashing_store_open_sqlite(int folder_fd, struct error *error)
{
	AUTO_SLASHING_STORE struct slashing_store *store = (struct slashing_store *)memory_allocate_zeroed(1, sizeof *store);
	AUTO_FREE char *path = memory_format("/proc/self/fd/%d/" STORE_FILE, folder_fd);
	struct slashing_store *opened;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
		return (void)fail(store, "cannot open " STORE_FILE, error), NULL;
	if (!prepare_schema(store, error) || !prepare_statements(store, error))
		return NULL;
	opened = store;
	store = NULL;
	return opened;
}

void slashing_store_free(struct slashing_store *store)
{
	if (!store)
		return;
	(void)sqlite3_finalize(store->select);
	(void)sqlite3_finalize(store->write);
	(void)sqlite3_finalize(store->select_root);
	(void)sqlite3_finalize(store->write_root);
	(void)sqlite3_finalize(store->begin);
	(void)sqlite3_finalize(store->commit);
	(void)sqlite3_finalize(store->rollback);
	(void)sqlite3_close(store->db);
	free(store);
}

void slashing_store_learn_root(struct slashing_store *store)
{
	store->learns_root = true;
}

static bool step_once(struct slashing_store *store, sqlite3_stmt *statement, const char *what, struct error *error)
{
	bool ok = sqlite3_step(statement) == SQLITE_DONE;

	if (!ok)
		(void)fail(store, what, error);
	(void)sqlite3_reset(statement);
	return ok;
}

static void bind_key(sqlite3_stmt *statement, const struct store_commit *commit)
{
	(void)sqlite3_bind_blob(statement, 1, commit->public_key, BLS_PUBLIC_KEY_SIZE, SQLITE_STATIC);
	(void)sqlite3_bind_blob(statement, 2, commit->genesis_validators_root, ROOT_SIZE, SQLITE_STATIC);
}

/* A root of any other size than 32 would be a damaged row: it stays unknown, which equals nothing. */
static void read_root(sqlite3_stmt *statement, int column, uint8_t ret_root[ROOT_SIZE])
{
	const void *bytes = sqlite3_column_blob(statement, column);

	if (bytes && sqlite3_column_bytes(statement, column) == ROOT_SIZE)
		memcpy(ret_root, bytes, ROOT_SIZE);
}

static bool read_watermark(struct slashing_store *store, const struct store_commit *commit, struct watermark *ret_watermark,
			   struct error *error)
{
	struct watermark watermark = {0};
	int result;

	bind_key(store->select, commit);
	result = sqlite3_step(store->select);
	if (result == SQLITE_ROW) {
		watermark.has_block = sqlite3_column_type(store->select, 0) != SQLITE_NULL;
		watermark.block_slot = (uint64_t)sqlite3_column_int64(store->select, 0);
		read_root(store->select, 1, watermark.block_root);
		watermark.has_attestation = sqlite3_column_type(store->select, 3) != SQLITE_NULL;
		watermark.source_epoch = (uint64_t)sqlite3_column_int64(store->select, 2);
		watermark.target_epoch = (uint64_t)sqlite3_column_int64(store->select, 3);
		read_root(store->select, 4, watermark.attestation_root);
	}
	if (result != SQLITE_ROW && result != SQLITE_DONE)
		(void)fail(store, "reading a watermark", error);
	(void)sqlite3_reset(store->select);
	*ret_watermark = watermark;
	return result == SQLITE_ROW || result == SQLITE_DONE;
}

static bool write_watermark(struct slashing_store *store, const struct store_commit *commit, const struct watermark *watermark,
			    struct error *error)
{
	(void)sqlite3_clear_bindings(store->write);
	bind_key(store->write, commit);
	if (watermark->has_block) {
		(void)sqlite3_bind_int64(store->write, 3, (sqlite3_int64)watermark->block_slot);
		(void)sqlite3_bind_blob(store->write, 4, watermark->block_root, ROOT_SIZE, SQLITE_STATIC);
	}
	if (watermark->has_attestation) {
		(void)sqlite3_bind_int64(store->write, 5, (sqlite3_int64)watermark->source_epoch);
		(void)sqlite3_bind_int64(store->write, 6, (sqlite3_int64)watermark->target_epoch);
		(void)sqlite3_bind_blob(store->write, 7, watermark->attestation_root, ROOT_SIZE, SQLITE_STATIC);
	}
	return step_once(store, store->write, "writing a watermark", error);
}

static bool commit_watermark(struct slashing_store *store, const struct store_commit *commit, struct store_result *ret_result,
			     struct error *error)
{
	enum slashing_verdict verdict;

	if (!read_watermark(store, commit, &ret_result->watermark, error))
		return false;
	if (commit->duty == STORE_DUTY_BLOCK)
		verdict = slashing_check_block(&ret_result->watermark, commit->slot, commit->signing_root);
	else
		verdict = slashing_check_attestation(&ret_result->watermark, commit->source_epoch, commit->target_epoch,
						     commit->signing_root);
	ret_result->outcome = verdict == SLASHING_SAFE || verdict == SLASHING_REPEAT ? STORE_DURABLE : STORE_CONFLICT;
	if (verdict != SLASHING_SAFE)
		return true;
	if (commit->duty == STORE_DUTY_BLOCK)
		slashing_record_block(&ret_result->watermark, commit->slot, commit->signing_root);
	else
		slashing_record_attestation(&ret_result->watermark, commit->source_epoch, commit->target_epoch,
					    commit->signing_root);
	return write_watermark(store, commit, &ret_result->watermark, error);
}

/* A damaged value is an error, not an invitation to learn another. */
static bool read_learned_root(struct slashing_store *store, bool *ret_known, uint8_t ret_root[ROOT_SIZE], struct error *error)
{
	int result = sqlite3_step(store->select_root);
	bool ok = result == SQLITE_ROW || result == SQLITE_DONE;

	if (!ok)
		(void)fail(store, "reading the genesis validators root", error);
	*ret_known = result == SQLITE_ROW;
	if (*ret_known && sqlite3_column_bytes(store->select_root, 0) != ROOT_SIZE)
		ok = error_set(error, ERROR_IO, "slashing store: the genesis validators root has %d bytes",
			       sqlite3_column_bytes(store->select_root, 0));
	if (*ret_known && ok)
		memcpy(ret_root, sqlite3_column_blob(store->select_root, 0), ROOT_SIZE);
	(void)sqlite3_reset(store->select_root);
	return ok;
}

static bool write_learned_root(struct slashing_store *store, const uint8_t root[ROOT_SIZE], struct error *error)
{
	(void)sqlite3_bind_blob(store->write_root, 1, root, ROOT_SIZE, SQLITE_STATIC);
	return step_once(store, store->write_root, "writing the genesis validators root", error);
}

static bool commit_one(struct slashing_store *store, const struct store_commit *commit, struct store_result *ret_result,
		       struct error *error)
{
	uint8_t learned[ROOT_SIZE];
	bool known = false;

	*ret_result = (struct store_result){0};
	if (!store->learns_root)
		return commit_watermark(store, commit, ret_result, error);
	/* Asked each time, not remembered: a transaction that fails takes what it learned with it. */
	if (!read_learned_root(store, &known, learned, error))
		return false;
	if (known && memcmp(learned, commit->genesis_validators_root, ROOT_SIZE) != 0) {
		ret_result->outcome = STORE_WRONG_NETWORK;
		memcpy(ret_result->genesis_validators_root, learned, ROOT_SIZE);
		return true;
	}
	if (!commit_watermark(store, commit, ret_result, error))
		return false;
	return known || ret_result->outcome != STORE_DURABLE || write_learned_root(store, commit->genesis_validators_root, error);
}

bool slashing_store_commit(struct slashing_store *store, const struct store_commit *commits, size_t count,
			   struct store_result *ret_results, struct error *error)
{
	bool ok = step_once(store, store->begin, "begin", error);

	for (size_t i = 0; ok && i < count; i++)
		ok = commit_one(store, &commits[i], &ret_results[i], error);
	ok = ok && step_once(store, store->commit, "commit", error);
	if (ok)
		return true;
	/* After a failed COMMIT the transaction may or may not be open; rolling back what is not there is harmless. */
	if (!sqlite3_get_autocommit(store->db))
		(void)step_once(store, store->rollback, "rollback", NULL);
	for (size_t i = 0; i < count; i++)
		ret_results[i] = (struct store_result){.outcome = STORE_FAILED};
	return false;
}
