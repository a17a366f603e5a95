/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/store_sqlite.h"

static const struct {
	const char *what; /* for error messages */
	const char *sql;
} statements[STATEMENT_COUNT] = {
	[STATEMENT_READ_WATERMARK] = {"reading a watermark",
				      "SELECT block_slot, block_root, source_epoch, target_epoch, attestation_root"
				      " FROM SlashingProtection WHERE pubkey = ?1 AND genesis_validators_root = ?2"},
	[STATEMENT_WRITE_WATERMARK] =
		{"writing a watermark",
		 "INSERT OR REPLACE INTO SlashingProtection (pubkey, genesis_validators_root, block_slot, block_root,"
		 " source_epoch, target_epoch, attestation_root) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
	[STATEMENT_READ_ROOT] = {"reading the genesis validators root",
				 "SELECT value FROM Metadata WHERE name = 'genesis_validators_root'"},
	[STATEMENT_WRITE_ROOT] = {"writing the genesis validators root",
				  "INSERT INTO Metadata (name, value) VALUES ('genesis_validators_root', ?1)"},
	[STATEMENT_READ_HIGH] = {"reading the high watermark", "SELECT slot, epoch FROM HighWatermark"},
	[STATEMENT_WRITE_HIGH] = {"writing the high watermark",
				  "INSERT OR REPLACE INTO HighWatermark (one, slot, epoch) VALUES (1, ?1, ?2)"},
	[STATEMENT_READ_KEY] = {"reading a key", "SELECT pubkey, begun, retired, origin, begun_s FROM Keys WHERE pubkey = ?1"},
	[STATEMENT_NEXT_KEY] =
		{"reading the next key",
		 "SELECT pubkey, begun, retired, origin, begun_s FROM Keys WHERE pubkey > ?1 ORDER BY pubkey LIMIT 1"},
	[STATEMENT_LIST_RETIRED] = {"listing the retired keys", "SELECT pubkey FROM Keys WHERE retired <> 0 ORDER BY pubkey"},
	[STATEMENT_WRITE_KEY] =
		{"writing a key",
		 "INSERT OR REPLACE INTO Keys (pubkey, begun, retired, origin, begun_s) VALUES (?1, ?2, ?3, ?4, ?5)"},
	[STATEMENT_BEGIN] = {"begin", "BEGIN IMMEDIATE"},
	[STATEMENT_COMMIT] = {"commit", "COMMIT"},
	[STATEMENT_ROLLBACK] = {"rollback", "ROLLBACK"},
};

bool store_sqlite_fail(const struct sqlite_store *store, const char *what, struct error *error)
{
	return error_set(error, ERROR_IO, "slashing store: %s: %s", what, sqlite3_errmsg(store->db));
}

bool store_sqlite_prepare(struct sqlite_store *store, struct error *error)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++) {
		if (sqlite3_prepare_v3(store->db, statements[i].sql, -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL) !=
		    SQLITE_OK)
			return store_sqlite_fail(store, statements[i].what, error);
	}
	return true;
}

bool store_sqlite_step(struct sqlite_store *store, enum store_statement statement, struct error *error)
{
	bool ok = sqlite3_step(store->statements[statement]) == SQLITE_DONE;

	if (!ok)
		(void)store_sqlite_fail(store, statements[statement].what, error);
	(void)sqlite3_reset(store->statements[statement]);
	return ok;
}

/* A step that may give a row. *ret_found: it did, and the columns are there until the statement is reset. */
static bool step_row(struct sqlite_store *store, enum store_statement statement, bool *ret_found, struct error *error)
{
	int result = sqlite3_step(store->statements[statement]);

	*ret_found = result == SQLITE_ROW;
	return result == SQLITE_ROW || result == SQLITE_DONE || store_sqlite_fail(store, statements[statement].what, error);
}

static void bind_blob(sqlite3_stmt *statement, int place, const uint8_t *bytes, int size)
{
	(void)sqlite3_bind_blob(statement, place, bytes, size, SQLITE_STATIC);
}

static void bind_row_key(sqlite3_stmt *statement, const struct row_key *key)
{
	bind_blob(statement, 1, key->public_key, BLS_PUBLIC_KEY_SIZE);
	bind_blob(statement, 2, key->root, ROOT_SIZE);
}

/* ---- watermarks ---- */

/* A root of any other size than 32 would be a damaged row: it stays unknown, which equals nothing. */
static void read_root(sqlite3_stmt *statement, int column, uint8_t ret_root[ROOT_SIZE])
{
	const void *bytes = sqlite3_column_blob(statement, column);

	if (bytes && sqlite3_column_bytes(statement, column) == ROOT_SIZE)
		memcpy(ret_root, bytes, ROOT_SIZE);
}

bool store_sqlite_read_watermark(struct sqlite_store *store, const struct row_key *key, struct watermark *ret_watermark,
				 bool *ret_found, struct error *error)
{
	sqlite3_stmt *statement = store->statements[STATEMENT_READ_WATERMARK];
	struct watermark watermark = {0};
	bool found;
	bool ok;

	bind_row_key(statement, key);
	ok = step_row(store, STATEMENT_READ_WATERMARK, &found, error);
	if (ok && found) {
		watermark.has_block = sqlite3_column_type(statement, 0) != SQLITE_NULL;
		watermark.block_slot = (uint64_t)sqlite3_column_int64(statement, 0);
		read_root(statement, 1, watermark.block_root);
		watermark.has_attestation = sqlite3_column_type(statement, 3) != SQLITE_NULL;
		watermark.source_epoch = (uint64_t)sqlite3_column_int64(statement, 2);
		watermark.target_epoch = (uint64_t)sqlite3_column_int64(statement, 3);
		read_root(statement, 4, watermark.attestation_root);
	}
	(void)sqlite3_reset(statement);
	*ret_watermark = watermark;
	if (ret_found)
		*ret_found = found;
	return ok;
}

bool store_sqlite_write_watermark(struct sqlite_store *store, const struct row_key *key, const struct watermark *watermark,
				  struct error *error)
{
	sqlite3_stmt *statement = store->statements[STATEMENT_WRITE_WATERMARK];

	(void)sqlite3_clear_bindings(statement);
	bind_row_key(statement, key);
	if (watermark->has_block) {
		(void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)watermark->block_slot);
		bind_blob(statement, 4, watermark->block_root, ROOT_SIZE);
	}
	if (watermark->has_attestation) {
		(void)sqlite3_bind_int64(statement, 5, (sqlite3_int64)watermark->source_epoch);
		(void)sqlite3_bind_int64(statement, 6, (sqlite3_int64)watermark->target_epoch);
		bind_blob(statement, 7, watermark->attestation_root, ROOT_SIZE);
	}
	return store_sqlite_step(store, STATEMENT_WRITE_WATERMARK, error);
}

/* ---- keys ---- */

static bool read_key(struct sqlite_store *store, enum store_statement number, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
		     uint8_t ret_public_key[BLS_PUBLIC_KEY_SIZE], struct key_row *ret_row, struct error *error)
{
	sqlite3_stmt *statement = store->statements[number];
	struct key_row row = {0};
	bool found;
	bool ok;

	bind_blob(statement, 1, public_key, BLS_PUBLIC_KEY_SIZE);
	ok = step_row(store, number, &found, error);
	if (ok && found && sqlite3_column_bytes(statement, 0) != BLS_PUBLIC_KEY_SIZE)
		ok = error_set(error, ERROR_IO, "slashing store: a public key of %d bytes", sqlite3_column_bytes(statement, 0));
	if (ok && found) {
		memcpy(ret_public_key, sqlite3_column_blob(statement, 0), BLS_PUBLIC_KEY_SIZE);
		row.has_begun = sqlite3_column_int(statement, 1) != 0;
		row.is_retired = sqlite3_column_int(statement, 2) != 0;
		row.origin = history_origin_parse((const char *)sqlite3_column_text(statement, 3));
		row.begun_s = (uint64_t)sqlite3_column_int64(statement, 4);
	}
	(void)sqlite3_reset(statement);
	*ret_row = row;
	return ok;
}

bool store_sqlite_read_key(struct sqlite_store *store, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], struct key_row *ret_row,
			   struct error *error)
{
	uint8_t same[BLS_PUBLIC_KEY_SIZE];

	return read_key(store, STATEMENT_READ_KEY, public_key, same, ret_row, error);
}

bool store_sqlite_next_key(struct sqlite_store *store, const uint8_t after[BLS_PUBLIC_KEY_SIZE],
			   uint8_t ret_public_key[BLS_PUBLIC_KEY_SIZE], struct key_row *ret_row, struct error *error)
{
	return read_key(store, STATEMENT_NEXT_KEY, after, ret_public_key, ret_row, error);
}

static bool append_key(sqlite3_stmt *statement, size_t max, struct buffer *keys, struct error *error)
{
	int size = sqlite3_column_bytes(statement, 0);

	if (size != BLS_PUBLIC_KEY_SIZE)
		return error_set(error, ERROR_IO, "slashing store: a public key of %d bytes", size);
	if (keys->size / BLS_PUBLIC_KEY_SIZE == max)
		return error_set(error, ERROR_POLICY, "slashing store: more than %zu retired keys", max);
	buffer_append(keys, view_of(sqlite3_column_blob(statement, 0), BLS_PUBLIC_KEY_SIZE));
	return true;
}

bool store_sqlite_list_retired(struct slashing_store *base, size_t max, struct buffer *ret_keys, struct error *error)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	bool found = true;
	bool ok = true;

	while (ok && found) {
		ok = step_row(store, STATEMENT_LIST_RETIRED, &found, error);
		if (ok && found)
			ok = append_key(store->statements[STATEMENT_LIST_RETIRED], max, ret_keys, error);
	}
	(void)sqlite3_reset(store->statements[STATEMENT_LIST_RETIRED]);
	return ok;
}

bool store_sqlite_write_key(struct sqlite_store *store, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], const struct key_row *row,
			    struct error *error)
{
	sqlite3_stmt *statement = store->statements[STATEMENT_WRITE_KEY];

	bind_blob(statement, 1, public_key, BLS_PUBLIC_KEY_SIZE);
	(void)sqlite3_bind_int(statement, 2, row->has_begun);
	(void)sqlite3_bind_int(statement, 3, row->is_retired);
	(void)sqlite3_bind_text(statement, 4, history_origin_name(row->origin), -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(statement, 5, (sqlite3_int64)row->begun_s);
	return store_sqlite_step(store, STATEMENT_WRITE_KEY, error);
}

/* ---- the network's root ---- */

bool store_sqlite_read_own_root(struct sqlite_store *store, struct own_root *ret_own, struct error *error)
{
	sqlite3_stmt *statement = store->statements[STATEMENT_READ_ROOT];
	int size = ROOT_SIZE;
	bool ok;

	*ret_own = (struct own_root){.known = store->has_root};
	memcpy(ret_own->root, store->root, ROOT_SIZE);
	if (!store->learns_root)
		return true;
	ok = step_row(store, STATEMENT_READ_ROOT, &ret_own->known, error);
	if (ok && ret_own->known)
		size = sqlite3_column_bytes(statement, 0);
	/* A damaged value is an error, not an invitation to learn another. */
	if (size != ROOT_SIZE)
		ok = error_set(error, ERROR_IO, "slashing store: the genesis validators root has %d bytes", size);
	if (ok && ret_own->known)
		memcpy(ret_own->root, sqlite3_column_blob(statement, 0), ROOT_SIZE);
	(void)sqlite3_reset(statement);
	return ok;
}

bool store_sqlite_write_learned_root(struct sqlite_store *store, const uint8_t root[ROOT_SIZE], struct error *error)
{
	bind_blob(store->statements[STATEMENT_WRITE_ROOT], 1, root, ROOT_SIZE);
	return store_sqlite_step(store, STATEMENT_WRITE_ROOT, error);
}

/* ---- the high watermark ---- */

bool store_sqlite_read_high(struct sqlite_store *store, struct high_watermark *ret_high, struct error *error)
{
	sqlite3_stmt *statement = store->statements[STATEMENT_READ_HIGH];
	struct high_watermark high = {0};
	bool found;
	bool ok = step_row(store, STATEMENT_READ_HIGH, &found, error);

	if (ok && found) {
		high.has_slot = sqlite3_column_type(statement, 0) != SQLITE_NULL;
		high.slot = (uint64_t)sqlite3_column_int64(statement, 0);
		high.has_epoch = sqlite3_column_type(statement, 1) != SQLITE_NULL;
		high.epoch = (uint64_t)sqlite3_column_int64(statement, 1);
	}
	(void)sqlite3_reset(statement);
	*ret_high = high;
	return ok;
}

bool store_sqlite_write_high(struct sqlite_store *store, const struct high_watermark *high, struct error *error)
{
	sqlite3_stmt *statement = store->statements[STATEMENT_WRITE_HIGH];

	(void)sqlite3_clear_bindings(statement);
	if (high->has_slot)
		(void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)high->slot);
	if (high->has_epoch)
		(void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)high->epoch);
	return store_sqlite_step(store, STATEMENT_WRITE_HIGH, error);
}
