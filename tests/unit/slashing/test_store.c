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

static void nothing_is_signed_from_the_high_watermark_on(void **state)
{
	struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	struct store_history set = {.action = STORE_SET_HIGH, .high = {.has_slot = 1, .has_epoch = 1, .slot = 100, .epoch = 10}};
	struct store_history_result result = ask(store, act(0, STORE_READ_HIGH));
	struct high_watermark high;
	struct error error = {0};

	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_int_equal(result.high.has_slot + result.high.has_epoch, 0);
	assert_int_equal(commit(store, on_chain(7, block(1, 101, 1))).outcome, STORE_DURABLE);
	assert_int_equal(ask(store, set).outcome, STORE_DURABLE);
	/* The next opening knows it as well. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(commit(store, on_chain(7, block(1, 101, 1))).outcome, STORE_ABOVE_HIGH); /* a repeat, too */
		assert_int_equal(commit(store, on_chain(7, block(2, 100, 1))).outcome, STORE_ABOVE_HIGH);
		assert_int_equal(commit(store, on_chain(7, block(2, 98 + (uint64_t)i, 1))).outcome, STORE_DURABLE);
		assert_int_equal(commit(store, on_chain(7, attestation(2, 10, 10, 1))).outcome, STORE_ABOVE_HIGH);
		assert_int_equal(commit(store, on_chain(7, attestation(2, 9, 10, 1))).outcome, STORE_ABOVE_HIGH);
		assert_int_equal(commit(store, on_chain(7, attestation(2, 7, 8 + (uint64_t)i, 1))).outcome, STORE_DURABLE);
		slashing_store_free(store);
		store = open_on_chain((struct place *)*state, 7);
	}
	assert_ok(slashing_store_high(store, UINT64_MAX, &high, &error), &error);
	assert_int_equal(high.slot, 100);
	assert_int_equal(high.epoch, 10);
	/* It is no key's history. */
	result = ask(store, act(0, STORE_NEXT));
	for (int i = 0; i < 2; i++) {
		struct store_history next = {.action = STORE_NEXT};

		assert_int_equal(result.outcome, STORE_DURABLE);
		memcpy(next.public_key, result.public_key, sizeof next.public_key);
		result = ask(store, next);
	}
	assert_int_equal(result.outcome, STORE_UNKNOWN);
	set.high = (struct high_watermark){.has_epoch = 1, .epoch = UINT64_MAX};
	result = ask(store, set);
	assert_int_equal(result.high.has_slot, 0);
	assert_int_equal(result.high.epoch, UINT64_MAX);
	assert_int_equal(commit(store, on_chain(7, block(2, 100, 1))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, attestation(2, 10, UINT64_MAX, 1))).outcome, STORE_ABOVE_HIGH);
	set.high = (struct high_watermark){0};
	assert_int_equal(ask(store, set).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, attestation(2, 10, UINT64_MAX, 1))).outcome, STORE_DURABLE);
	slashing_store_free(store);
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
		WITH_PLACE(nothing_is_signed_from_the_high_watermark_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
