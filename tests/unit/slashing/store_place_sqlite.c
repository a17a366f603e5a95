/* SPDX-License-Identifier: Apache-2.0 */
#include "store_place_sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

int make_place(void **state)
{
	struct place *place = (struct place *)memory_allocate_zeroed(1, sizeof *place);

	(void)snprintf(place->folder, sizeof place->folder, "/tmp/ensign-store-XXXXXX");
	if (!mkdtemp(place->folder))
		return -1;
	place->fd = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = place;
	return place->fd >= 0 ? 0 : -1;
}

int remove_place(void **state)
{
	static const char *const files[] = {"slashing.sqlite", "slashing.sqlite-wal", "slashing.sqlite-shm",
					    "slashing.sqlite-journal"};
	struct place *place = (struct place *)*state;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		(void)unlinkat(place->fd, files[i], 0);
	(void)close(place->fd);
	(void)rmdir(place->folder);
	free(place);
	return 0;
}

struct slashing_store *open_store(const struct place *place)
{
	struct error error = {0};
	struct slashing_store *store = slashing_store_open_sqlite(place->fd, &error);

	assert_ok(store != NULL, &error);
	return store;
}

struct slashing_store *open_learning_store(const struct place *place)
{
	struct slashing_store *store = open_store(place);
	struct error error = {0};

	assert_ok(slashing_store_learn_root(store, &error), &error);
	return store;
}

void run_sql(const struct place *place, const char *sql)
{
	AUTO_FREE char *path = memory_format("%s/slashing.sqlite", place->folder);
	sqlite3 *database = NULL;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(database);
}
