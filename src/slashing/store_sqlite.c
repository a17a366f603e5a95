/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/store.h"

#include <sqlite3.h>

#define STORE_FILE "slashing.sqlite"
/* 2: retired keys, which an Ensign of version 1 would sign with, so it refuses the file. */
#define STORE_SCHEMA_VERSION 2

/* Numbers are SQLite's signed 64-bit integers and hold unsigned ones bit for bit; all comparing is done in C. */
static const char schema[] =
	"CREATE TABLE IF NOT EXISTS SlashingProtection ("
	" pubkey BLOB NOT NULL, genesis_validators_root BLOB NOT NULL,"
	" block_slot INTEGER, block_root BLOB,"
	" source_epoch INTEGER, target_epoch INTEGER, attestation_root BLOB,"
	" PRIMARY KEY (pubkey, genesis_validators_root)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS Metadata (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS RetiredKeys (pubkey BLOB PRIMARY KEY NOT NULL) WITHOUT ROWID";

static const char select_sql[] = "SELECT block_slot, block_root, source_epoch, target_epoch, attestation_root"
				 " FROM SlashingProtection WHERE pubkey = ?1 AND genesis_validators_root = ?2";

static const char write_sql[] =
	"INSERT OR REPLACE INTO SlashingProtection (pubkey, genesis_validators_root, block_slot, block_root,"
	" source_epoch, target_epoch, attestation_root) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

static const char select_root_sql[] = "SELECT value FROM Metadata WHERE name = 'genesis_validators_root'";
static const char write_root_sql[] = "INSERT INTO Metadata (name, value) VALUES ('genesis_validators_root', ?1)";

static const char select_retired_sql[] = "SELECT 1 FROM RetiredKeys WHERE pubkey = ?1";
static const char list_retired_sql[] = "SELECT pubkey FROM RetiredKeys ORDER BY pubkey";
static const char retire_sql[] = "INSERT OR IGNORE INTO RetiredKeys (pubkey) VALUES (?1)";
static const char enable_sql[] = "DELETE FROM RetiredKeys WHERE pubkey = ?1";

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
	sqlite3_stmt *select_retired;
	sqlite3_stmt *list_retired;
	sqlite3_stmt *retire;
	sqlite3_stmt *enable;
	sqlite3_stmt *begin;
	sqlite3_stmt *commit;
	sqlite3_stmt *rollback;
	bool learns_root;
	bool has_root; /* configured */
	uint8_t root[ROOT_SIZE];
};

/* The network's root, if it is known. */
struct own_root {
	bool known;
	uint8_t root[ROOT_SIZE];
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
		{select_sql, &store->select},
		{write_sql, &store->write},
		{select_root_sql, &store->select_root},
		{write_root_sql, &store->write_root},
		{select_retired_sql, &store->select_retired},
		{list_retired_sql, &store->list_retired},
		{retire_sql, &store->retire},
		{enable_sql, &store->enable},
		{"BEGIN IMMEDIATE", &store->begin},
		{"COMMIT", &store->commit},
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
	(void)sqlite3_finalize(store->select_retired);
	(void)sqlite3_finalize(store->list_retired);
	(void)sqlite3_finalize(store->retire);
	(void)sqlite3_finalize(store->enable);
	(void)sqlite3_finalize(store->begin);
	(void)sqlite3_finalize(store->commit);
	(void)sqlite3_finalize(store->rollback);
	(void)sqlite3_close(store->db);
	free(store);
}

void slashing_store_use_root(struct slashing_store *store, const uint8_t genesis_validators_root[ROOT_SIZE])
{
	memcpy(store->root, genesis_validators_root, ROOT_SIZE);
	store->has_root = true;
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

/* Whose watermark; borrows. */
struct row_key {
	const uint8_t *public_key;
	const uint8_t *root;
};

static void bind_key(sqlite3_stmt *statement, const struct row_key *key)
{
	(void)sqlite3_bind_blob(statement, 1, key->public_key, BLS_PUBLIC_KEY_SIZE, SQLITE_STATIC);
	(void)sqlite3_bind_blob(statement, 2, key->root, ROOT_SIZE, SQLITE_STATIC);
}

/* A root of any other size than 32 would be a damaged row: it stays unknown, which equals nothing. */
static void read_root(sqlite3_stmt *statement, int column, uint8_t ret_root[ROOT_SIZE])
{
	const void *bytes = sqlite3_column_blob(statement, column);

	if (bytes && sqlite3_column_bytes(statement, column) == ROOT_SIZE)
		memcpy(ret_root, bytes, ROOT_SIZE);
}

/* Empty where there is none. */
static bool read_watermark(struct slashing_store *store, const struct row_key *key, struct watermark *ret_watermark,
			   struct error *error)
{
	struct watermark watermark = {0};
	int result;

	bind_key(store->select, key);
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

static bool write_watermark(struct slashing_store *store, const struct row_key *key, const struct watermark *watermark,
			    struct error *error)
{
	(void)sqlite3_clear_bindings(store->write);
	bind_key(store->write, key);
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
	const struct row_key key = {commit->public_key, commit->genesis_validators_root};
	enum slashing_verdict verdict;

	if (!read_watermark(store, &key, &ret_result->watermark, error))
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
	return write_watermark(store, &key, &ret_result->watermark, error);
}

/* Asked each time, not remembered: a transaction that fails takes what it learned with it. */
static bool read_own_root(struct slashing_store *store, struct own_root *ret_own, struct error *error)
{
	int result, size;
	bool ok;

	*ret_own = (struct own_root){.known = store->has_root};
	memcpy(ret_own->root, store->root, ROOT_SIZE);
	if (!store->learns_root)
		return true;
	result = sqlite3_step(store->select_root);
	ok = result == SQLITE_ROW || result == SQLITE_DONE;
	if (!ok)
		(void)fail(store, "reading the genesis validators root", error);
	ret_own->known = result == SQLITE_ROW;
	size = ret_own->known ? sqlite3_column_bytes(store->select_root, 0) : ROOT_SIZE;
	/* A damaged value is an error, not an invitation to learn another. */
	if (size != ROOT_SIZE)
		ok = error_set(error, ERROR_IO, "slashing store: the genesis validators root has %d bytes", size);
	if (ret_own->known && ok)
		memcpy(ret_own->root, sqlite3_column_blob(store->select_root, 0), ROOT_SIZE);
	(void)sqlite3_reset(store->select_root);
	return ok;
}

static bool write_learned_root(struct slashing_store *store, const uint8_t root[ROOT_SIZE], struct error *error)
{
	(void)sqlite3_bind_blob(store->write_root, 1, root, ROOT_SIZE, SQLITE_STATIC);
	return step_once(store, store->write_root, "writing the genesis validators root", error);
}

static bool is_foreign(const struct own_root *own, const uint8_t root[ROOT_SIZE])
{
	return own->known && memcmp(own->root, root, ROOT_SIZE) != 0;
}

static bool read_retired(struct slashing_store *store, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], bool *ret_retired,
			 struct error *error)
{
	int result;

	(void)sqlite3_bind_blob(store->select_retired, 1, public_key, BLS_PUBLIC_KEY_SIZE, SQLITE_STATIC);
	result = sqlite3_step(store->select_retired);
	*ret_retired = result == SQLITE_ROW;
	if (result != SQLITE_ROW && result != SQLITE_DONE)
		(void)fail(store, "reading a retired key", error);
	(void)sqlite3_reset(store->select_retired);
	return result == SQLITE_ROW || result == SQLITE_DONE;
}

static bool commit_one(struct slashing_store *store, const struct store_commit *commit, struct store_result *ret_result,
		       struct error *error)
{
	struct own_root own;
	bool retired;

	*ret_result = (struct store_result){0};
	if (!read_own_root(store, &own, error) || !read_retired(store, commit->public_key, &retired, error))
		return false;
	if (is_foreign(&own, commit->genesis_validators_root)) {
		ret_result->outcome = STORE_WRONG_NETWORK;
		memcpy(ret_result->genesis_validators_root, own.root, ROOT_SIZE);
		return true;
	}
	if (retired) {
		ret_result->outcome = STORE_RETIRED;
		return true;
	}
	if (!commit_watermark(store, commit, ret_result, error))
		return false;
	return !store->learns_root || own.known || ret_result->outcome != STORE_DURABLE ||
	       write_learned_root(store, commit->genesis_validators_root, error);
}

/* Ends the transaction: durable, or as if it had never been. */
static bool finish(struct slashing_store *store, bool ok, struct error *error)
{
	ok = ok && step_once(store, store->commit, "commit", error);
	/* After a failed COMMIT the transaction may or may not be open; rolling back what is not there is harmless. */
	if (!ok && !sqlite3_get_autocommit(store->db))
		(void)step_once(store, store->rollback, "rollback", NULL);
	return ok;
}

bool slashing_store_commit(struct slashing_store *store, const struct store_commit *commits, size_t count,
			   struct store_result *ret_results, struct error *error)
{
	bool ok = step_once(store, store->begin, "begin", error);

	for (size_t i = 0; ok && i < count; i++)
		ok = commit_one(store, &commits[i], &ret_results[i], error);
	ok = finish(store, ok, error);
	for (size_t i = 0; !ok && i < count; i++)
		ret_results[i] = (struct store_result){.outcome = STORE_FAILED};
	return ok;
}

/* ---- histories ---- */

static bool raise_watermark(struct slashing_store *store, const struct store_history *history, const struct row_key *key,
			    struct watermark *watermark, struct error *error)
{
	slashing_raise(watermark, &history->watermark);
	/* Nothing raised by nothing is no history. */
	if (!watermark->has_block && !watermark->has_attestation)
		return true;
	return write_watermark(store, key, watermark, error);
}

static bool set_retired(struct slashing_store *store, const struct store_history *history, struct error *error)
{
	sqlite3_stmt *statement = history->action == STORE_RETIRE ? store->retire : store->enable;

	(void)sqlite3_bind_blob(statement, 1, history->public_key, BLS_PUBLIC_KEY_SIZE, SQLITE_STATIC);
	return step_once(store, statement, "writing a retired key", error);
}

static bool act(struct slashing_store *store, const struct store_history *history, const struct row_key *key,
		struct store_history_result *result, struct error *error)
{
	bool has_history = result->is_retired || result->watermark.has_block || result->watermark.has_attestation;

	if (history->action == STORE_RAISE)
		return raise_watermark(store, history, key, &result->watermark, error);
	if (!has_history && (history->action == STORE_READ || (history->action == STORE_RETIRE && history->known_only))) {
		result->outcome = STORE_UNKNOWN;
		return true;
	}
	if (history->action == STORE_READ)
		return true;
	result->is_retired = history->action == STORE_RETIRE;
	return set_retired(store, history, error);
}

static bool history_one(struct slashing_store *store, const struct store_history *history, struct store_history_result *ret_result,
			struct error *error)
{
	struct row_key key = {history->public_key, NULL};
	struct own_root own;

	*ret_result = (struct store_history_result){0};
	if (!read_own_root(store, &own, error) || !read_retired(store, history->public_key, &ret_result->is_retired, error))
		return false;
	ret_result->has_root = own.known;
	memcpy(ret_result->genesis_validators_root, own.root, ROOT_SIZE);
	if (history->action == STORE_RAISE)
		key.root = history->genesis_validators_root;
	else if (own.known)
		key.root = own.root;
	if (history->action == STORE_RAISE && is_foreign(&own, key.root)) {
		ret_result->outcome = STORE_WRONG_NETWORK;
		key.root = own.root;
	}
	if (key.root && !read_watermark(store, &key, &ret_result->watermark, error))
		return false;
	return ret_result->outcome == STORE_WRONG_NETWORK || act(store, history, &key, ret_result, error);
}

bool slashing_store_history(struct slashing_store *store, const struct store_history *histories, size_t count,
			    struct store_history_result *ret_results, struct error *error)
{
	bool ok = step_once(store, store->begin, "begin", error);

	for (size_t i = 0; ok && i < count; i++)
		ok = history_one(store, &histories[i], &ret_results[i], error);
	ok = finish(store, ok, error);
	for (size_t i = 0; !ok && i < count; i++)
		ret_results[i] = (struct store_history_result){.outcome = STORE_FAILED};
	return ok;
}

/* A key of another size would be a damaged row: whose it was nobody can say, so nobody may go on as if it were not there. */
static bool append_retired(struct slashing_store *store, size_t max, struct buffer *keys, struct error *error)
{
	int size = sqlite3_column_bytes(store->list_retired, 0);

	if (size != BLS_PUBLIC_KEY_SIZE)
		return error_set(error, ERROR_IO, "slashing store: a retired key of %d bytes", size);
	if (keys->size / BLS_PUBLIC_KEY_SIZE == max)
		return error_set(error, ERROR_POLICY, "slashing store: more than %zu retired keys", max);
	buffer_append(keys, view_of(sqlite3_column_blob(store->list_retired, 0), BLS_PUBLIC_KEY_SIZE));
	return true;
}

bool slashing_store_list_retired(struct slashing_store *store, size_t max, struct buffer *ret_keys, struct error *error)
{
	bool ok = true;
	int result;

	while ((result = sqlite3_step(store->list_retired)) == SQLITE_ROW && ok)
		ok = append_retired(store, max, ret_keys, error);
	if (ok && result != SQLITE_DONE)
		ok = fail(store, "listing the retired keys", error);
	(void)sqlite3_reset(store->list_retired);
	return ok;
}
