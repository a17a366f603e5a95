/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "store_place.h"

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

static void a_damaged_root_is_an_error(void **state)
{
	struct slashing_store *store = open_learning_store((struct place *)*state);
	struct store_commit asked = on_chain(7, block(1, 11, 1));
	struct store_result result;
	struct error error = {0};

	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	slashing_store_free(store);
	run_sql((struct place *)*state, "UPDATE Metadata SET value = x'07'");
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
