/* SPDX-License-Identifier: Apache-2.0 */
/* A store file in a folder of its own, and a back door into it that is not the code under test. */
#pragma once

#include <sys/stat.h>

#include <sqlite3.h>

#include "vectors.h"

struct temporary_store {
	char folder[32];
	char *path;
};

static inline int temporary_store_make(void **state)
{
	struct temporary_store *store = (struct temporary_store *)memory_allocate_zeroed(1, sizeof *store);

	(void)snprintf(store->folder, sizeof store->folder, "/tmp/ensign-test-XXXXXX");
	if (!mkdtemp(store->folder))
		return -1;
	store->path = memory_format("%s/tables.sqlite", store->folder);
	*state = store;
	return 0;
}

static inline int temporary_store_remove(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	struct temporary_store *store = (struct temporary_store *)*state;

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		AUTO_FREE char *path = memory_format("%s%s", store->path, suffixes[i]);

		(void)unlink(path);
	}
	(void)rmdir(store->folder);
	free(store->path);
	free(store);
	return 0;
}

static inline const char *store_path(void **state)
{
	return ((struct temporary_store *)*state)->path;
}

/* Run SQL behind the store's back; the first column of the first row, or NULL. Caller frees. */
static inline char *store_query(const char *path, const char *sql)
{
	sqlite3 *database = NULL;
	sqlite3_stmt *statement = NULL;
	char *text = NULL;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(database));
	if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0))
		text = memory_copy_text((const char *)sqlite3_column_text(statement, 0));
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
	return text;
}

static inline void store_execute(const char *path, const char *sql)
{
	free(store_query(path, sql));
}

static inline void assert_query(const char *path, const char *sql, const char *expected)
{
	AUTO_FREE char *text = store_query(path, sql);

	assert_non_null(text);
	assert_string_equal(text, expected);
}

static inline void assert_private_file(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
}
