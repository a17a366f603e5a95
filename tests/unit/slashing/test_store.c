/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/file.h"
#include "vectors.h"

struct place {
	char folder[64];
	int fd;
};

static int make_place(void **state)
{
	struct place *place = (struct place *)memory_allocate_zeroed(1, sizeof *place);

	(void)snprintf(place->folder, sizeof place->folder, "/tmp/ensign-store-XXXXXX");
	if (!mkdtemp(place->folder))
		return -1;
	place->fd = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = place;
	return place->fd >= 0 ? 0 : -1;
}

static int remove_place(void **state)
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

static struct slashing_store *open_store(const struct place *place)
{
	struct error error = {0};
	struct slashing_store *store = slashing_store_open_sqlite(place->fd, &error);

	assert_ok(store != NULL, &error);
	return store;
}

static struct store_commit block(uint8_t key, uint64_t slot, uint8_t root)
{
	return (struct store_commit){.duty = STORE_DUTY_BLOCK, .public_key = {key}, .slot = slot, .signing_root = {root}};
}

static struct store_commit attestation(uint8_t key, uint64_t source, uint64_t target, uint8_t root)
{
	return (struct store_commit){.duty = STORE_DUTY_ATTESTATION,
				     .public_key = {key},
				     .source_epoch = source,
				     .target_epoch = target,
				     .signing_root = {root}};
}

static struct store_result commit(struct slashing_store *store, struct store_commit asked)
{
	struct store_result result = {.outcome = STORE_FAILED};
	struct error error = {0};

	assert_ok(slashing_store_commit(store, &asked, 1, &result, &error), &error);
	return result;
}

static void raises_and_never_lowers(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_store((struct place *)*state);
	struct store_result result;

	assert_int_equal(commit(store, block(1, 10, 1)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, block(1, 10, 1)).outcome, STORE_DURABLE); /* the same message */
	result = commit(store, block(1, 10, 2));
	assert_int_equal(result.outcome, STORE_CONFLICT);
	assert_true(result.watermark.has_block);
	assert_int_equal(result.watermark.block_slot, 10);
	assert_int_equal(commit(store, block(1, 9, 1)).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, block(2, 9, 1)).outcome, STORE_DURABLE); /* another key */
	assert_int_equal(commit(store, attestation(1, 4, 5, 1)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, attestation(1, 3, 6, 1)).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, attestation(1, 4, 5, 2)).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, attestation(1, 4, 6, 2)).outcome, STORE_DURABLE);
	/* An attestation leaves the block's watermark as it is. */
	assert_int_equal(commit(store, block(1, 10, 2)).outcome, STORE_CONFLICT);
}

static void another_chain_is_another_history(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_store((struct place *)*state);
	struct store_commit other = block(1, 10, 2);

	other.genesis_validators_root[0] = 9;
	assert_int_equal(commit(store, block(1, 10, 1)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, other).outcome, STORE_DURABLE);
}

static void survives_being_closed(void **state)
{
	struct slashing_store *store = open_store((struct place *)*state);

	assert_int_equal(commit(store, block(1, UINT64_MAX - 1, 1)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, attestation(1, UINT64_MAX - 2, UINT64_MAX - 1, 1)).outcome, STORE_DURABLE);
	slashing_store_free(store);
	store = open_store((struct place *)*state);
	assert_int_equal(commit(store, block(1, 5, 1)).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, block(1, UINT64_MAX, 1)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, attestation(1, 1, UINT64_MAX, 1)).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, attestation(1, UINT64_MAX - 2, UINT64_MAX - 1, 1)).outcome, STORE_DURABLE);
	slashing_store_free(store);
}

static void a_group_is_judged_in_order(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_store((struct place *)*state);
	const struct store_commit group[] = {block(1, 10, 1), block(1, 10, 2), attestation(1, 1, 2, 1), block(1, 11, 1),
					     attestation(1, 1, 2, 1)};
	const enum store_outcome expected[] = {STORE_DURABLE, STORE_CONFLICT, STORE_DURABLE, STORE_DURABLE, STORE_DURABLE};
	struct store_result results[ARRAY_SIZE(group)];
	struct error error = {0};

	assert_ok(slashing_store_commit(store, group, ARRAY_SIZE(group), results, &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(group); i++)
		assert_int_equal(results[i].outcome, expected[i]);
}

static struct slashing_store *open_learning_store(const struct place *place)
{
	struct slashing_store *store = open_store(place);

	slashing_store_learn_root(store);
	return store;
}

static struct store_commit on_chain(uint8_t chain, struct store_commit commit)
{
	memset(commit.genesis_validators_root, chain, ROOT_SIZE);
	return commit;
}

static void assert_wrong_network(const struct store_result *result, uint8_t learned_chain)
{
	uint8_t learned[ROOT_SIZE];

	memset(learned, learned_chain, sizeof learned);
	assert_int_equal(result->outcome, STORE_WRONG_NETWORK);
	assert_memory_equal(result->genesis_validators_root, learned, sizeof learned);
}

static void the_first_root_is_learned_for_ever(void **state)
{
	struct slashing_store *store = open_learning_store((struct place *)*state);
	struct store_result result;

	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	result = commit(store, on_chain(8, block(1, 11, 1)));
	assert_wrong_network(&result, 7);
	result = commit(store, on_chain(8, attestation(2, 1, 2, 1))); /* whatever the key */
	assert_wrong_network(&result, 7);
	assert_int_equal(commit(store, on_chain(7, attestation(2, 1, 2, 1))).outcome, STORE_DURABLE);
	slashing_store_free(store);
	store = open_learning_store((struct place *)*state);
	result = commit(store, on_chain(8, block(3, 10, 1)));
	assert_wrong_network(&result, 7);
	assert_int_equal(commit(store, on_chain(7, block(1, 9, 1))).outcome, STORE_CONFLICT);
	/* What was refused left nothing behind. */
	assert_int_equal(commit(store, on_chain(7, block(3, 10, 1))).outcome, STORE_DURABLE);
	slashing_store_free(store);
}

static void a_group_learns_from_its_first(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_learning_store((struct place *)*state);
	const struct store_commit group[] = {
		on_chain(8, attestation(1, 3, 2, 1)), /* refused by the rules, so it teaches nothing */
		on_chain(7, block(1, 10, 1)),         on_chain(8, block(1, 11, 1)),
		on_chain(7, block(1, 12, 1)),         on_chain(7, block(1, 11, 1)),
	};
	const enum store_outcome expected[] = {STORE_CONFLICT, STORE_DURABLE, STORE_WRONG_NETWORK, STORE_DURABLE, STORE_CONFLICT};
	struct store_result results[ARRAY_SIZE(group)];
	struct error error = {0};

	assert_ok(slashing_store_commit(store, group, ARRAY_SIZE(group), results, &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(group); i++)
		assert_int_equal(results[i].outcome, expected[i]);
}

static void without_learning_nothing_is_learned(void **state)
{
	struct slashing_store *store = open_store((struct place *)*state);

	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	slashing_store_free(store);
	store = open_learning_store((struct place *)*state);
	assert_int_equal(commit(store, on_chain(8, block(1, 10, 1))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 1))).outcome, STORE_WRONG_NETWORK);
	slashing_store_free(store);
	/* Nor is what was learned asked for by a store that is not to learn. */
	store = open_store((struct place *)*state);
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 1))).outcome, STORE_DURABLE);
	slashing_store_free(store);
}

/* The same message again is durable already, and signed again: that makes its chain ours. */
static void a_repeat_teaches_too(void **state)
{
	struct slashing_store *store = open_store((struct place *)*state);

	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	slashing_store_free(store);
	store = open_learning_store((struct place *)*state);
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(8, block(1, 10, 1))).outcome, STORE_WRONG_NETWORK);
	slashing_store_free(store);
}

static void write_metadata(const struct place *place, const char *sql)
{
	AUTO_FREE char *path = memory_format("%s/slashing.sqlite", place->folder);
	sqlite3 *database = NULL;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(database);
}

static void a_damaged_root_is_an_error(void **state)
{
	struct slashing_store *store = open_learning_store((struct place *)*state);
	struct store_commit asked = on_chain(7, block(1, 11, 1));
	struct store_result result;
	struct error error = {0};

	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	slashing_store_free(store);
	write_metadata((struct place *)*state, "UPDATE Metadata SET value = x'07'");
	store = open_learning_store((struct place *)*state);
	assert_false(slashing_store_commit(store, &asked, 1, &result, &error));
	assert_int_equal(result.outcome, STORE_FAILED);
	assert_message_contains(&error, "genesis validators root has 1 bytes");
	slashing_store_free(store);
}

static void one_enclave_at_a_time(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_store((struct place *)*state);
	struct error error = {0};

	assert_null(slashing_store_open_sqlite(((struct place *)*state)->fd, &error));
	assert_message_contains(&error, "locked");
	assert_int_equal(commit(store, block(1, 10, 1)).outcome, STORE_DURABLE);
}

static void refuses_a_file_that_is_no_store(void **state)
{
	struct place *place = (struct place *)*state;
	AUTO_FREE char *path = memory_format("%s/slashing.sqlite", place->folder);
	struct error error = {0};

	assert_ok(file_write_atomic(path, view_of_text("this is no database, but it is long enough to look at"), 0600, &error),
		  &error);
	assert_null(slashing_store_open_sqlite(place->fd, &error));
	assert_int_equal(error.code, ERROR_IO);
	assert_message_contains(&error, "slashing store");
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(raises_and_never_lowers),
		WITH_PLACE(another_chain_is_another_history),
		WITH_PLACE(survives_being_closed),
		WITH_PLACE(a_group_is_judged_in_order),
		WITH_PLACE(one_enclave_at_a_time),
		WITH_PLACE(refuses_a_file_that_is_no_store),
		WITH_PLACE(the_first_root_is_learned_for_ever),
		WITH_PLACE(a_group_learns_from_its_first),
		WITH_PLACE(without_learning_nothing_is_learned),
		WITH_PLACE(a_repeat_teaches_too),
		WITH_PLACE(a_damaged_root_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
