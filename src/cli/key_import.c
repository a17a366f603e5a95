/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/key_import.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "tables/sealed_key.h"

/* At 256 MiB a decryption this is 2 GiB, which a machine with that many cores has. */
#define THREADS_MAX 8
#define PROGRESS_INTERVAL_US 100000
/* More keystores than this in one folder is a mistake: the signer holds 100,000 keys. */
#define KEYSTORES_MAX 100000

struct import {
	const struct key_source *source;
	const struct key_seal *seal;
	const struct key_paths *paths;
	struct key_row *rows;
	atomic_size_t next;
	atomic_size_t done;
	atomic_bool stop; /* somebody failed: files not begun are left alone */
	pthread_mutex_t mutex;
	size_t failed_index; /* the smallest index that failed; guarded by mutex */
	struct error error;  /* of failed_index */
};

void key_paths_done(struct key_paths *paths)
{
	if (!paths)
		return;
	for (size_t i = 0; i < paths->count; i++)
		free(paths->paths[i]);
	free(paths->paths);
	*paths = (struct key_paths){0};
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_keystore_name(const char *name)
{
	size_t size = strlen(name);

	return name[0] != '.' && size > 5 && strcmp(name + size - 5, ".json") == 0;
}

static void add_path(struct key_paths *paths, char *path)
{
	/* Doubled at each power of two. */
	if ((paths->count & (paths->count - 1)) == 0) {
		size_t capacity = paths->count ? 2 * paths->count : 1;
		char **grown = (char **)memory_allocate_zeroed(capacity, sizeof *grown);

		if (paths->count)
			memcpy(grown, paths->paths, paths->count * sizeof *grown);
		free(paths->paths);
		paths->paths = grown;
	}
	paths->paths[paths->count++] = path;
}

bool key_paths_list(const char *folder, struct key_paths *ret_paths, struct error *error)
{
	AUTO_KEY_PATHS struct key_paths paths = {0};
	DIR *stream = opendir(folder);

	if (!stream)
		return error_set_errno(error, ERROR_INPUT, "keystores: %s", folder);
	for (struct dirent *entry = readdir(stream); entry && paths.count <= KEYSTORES_MAX; entry = readdir(stream)) {
		if (is_keystore_name(entry->d_name))
			add_path(&paths, memory_format("%s/%s", folder, entry->d_name));
	}
	(void)closedir(stream);
	if (paths.count == 0)
		return error_set(error, ERROR_INPUT, "keystores: no *.json in %s", folder);
	if (paths.count > KEYSTORES_MAX)
		return error_set(error, ERROR_INPUT, "keystores: more than %d files in %s", KEYSTORES_MAX, folder);
	qsort(paths.paths, paths.count, sizeof *paths.paths, compare_paths);
	*ret_paths = paths;
	paths = (struct key_paths){0};
	return true;
}

bool password_file_read(const char *path, struct secret *ret_password, struct error *error)
{
	AUTO_SECRET struct secret contents = {0};
	size_t size;

	if (!file_read_secret(path, KEYSTORE_PASSWORD_MAX_SIZE, &contents, error))
		return error_prefix(error, "password");
	size = contents.size;
	if (size && contents.data[size - 1] == '\n')
		size--;
	if (size && contents.data[size - 1] == '\r')
		size--;
	return secret_init_copy(ret_password, view_of(contents.data, size), error);
}

bool keystore_file_read_pubkey(const char *path, char ret_pubkey[KEY_TABLE_PUBKEY_SIZE], bool *ret_has, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *object = NULL;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];

	if (!file_read(path, KEYSTORE_MAX_SIZE, &text, error))
		return false;
	object = json_parse_object(buffer_view(&text), path, error);
	if (!object)
		return false;
	*ret_has = json_object_get(object, "pubkey") != NULL;
	if (!*ret_has)
		return true;
	if (!json_read_hex(object, "pubkey", public_key, sizeof public_key, error))
		return error_prefix(error, "%s", path);
	hex_encode(view_of(public_key, sizeof public_key), ret_pubkey);
	return true;
}

/* DIR/X.json → PASSWORDS/X.txt */
static char *password_path(const struct key_source *source, const char *keystore_path)
{
	const char *slash = strrchr(keystore_path, '/');
	const char *name = slash ? slash + 1 : keystore_path;

	if (source->password_file)
		return memory_copy_text(source->password_file);
	return memory_format("%s/%.*s.txt", source->passwords, (int)(strlen(name) - strlen(".json")), name);
}

void key_row_begin(const char *web3signer_uuid, const char *chain, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
		   struct key_row *ret_row)
{
	char time[CLOCK_TEXT_SIZE];

	*ret_row = (struct key_row){.active = true};
	hex_encode(view_of(public_key, BLS_PUBLIC_KEY_SIZE), ret_row->pubkey);
	(void)snprintf(ret_row->web3signer_uuid, sizeof ret_row->web3signer_uuid, "%s", web3signer_uuid);
	(void)snprintf(ret_row->chain, sizeof ret_row->chain, "%s", chain);
	clock_format(clock_realtime_ms(), time);
	ret_row->datetime = memory_copy_text(time);
}

bool key_seal_row(const struct key_seal *seal, const struct secret *secret_key, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
		  struct key_row *ret_row, struct error *error)
{
	AUTO_BUFFER struct buffer sealed = {0};
	AUTO_BUFFER struct buffer text = {0};
	AUTO_KEY_ROW struct key_row row = {0};

	key_row_begin(seal->web3signer_uuid, seal->chain, public_key, &row);
	if (!sealed_key_seal(seal->data_key, row.pubkey, seal->chain, secret_key, &sealed, error))
		return false;
	base64_encode(buffer_view(&sealed), &text);
	row.sealed_key_b64 = memory_copy_text(buffer_text(&text));
	row.data_key_b64 = memory_copy_text(seal->data_key_b64);
	*ret_row = row;
	row = (struct key_row){0};
	return true;
}

static bool import_one(const struct import *import, struct keystore_kdf_cache *cache, const char *path, struct key_row *ret_row,
		       struct error *error)
{
	AUTO_FREE char *password_file = password_path(import->source, path);
	AUTO_KEYSTORE_SECRET struct keystore_secret secret = {0};
	AUTO_SECRET struct secret password = {0};
	AUTO_BUFFER struct buffer json = {0};

	if (!file_read(path, KEYSTORE_MAX_SIZE, &json, error) || !password_file_read(password_file, &password, error) ||
	    !keystore_decrypt_cached(cache, buffer_view(&json), secret_view(&password), &secret, error) ||
	    !key_seal_row(import->seal, &secret.secret_key, secret.public_key, ret_row, error))
		return error_prefix(error, "%s", path);
	return true;
}

static void note_failure(struct import *import, size_t index, const struct error *error)
{
	(void)pthread_mutex_lock(&import->mutex);
	if (index < import->failed_index) {
		import->failed_index = index;
		import->error = *error;
	}
	(void)pthread_mutex_unlock(&import->mutex);
	atomic_store(&import->stop, true);
}

static void *import_thread(void *argument)
{
	struct import *import = (struct import *)argument;
	/* A batch that deposit-cli wrote with one salt costs each thread one derivation. */
	AUTO_KEYSTORE_KDF_CACHE struct keystore_kdf_cache cache = {0};

	while (!atomic_load(&import->stop)) {
		size_t index = atomic_fetch_add(&import->next, 1);
		struct error error = {0};

		if (index >= import->paths->count)
			break;
		if (!import_one(import, &cache, import->paths->paths[index], &import->rows[index], &error))
			note_failure(import, index, &error);
		(void)atomic_fetch_add(&import->done, 1);
	}
	return NULL;
}

static size_t thread_count(size_t keys)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t count = cores < 1 ? 1 : (size_t)cores;

	if (count > THREADS_MAX)
		count = THREADS_MAX;
	return count < keys ? count : keys;
}

static bool run_threads(struct import *import, const struct key_import_progress *progress, struct error *error)
{
	pthread_t threads[THREADS_MAX];
	size_t wanted = thread_count(import->paths->count);
	size_t started = 0;

	while (started < wanted && pthread_create(&threads[started], NULL, import_thread, import) == 0)
		started++;
	if (started == 0)
		return error_set(error, ERROR_IO, "cannot start a thread");
	while (progress && !atomic_load(&import->stop) && atomic_load(&import->done) < import->paths->count) {
		progress->show(progress->context, atomic_load(&import->done), import->paths->count);
		(void)usleep(PROGRESS_INTERVAL_US);
	}
	for (size_t i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	if (import->failed_index != SIZE_MAX) {
		*error = import->error;
		return false;
	}
	if (progress)
		progress->show(progress->context, import->paths->count, import->paths->count);
	return true;
}

struct named_key {
	const char *pubkey;
	const char *path;
};

static int compare_named_keys(const void *a, const void *b)
{
	return strcmp(((const struct named_key *)a)->pubkey, ((const struct named_key *)b)->pubkey);
}

/* One key in two files is a mistake that the user should hear of, most likely a folder that was merged with another. */
static bool check_distinct(const struct key_paths *paths, const struct key_rows *rows, struct error *error)
{
	AUTO_FREE struct named_key *keys = (struct named_key *)memory_allocate_zeroed(rows->count, sizeof *keys);

	for (size_t i = 0; i < rows->count; i++)
		keys[i] = (struct named_key){rows->rows[i].pubkey, paths->paths[i]};
	qsort(keys, rows->count, sizeof *keys, compare_named_keys);
	for (size_t i = 1; i < rows->count; i++) {
		if (strcmp(keys[i - 1].pubkey, keys[i].pubkey) == 0)
			return error_set(error, ERROR_INPUT, "%s and %s hold the same key", keys[i - 1].path, keys[i].path);
	}
	return true;
}

bool key_import_paths(const struct key_source *source, const struct key_paths *paths, const struct key_seal *seal,
		      const struct key_import_progress *progress, struct key_rows *ret_rows, struct error *error)
{
	AUTO_KEY_ROWS struct key_rows rows = {0};
	struct import import = {
		.source = source,
		.seal = seal,
		.paths = paths,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.failed_index = SIZE_MAX,
	};

	rows.rows = (struct key_row *)memory_allocate_zeroed(paths->count, sizeof *rows.rows);
	rows.count = paths->count;
	import.rows = rows.rows;
	if (!run_threads(&import, progress, error) || !check_distinct(paths, &rows, error))
		return false;
	*ret_rows = rows;
	rows = (struct key_rows){0};
	return true;
}

bool key_import(const struct key_source *source, const struct key_seal *seal, const struct key_import_progress *progress,
		struct key_rows *ret_rows, struct error *error)
{
	AUTO_KEY_PATHS struct key_paths paths = {0};

	return key_paths_list(source->keystores, &paths, error) &&
	       key_import_paths(source, &paths, seal, progress, ret_rows, error);
}

bool key_import_new(const struct key_seal *seal, struct key_rows *ret_rows, struct error *error)
{
	AUTO_KEYSTORE_SECRET struct keystore_secret secret = {0};
	AUTO_KEY_ROWS struct key_rows rows = {0};

	if (!bls_secret_key_generate(&secret.secret_key, error) ||
	    !bls_public_key_derive(secret.secret_key.data, secret.public_key, error))
		return false;
	rows.rows = (struct key_row *)memory_allocate_zeroed(1, sizeof *rows.rows);
	rows.count = 1;
	if (!key_seal_row(seal, &secret.secret_key, secret.public_key, &rows.rows[0], error))
		return false;
	*ret_rows = rows;
	rows = (struct key_rows){0};
	return true;
}
