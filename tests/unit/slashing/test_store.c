/* SPDX-License-Identifier: Apache-2.0 */
/* Commits, whatever keeps the store. */
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

static void a_key_without_history_commits_nothing(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);

	assert_int_equal(commit(store, known(on_chain(7, block(1, 10, 1)))).outcome, STORE_NO_HISTORY);
	assert_int_equal(commit(store, known(on_chain(7, attestation(1, 4, 5, 1)))).outcome, STORE_NO_HISTORY);
	/* Nor did the attempts leave one behind. */
	assert_int_equal(ask(store, act(1, STORE_READ)).outcome, STORE_UNKNOWN);
	assert_int_equal(commit(store, known(on_chain(7, block(1, 10, 1)))).outcome, STORE_NO_HISTORY);
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, known(on_chain(7, block(1, 11, 1)))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, known(on_chain(7, attestation(1, 4, 5, 1)))).outcome, STORE_DURABLE);
	/* An attestation is a history as well. */
	assert_int_equal(commit(store, on_chain(7, attestation(2, 4, 5, 1))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, known(on_chain(7, block(2, 10, 1)))).outcome, STORE_DURABLE);
	/* What may be fresh need not be. */
	assert_int_equal(commit(store, on_chain(7, block(2, 10, 2))).outcome, STORE_CONFLICT);
}

static void a_group_learns_of_a_key_from_its_first(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	const struct store_commit group[] = {
		known(on_chain(7, block(1, 10, 1))),         known(on_chain(7, block(2, 10, 1))), on_chain(7, block(1, 10, 1)),
		known(on_chain(7, attestation(1, 4, 5, 1))), known(on_chain(7, block(1, 9, 1))),
	};
	const enum store_outcome expected[] = {STORE_NO_HISTORY, STORE_NO_HISTORY, STORE_DURABLE, STORE_DURABLE, STORE_CONFLICT};
	struct store_result results[ARRAY_SIZE(group)];
	struct error error = {0};

	assert_ok(slashing_store_commit(store, group, ARRAY_SIZE(group), results, &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(group); i++)
		assert_int_equal(results[i].outcome, expected[i]);
}

/* A message whose root is not known is never the same as another. */
static void an_unknown_root_is_no_repeat(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);

	assert_int_equal(commit(store, on_chain(7, block(1, 10, 0))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 0))).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, on_chain(7, attestation(1, 4, 5, 0))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, attestation(1, 4, 5, 0))).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, on_chain(7, attestation(1, 6, 5, 1))).outcome, STORE_CONFLICT); /* source after target */
}

static void another_network_is_told(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	struct store_result result = commit(store, on_chain(8, block(1, 10, 1)));

	assert_int_equal(result.outcome, STORE_WRONG_NETWORK);
	assert_int_equal(result.genesis_validators_root[31], 7);
	assert_int_equal(commit(store, known(on_chain(8, block(1, 10, 1)))).outcome, STORE_WRONG_NETWORK);
	assert_int_equal(ask(store, act(1, STORE_READ)).outcome, STORE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(raises_and_never_lowers),
		WITH_PLACE(survives_being_closed),
		WITH_PLACE(a_group_is_judged_in_order),
		WITH_PLACE(a_key_without_history_commits_nothing),
		WITH_PLACE(a_group_learns_of_a_key_from_its_first),
		WITH_PLACE(an_unknown_root_is_no_repeat),
		WITH_PLACE(another_network_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
