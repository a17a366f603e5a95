/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/store.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>

/* Only this process uses the file (it holds the folder's lock), so waiting longer than this for it means something is broken. */
#define BUSY_TIMEOUT_MS 5000

struct sim_store {
	sqlite3 *database;
	pthread_mutex_t mutex; /* one statement at a time, so that an error message belongs to its statement */
};

static const char schema[] =
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = FULL;"
	"PRAGMA secure_delete = ON;"
	"CREATE TABLE IF NOT EXISTS keys (id TEXT PRIMARY KEY, description BLOB NOT NULL, policy BLOB NOT NULL,"
	" material BLOB NOT NULL, created_ms INTEGER NOT NULL) STRICT;"
	"CREATE TABLE IF NOT EXISTS identities (access_key_id TEXT PRIMARY KEY, principal_arn TEXT NOT NULL,"
	" session_arn TEXT NOT NULL, secret BLOB NOT NULL, token BLOB NOT NULL,"
	" expiration_ms INTEGER NOT NULL) STRICT;"
	"CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;";

/* One value to bind: a text, a number or bytes. */
struct parameter {
	enum { PARAMETER_TEXT, PARAMETER_NUMBER, PARAMETER_BYTES } kind;
	const char *text;
	uint64_t number;
	struct view bytes;
};

#define TEXT(value)                                                                                                                \
	(struct parameter)                                                                                                         \
	{                                                                                                                          \
		.kind = PARAMETER_TEXT, .text = (value)                                                                            \
	}
#define NUMBER(value)                                                                                                              \
	(struct parameter)                                                                                                         \
	{                                                                                                                          \
		.kind = PARAMETER_NUMBER, .number = (value)                                                                        \
	}
#define BYTES(value)                                                                                                               \
	(struct parameter)                                                                                                         \
	{                                                                                                                          \
		.kind = PARAMETER_BYTES, .bytes = (value)                                                                          \
	}

void sim_key_done(struct sim_key *key)
{
	if (!key)
		return;
	buffer_done(&key->description);
	buffer_done(&key->policy);
	secret_done(&key->material);
}

void sim_identity_done(struct sim_identity *identity)
{
	if (identity)
		credentials_done(&identity->credentials);
}

static bool fail(struct sim_store *store, struct error *error)
{
	return error_set(error, ERROR_IO, "the simulator's store: %s", sqlite3_errmsg(store->database));
}

static int bind_one(sqlite3_stmt *statement, int index, const struct parameter *parameter)
{
	/* An empty blob and a NULL pointer are not the same to SQLite. */
	const void *bytes = parameter->bytes.data ? (const void *)parameter->bytes.data : "";

	if (parameter->kind == PARAMETER_TEXT)
		return sqlite3_bind_text(statement, index, parameter->text, -1, SQLITE_STATIC);
	if (parameter->kind == PARAMETER_NUMBER)
		return sqlite3_bind_int64(statement, index, (sqlite3_int64)parameter->number);
	return sqlite3_bind_blob64(statement, index, bytes, parameter->bytes.size, SQLITE_STATIC);
}

/* Reads one row; false fills the error. */
typedef bool (*row_reader)(sqlite3_stmt *row, void *ret_value, struct error *error);

/* Runs one statement. With a reader: its first row is read, ERROR_NOT_FOUND when there is none. Called with the mutex held. */
static bool run_locked(struct sim_store *store, const char *sql, const struct parameter *parameters, size_t count, row_reader read,
		       void *ret_value, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(store->database, sql, -1, &statement, NULL);
	bool done;

	for (size_t i = 0; i < count && result == SQLITE_OK; i++)
		result = bind_one(statement, (int)i + 1, &parameters[i]);
	if (result == SQLITE_OK)
		result = sqlite3_step(statement);
	if (result != SQLITE_DONE && result != SQLITE_ROW)
		done = fail(store, error);
	else if (!read)
		done = true;
	else
		done = result == SQLITE_ROW ? read(statement, ret_value, error) : error_set(error, ERROR_NOT_FOUND, "no such row");
	(void)sqlite3_finalize(statement);
	return done;
}

static bool run(struct sim_store *store, const char *sql, const struct parameter *parameters, size_t count, row_reader read,
		void *ret_value, struct error *error)
{
	bool done;

	(void)pthread_mutex_lock(&store->mutex);
	done = run_locked(store, sql, parameters, count, read, ret_value, error);
	(void)pthread_mutex_unlock(&store->mutex);
	return done;
}

struct sim_store *sim_store_open(const char *path, struct error *error)
{
	/* Made by us first, because SQLite would make it with the umask's mode; its journals copy the mode of the file. */
	AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct sim_store *store;

	if (fd < 0)
		return error_set_errno(error, ERROR_IO, "%s", path), NULL;
	store = memory_allocate_zeroed(1, sizeof *store);
	(void)pthread_mutex_init(&store->mutex, NULL);
	if (sqlite3_open_v2(path, &store->database, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
	    sqlite3_busy_timeout(store->database, BUSY_TIMEOUT_MS) != SQLITE_OK ||
	    sqlite3_exec(store->database, schema, NULL, NULL, NULL) != SQLITE_OK) {
		(void)fail(store, error);
		(void)error_prefix(error, "%s", path);
		sim_store_free(store);
		return NULL;
	}
	return store;
}

void sim_store_free(struct sim_store *store)
{
	if (!store)
		return;
	(void)sqlite3_close(store->database);
	(void)pthread_mutex_destroy(&store->mutex);
	free(store);
}

static struct view column_view(sqlite3_stmt *row, int column)
{
	const void *bytes = sqlite3_column_blob(row, column);

	return view_of(bytes, (size_t)sqlite3_column_bytes(row, column));
}

static bool column_text(sqlite3_stmt *row, int column, char *ret_text, size_t size, struct error *error)
{
	struct view text = column_view(row, column);

	if (text.size >= size)
		return error_set(error, ERROR_IO, "the simulator's store: column %d is too long", column);
	if (text.size)
		memcpy(ret_text, text.data, text.size);
	ret_text[text.size] = 0;
	return true;
}

static bool read_key(sqlite3_stmt *row, void *ret_value, struct error *error)
{
	struct sim_key *ret_key = ret_value;
	AUTO_SIM_KEY struct sim_key key = {0};

	if (!column_text(row, 0, key.id, sizeof key.id, error) || !secret_init_copy(&key.material, column_view(row, 3), error))
		return false;
	buffer_append(&key.description, column_view(row, 1));
	buffer_append(&key.policy, column_view(row, 2));
	key.created_ms = (uint64_t)sqlite3_column_int64(row, 4);
	*ret_key = key;
	key = (struct sim_key){0};
	return true;
}

bool sim_store_add_key(struct sim_store *store, const struct sim_key *key, struct error *error)
{
	const struct parameter parameters[] = {TEXT(key->id), BYTES(buffer_view(&key->description)),
					       BYTES(buffer_view(&key->policy)), BYTES(secret_view(&key->material)),
					       NUMBER(key->created_ms)};

	return run(store, "INSERT INTO keys (id, description, policy, material, created_ms) VALUES (?, ?, ?, ?, ?)", parameters,
		   ARRAY_SIZE(parameters), NULL, NULL, error);
}

bool sim_store_find_key(struct sim_store *store, const char *id, struct sim_key *ret_key, struct error *error)
{
	const struct parameter parameters[] = {TEXT(id)};

	return run(store, "SELECT id, description, policy, material, created_ms FROM keys WHERE id = ?", parameters,
		   ARRAY_SIZE(parameters), read_key, ret_key, error);
}

bool sim_store_set_policy(struct sim_store *store, const char *id, struct view policy, struct error *error)
{
	const struct parameter parameters[] = {BYTES(policy), TEXT(id)};

	return run(store, "UPDATE keys SET policy = ? WHERE id = ?", parameters, ARRAY_SIZE(parameters), NULL, NULL, error);
}

#define IDENTITY_COLUMNS "access_key_id, principal_arn, session_arn, secret, token, expiration_ms"

static bool read_identity(sqlite3_stmt *row, void *ret_value, struct error *error)
{
	struct sim_identity *ret_identity = ret_value;
	AUTO_SIM_IDENTITY struct sim_identity identity = {0};
	struct credentials *credentials = &identity.credentials;
	struct view token = column_view(row, 4);

	if (!column_text(row, 0, credentials->access_key_id, sizeof credentials->access_key_id, error) ||
	    !column_text(row, 1, identity.principal_arn, sizeof identity.principal_arn, error) ||
	    !column_text(row, 2, identity.session_arn, sizeof identity.session_arn, error) ||
	    !secret_init_copy(&credentials->secret_access_key, column_view(row, 3), error))
		return false;
	if (token.size && !secret_init_copy(&credentials->session_token, token, error))
		return false;
	credentials->expiration_ms = (uint64_t)sqlite3_column_int64(row, 5);
	*ret_identity = identity;
	identity = (struct sim_identity){0};
	return true;
}

bool sim_store_add_identity(struct sim_store *store, const struct sim_identity *identity, struct error *error)
{
	const struct credentials *credentials = &identity->credentials;
	const struct parameter parameters[] = {TEXT(credentials->access_key_id),
					       TEXT(identity->principal_arn),
					       TEXT(identity->session_arn),
					       BYTES(secret_view(&credentials->secret_access_key)),
					       BYTES(secret_view(&credentials->session_token)),
					       NUMBER(credentials->expiration_ms)};

	return run(store, "INSERT INTO identities (" IDENTITY_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?)", parameters,
		   ARRAY_SIZE(parameters), NULL, NULL, error);
}

bool sim_store_find_identity(struct sim_store *store, const char *access_key_id, struct sim_identity *ret_identity,
			     struct error *error)
{
	const struct parameter parameters[] = {TEXT(access_key_id)};

	return run(store, "SELECT " IDENTITY_COLUMNS " FROM identities WHERE access_key_id = ?", parameters, ARRAY_SIZE(parameters),
		   read_identity, ret_identity, error);
}

bool sim_store_find_identity_of(struct sim_store *store, const char *principal_arn, struct sim_identity *ret_identity,
				struct error *error)
{
	const struct parameter parameters[] = {TEXT(principal_arn)};

	return run(store,
		   "SELECT " IDENTITY_COLUMNS " FROM identities WHERE principal_arn = ?"
		   " ORDER BY expiration_ms = 0 DESC, expiration_ms DESC LIMIT 1",
		   parameters, ARRAY_SIZE(parameters), read_identity, ret_identity, error);
}

bool sim_store_remove_expired(struct sim_store *store, uint64_t at_ms, struct error *error)
{
	const struct parameter parameters[] = {NUMBER(at_ms)};

	return run(store, "DELETE FROM identities WHERE expiration_ms <> 0 AND expiration_ms < ?", parameters,
		   ARRAY_SIZE(parameters), NULL, NULL, error);
}

static bool read_setting(sqlite3_stmt *row, void *ret_value, struct error *error)
{
	return secret_init_copy(ret_value, column_view(row, 0), error);
}

bool sim_store_set(struct sim_store *store, const char *name, struct view value, struct error *error)
{
	const struct parameter parameters[] = {TEXT(name), BYTES(value)};

	return run(store,
		   "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
		   parameters, ARRAY_SIZE(parameters), NULL, NULL, error);
}

bool sim_store_get(struct sim_store *store, const char *name, struct secret *ret_value, struct error *error)
{
	const struct parameter parameters[] = {TEXT(name)};

	return run(store, "SELECT value FROM settings WHERE name = ?", parameters, ARRAY_SIZE(parameters), read_setting, ret_value,
		   error);
}
