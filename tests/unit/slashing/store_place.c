/* SPDX-License-Identifier: Apache-2.0 */
#include "store_place.h"

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

struct store_commit block(uint8_t key, uint64_t slot, uint8_t root)
{
	return (struct store_commit){.duty = STORE_DUTY_BLOCK, .public_key = {key}, .slot = slot, .signing_root = {root}};
}

struct store_commit attestation(uint8_t key, uint64_t source, uint64_t target, uint8_t root)
{
	return (struct store_commit){.duty = STORE_DUTY_ATTESTATION,
				     .public_key = {key},
				     .source_epoch = source,
				     .target_epoch = target,
				     .signing_root = {root}};
}

struct store_result commit(struct slashing_store *store, struct store_commit asked)
{
	struct store_result result = {.outcome = STORE_FAILED};
	struct error error = {0};

	assert_ok(slashing_store_commit(store, &asked, 1, &result, &error), &error);
	return result;
}

struct slashing_store *open_learning_store(const struct place *place)
{
	struct slashing_store *store = open_store(place);

	slashing_store_learn_root(store);
	return store;
}

struct store_commit on_chain(uint8_t chain, struct store_commit commit)
{
	memset(commit.genesis_validators_root, chain, ROOT_SIZE);
	return commit;
}

void run_sql(const struct place *place, const char *sql)
{
	AUTO_FREE char *path = memory_format("%s/slashing.sqlite", place->folder);
	sqlite3 *database = NULL;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(database);
}
