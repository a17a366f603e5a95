/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/store_sqlite.h"

#define STORE_FILE "slashing.sqlite"
/*
 * 2: retired keys, which an Ensign of version 1 would sign with. 3: the keys that are known, without which one of version 2 would sign; both
 * refuse the file. 4: the high watermark, which one of version 3 would not heed.
 */
#define STORE_SCHEMA_VERSION 4
#define KEYS_SCHEMA_VERSION 3

/*
 * Numbers are SQLite's signed 64-bit integers and hold unsigned ones bit for bit; all comparing is done in C. Whose watermark there is, is in
 * Keys as well.
 */
static const char schema[] =
	"CREATE TABLE IF NOT EXISTS SlashingProtection ("
	" pubkey BLOB NOT NULL, genesis_validators_root BLOB NOT NULL,"
	" block_slot INTEGER, block_root BLOB,"
	" source_epoch INTEGER, target_epoch INTEGER, attestation_root BLOB,"
	" PRIMARY KEY (pubkey, genesis_validators_root)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS Metadata (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS Keys (pubkey BLOB PRIMARY KEY NOT NULL, begun INTEGER NOT NULL, retired INTEGER NOT NULL,"
	" origin TEXT NOT NULL, begun_s INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS HighWatermark (one INTEGER PRIMARY KEY CHECK (one = 1), slot INTEGER, epoch INTEGER);";

/* From before version 3: who has signed is known, and nobody wrote down since when. */
static const char migration[] = "CREATE TABLE IF NOT EXISTS RetiredKeys (pubkey BLOB PRIMARY KEY NOT NULL) WITHOUT ROWID;"
				"INSERT OR IGNORE INTO Keys SELECT DISTINCT pubkey, 1, 0, 'unknown', 0 FROM SlashingProtection;"
				"INSERT OR IGNORE INTO Keys SELECT pubkey, 0, 0, 'unknown', 0 FROM RetiredKeys;"
				"UPDATE Keys SET retired = 1 WHERE pubkey IN (SELECT pubkey FROM RetiredKeys);"
				"DROP TABLE RetiredKeys;";

/*
 * Exclusive locking before WAL keeps the WAL index in memory and every file open. FULL: a commit is on the disk when it returns.
 * The version is written last: writing it opens the WAL, so nothing is left to open later.
 */
static const char *const pragmas[] = {
	"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
	"PRAGMA temp_store = MEMORY",      "PRAGMA mmap_size = 0",      "PRAGMA trusted_schema = OFF",
};

static bool execute(struct sqlite_store *store, const char *sql, struct error *error)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK || store_sqlite_fail(store, sql, error);
}

static bool read_version(struct sqlite_store *store, int *ret_version, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	bool ok = sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
		  sqlite3_step(statement) == SQLITE_ROW;

	if (ok)
		*ret_version = sqlite3_column_int(statement, 0);
	(void)sqlite3_finalize(statement);
	return ok || store_sqlite_fail(store, "reading the version", error);
}

/* All of it or nothing: a power cut in between leaves the old version, which is taken over again. */
static bool make_schema(struct sqlite_store *store, int version, struct error *error)
{
	AUTO_FREE char *sql = memory_format("BEGIN IMMEDIATE; %s %s PRAGMA user_version = %d; COMMIT", schema,
					    version < KEYS_SCHEMA_VERSION ? migration : "", STORE_SCHEMA_VERSION);

	return execute(store, sql, error);
}

static bool prepare_schema(struct sqlite_store *store, struct error *error)
{
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
	return make_schema(store, version, error);
}

/* ---- the backend ---- */

static void free_store(struct slashing_store *base)
{
	struct sqlite_store *store = (struct sqlite_store *)base;

	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		(void)sqlite3_finalize(store->statements[i]);
	(void)sqlite3_close(store->db);
	free(store);
}

static void use_root(struct slashing_store *base, const uint8_t genesis_validators_root[ROOT_SIZE])
{
	struct sqlite_store *store = (struct sqlite_store *)base;

	memcpy(store->root, genesis_validators_root, ROOT_SIZE);
	store->has_root = true;
}

static bool learn_root(struct slashing_store *base, struct error *error)
{
	(void)error;
	((struct sqlite_store *)base)->learns_root = true;
	return true;
}

/* Nobody else can set it. */
static bool read_high(struct slashing_store *base, uint64_t max_age_ms, struct high_watermark *ret_high, struct error *error)
{
	(void)max_age_ms;
	return store_sqlite_read_high((struct sqlite_store *)base, ret_high, error);
}

/* Ends the transaction: durable, or as if it had never been. */
static bool finish(struct sqlite_store *store, bool ok, struct error *error)
{
	ok = ok && store_sqlite_step(store, STATEMENT_COMMIT, error);
	/* After a failed COMMIT the transaction may or may not be open; rolling back what is not there is harmless. */
	if (!ok && !sqlite3_get_autocommit(store->db))
		(void)!store_sqlite_step(store, STATEMENT_ROLLBACK, NULL);
	return ok;
}

static bool commit(struct slashing_store *base, const struct store_commit *commits, size_t count, struct store_result *ret_results,
		   struct error *error)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	struct high_watermark high;
	bool ok = store_sqlite_step(store, STATEMENT_BEGIN, error) && store_sqlite_read_high(store, &high, error);

	for (size_t i = 0; ok && i < count; i++)
		ok = store_sqlite_commit_one(store, &high, &commits[i], &ret_results[i], error);
	ok = finish(store, ok, error);
	for (size_t i = 0; !ok && i < count; i++)
		ret_results[i] = (struct store_result){.outcome = STORE_FAILED};
	return ok;
}

static bool history(struct slashing_store *base, const struct store_history *histories, size_t count,
		    struct store_history_result *ret_results, struct error *error)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	bool ok = store_sqlite_step(store, STATEMENT_BEGIN, error);

	for (size_t i = 0; ok && i < count; i++)
		ok = store_sqlite_history_one(store, &histories[i], &ret_results[i], error);
	ok = finish(store, ok, error);
	for (size_t i = 0; !ok && i < count; i++)
		ret_results[i] = (struct store_history_result){.outcome = STORE_FAILED};
	return ok;
}

static bool prune(struct slashing_store *base, size_t *ret_removed, struct error *error)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	AUTO_FREE char *sql = NULL;
	char hex[2 * ROOT_SIZE + 1];
	struct own_root own;

	*ret_removed = 0;
	if (!store_sqlite_read_own_root(store, &own, error))
		return false;
	if (own.known) {
		hex_encode(view_of(own.root, ROOT_SIZE), hex);
		sql = memory_format("DELETE FROM SlashingProtection WHERE genesis_validators_root <> x'%s'", hex);
		if (!execute(store, sql, error))
			return false;
		*ret_removed = (size_t)sqlite3_changes(store->db);
	}
	return execute(store, "PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", error);
}

static const struct store_operations operations = {
	.use_root = use_root,
	.learn_root = learn_root,
	.commit = commit,
	.history = history,
	.high = read_high,
	.list_retired = store_sqlite_list_retired,
	.prune = prune,
	.free = free_store,
};

struct slashing_store *slashing_store_open_sqlite(int folder_fd, struct error *error)
{
	struct sqlite_store *store = (struct sqlite_store *)memory_allocate_zeroed(1, sizeof *store);
	AUTO_FREE char *path = memory_format("/proc/self/fd/%d/" STORE_FILE, folder_fd);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	store->base.operations = &operations;
	if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
		(void)store_sqlite_fail(store, "cannot open " STORE_FILE, error);
	else if (prepare_schema(store, error) && store_sqlite_prepare(store, error))
		return &store->base;
	free_store(&store->base);
	return NULL;
}
