/* SPDX-License-Identifier: Apache-2.0 */
/* Histories, whatever keeps the store. */
#include <time.h>

#include "store_place.h"

static const struct watermark both = {.has_block = true,
				      .has_attestation = true,
				      .block_slot = 10,
				      .block_root = {1},
				      .source_epoch = 4,
				      .target_epoch = 5,
				      .attestation_root = {2}};

static void reads_what_was_signed(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	struct store_history_result result = ask(store, act(1, STORE_READ));

	assert_int_equal(result.outcome, STORE_UNKNOWN);
	assert_true(result.has_root);
	assert_int_equal(result.genesis_validators_root[31], 7);
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, attestation(1, 4, 5, 2))).outcome, STORE_DURABLE);
	result = ask(store, act(1, STORE_READ));
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_false(result.is_retired);
	assert_watermark(result, &both);
	assert_int_equal(ask(store, act(2, STORE_READ)).outcome, STORE_UNKNOWN);
}

static void raises_and_never_lowers(void **state)
{
	struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	const struct watermark low = {
		.has_block = true, .has_attestation = true, .block_slot = 3, .source_epoch = 6, .target_epoch = 2};
	const struct watermark nothing = {0};
	struct store_history_result result;

	assert_watermark(ask(store, raise_to(1, 7, both)), &both);
	assert_watermark(ask(store, raise_to(1, 7, nothing)), &both);
	/* The same message again, and no other at its place. */
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 3))).outcome, STORE_CONFLICT);
	result = ask(store, raise_to(1, 7, low));
	assert_int_equal(result.watermark.block_slot, 10);
	assert_int_equal(result.watermark.source_epoch, 6);
	assert_int_equal(result.watermark.target_epoch, 5);
	assert_int_equal(result.watermark.attestation_root[0], 0); /* of no one message */
	slashing_store_free(store);
	store = open_on_chain((struct place *)*state, 7);
	assert_watermark(ask(store, act(1, STORE_READ)), &result.watermark);
	assert_int_equal(commit(store, on_chain(7, attestation(1, 4, 5, 2))).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, on_chain(7, attestation(1, 5, 6, 2))).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, on_chain(7, attestation(1, 6, 6, 2))).outcome, STORE_DURABLE);
	/* That nothing was signed is a history too. */
	assert_int_equal(ask(store, raise_to(2, 7, nothing)).outcome, STORE_DURABLE);
	result = ask(store, act(2, STORE_READ));
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_watermark(result, &nothing);
	assert_int_equal(commit(store, known(on_chain(7, block(2, 1, 1)))).outcome, STORE_DURABLE);
	slashing_store_free(store);
}

static void conflicting_roots_are_unknown(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	struct watermark other = both;

	other.block_root[0] = 9;
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	assert_int_equal(ask(store, raise_to(1, 7, other)).watermark.block_root[0], 0);
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 9))).outcome, STORE_CONFLICT);
}

static void a_foreign_history_is_refused(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	struct store_history_result result = ask(store, raise_to(1, 8, both));
	uint8_t own[ROOT_SIZE];

	memset(own, 7, sizeof own);
	assert_int_equal(result.outcome, STORE_WRONG_NETWORK);
	assert_memory_equal(result.genesis_validators_root, own, sizeof own);
	assert_false(result.watermark.has_block);
	assert_int_equal(ask(store, act(1, STORE_READ)).outcome, STORE_UNKNOWN);
	assert_int_equal(commit(store, on_chain(8, block(1, 11, 1))).outcome, STORE_WRONG_NETWORK);
	assert_int_equal(commit(store, on_chain(7, block(1, 9, 1))).outcome, STORE_DURABLE);
}

static void a_retired_key_commits_nothing(void **state)
{
	struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	struct store_history_result result;

	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	result = ask(store, act(1, STORE_RETIRE));
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_true(result.is_retired);
	assert_int_equal(result.watermark.block_slot, 10);
	assert_int_equal(ask(store, act(1, STORE_RETIRE)).outcome, STORE_DURABLE); /* again */
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 1))).outcome, STORE_RETIRED);
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_RETIRED); /* not even a repeat */
	assert_int_equal(commit(store, on_chain(7, attestation(1, 1, 2, 1))).outcome, STORE_RETIRED);
	assert_int_equal(commit(store, on_chain(7, block(2, 10, 1))).outcome, STORE_DURABLE); /* another key */
	slashing_store_free(store);
	store = open_on_chain((struct place *)*state, 7);
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 1))).outcome, STORE_RETIRED);
	/* An import alone does not bring it back. */
	result = ask(store, raise_to(1, 7, (struct watermark){.has_block = true, .block_slot = 20}));
	assert_true(result.is_retired);
	assert_int_equal(commit(store, on_chain(7, block(1, 21, 1))).outcome, STORE_RETIRED);
	result = ask(store, act(1, STORE_ENABLE));
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_false(result.is_retired);
	assert_int_equal(result.watermark.block_slot, 20);
	assert_int_equal(commit(store, on_chain(7, block(1, 20, 1))).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, on_chain(7, block(1, 21, 1))).outcome, STORE_DURABLE);
	slashing_store_free(store);
}

static void retirement_is_for_all_networks(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_store((struct place *)*state); /* of no network */

	assert_int_equal(ask(store, act(1, STORE_RETIRE)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 1))).outcome, STORE_RETIRED);
	assert_int_equal(commit(store, on_chain(8, block(1, 11, 1))).outcome, STORE_RETIRED);
}

static void keys_without_history_can_be_left_alone(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	struct store_history known_only = act(1, STORE_RETIRE);

	known_only.known_only = true;
	assert_int_equal(ask(store, known_only).outcome, STORE_UNKNOWN);
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	assert_int_equal(ask(store, known_only).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 1))).outcome, STORE_RETIRED);
	/* A key that never signed, but is loaded. */
	assert_int_equal(ask(store, act(2, STORE_RETIRE)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, block(2, 11, 1))).outcome, STORE_RETIRED);
	known_only.public_key[0] = 2;
	assert_int_equal(ask(store, known_only).outcome, STORE_DURABLE); /* that it is retired is known of it */
	/* Enabled, and as before nothing is known of what it signed. */
	known_only.action = STORE_ENABLE;
	assert_int_equal(ask(store, known_only).outcome, STORE_DURABLE);
	assert_int_equal(ask(store, known_only).outcome, STORE_UNKNOWN);
	assert_int_equal(commit(store, known(on_chain(7, block(2, 11, 1)))).outcome, STORE_NO_HISTORY);
	known_only.public_key[0] = 1;
	assert_false(ask(store, known_only).is_retired);
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 1))).outcome, STORE_DURABLE);
	known_only.public_key[0] = 3;
	assert_int_equal(ask(store, known_only).outcome, STORE_UNKNOWN);
	assert_int_equal(ask(store, act(3, STORE_ENABLE)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, known(on_chain(7, block(3, 11, 1)))).outcome, STORE_DURABLE);
}

static void a_group_is_done_in_order(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	const struct store_history group[] = {raise_to(1, 7, both), act(1, STORE_RETIRE), act(1, STORE_READ), act(1, STORE_ENABLE),
					      act(1, STORE_READ)};
	const bool retired[] = {false, true, true, false, false};
	struct store_history_result results[ARRAY_SIZE(group)];
	struct error error = {0};

	assert_ok(slashing_store_history(store, group, ARRAY_SIZE(group), results, &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(group); i++) {
		assert_int_equal(results[i].outcome, STORE_DURABLE);
		assert_int_equal(results[i].is_retired, retired[i]);
		assert_watermark(results[i], &both);
	}
}

static void a_key_begins_once_somebody_says_so(void **state)
{
	struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	struct store_history_result result = ask(store, act(1, STORE_BEGIN));
	uint64_t begun_s = result.begun_s;

	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_true(result.is_new);
	assert_int_equal(result.origin, ORIGIN_FRESH);
	assert_in_range(begun_s, time(NULL) - 60, time(NULL) + 60);
	assert_false(result.watermark.has_block || result.watermark.has_attestation);
	result = ask(store, act(1, STORE_READ));
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_int_equal(result.begun_s, begun_s);
	slashing_store_free(store);
	store = open_on_chain((struct place *)*state, 7);
	result = ask(store, act(1, STORE_BEGIN)); /* again changes nothing */
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_false(result.is_new);
	assert_int_equal(result.begun_s, begun_s);
	assert_int_equal(commit(store, known(on_chain(7, attestation(1, 4, 5, 2)))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, known(on_chain(7, block(1, 10, 1)))).outcome, STORE_DURABLE);
	result = ask(store, act(1, STORE_BEGIN));
	assert_false(result.is_new);
	assert_int_equal(result.origin, ORIGIN_FRESH);
	assert_watermark(result, &both);
	slashing_store_free(store);
}

static void a_quiet_key_begins_by_itself(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	struct store_history_result result;

	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	result = ask(store, act(1, STORE_BEGIN));
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_false(result.is_new);
	assert_int_equal(result.origin, ORIGIN_QUIET);
	assert_in_range(result.begun_s, time(NULL) - 60, time(NULL) + 60);
	assert_int_equal(commit(store, known(on_chain(7, block(1, 11, 1)))).outcome, STORE_DURABLE);
}

static void an_import_begins(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	const struct watermark nothing = {0};
	struct store_history_result result = ask(store, raise_to(1, 7, both));

	assert_true(result.is_new);
	assert_int_equal(result.origin, ORIGIN_IMPORTED);
	assert_false(ask(store, raise_to(1, 7, both)).is_new);
	assert_false(ask(store, act(1, STORE_BEGIN)).is_new);
	assert_int_equal(ask(store, act(1, STORE_READ)).origin, ORIGIN_IMPORTED);
	assert_int_equal(commit(store, known(on_chain(7, block(1, 10, 2)))).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, known(on_chain(7, block(1, 11, 2)))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, known(on_chain(7, attestation(1, 4, 6, 2)))).outcome, STORE_DURABLE);
	/* One of another network does not. */
	assert_int_equal(ask(store, raise_to(2, 8, both)).outcome, STORE_WRONG_NETWORK);
	assert_int_equal(commit(store, known(on_chain(7, block(2, 11, 2)))).outcome, STORE_NO_HISTORY);
	/* To be named without an entry is to have signed nothing. */
	assert_true(ask(store, raise_to(3, 7, nothing)).is_new);
	assert_int_equal(commit(store, known(on_chain(7, block(3, 1, 2)))).outcome, STORE_DURABLE);
}

/* Retiring says nothing about what a key signed elsewhere, and beginning nothing about whether it may sign; enabling is both. */
static void retirement_and_history_are_two_things(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	struct store_history_result result;

	assert_int_equal(ask(store, act(1, STORE_RETIRE)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, known(on_chain(7, block(1, 10, 1)))).outcome, STORE_RETIRED);
	result = ask(store, act(1, STORE_BEGIN));
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_true(result.is_new);
	assert_true(result.is_retired);
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_RETIRED);
	assert_int_equal(ask(store, act(1, STORE_ENABLE)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, known(on_chain(7, block(1, 10, 1)))).outcome, STORE_DURABLE);
	/* Who enables a key that nobody has spoken for speaks for it. */
	assert_int_equal(ask(store, act(3, STORE_RETIRE)).outcome, STORE_DURABLE);
	result = ask(store, act(3, STORE_ENABLE));
	assert_true(result.is_new && !result.is_retired);
	assert_int_equal(result.origin, ORIGIN_FRESH);
	assert_int_equal(commit(store, known(on_chain(7, block(3, 10, 1)))).outcome, STORE_DURABLE);
	/* A key that has begun is one that is known. */
	assert_true(ask(store, act(2, STORE_BEGIN)).is_new);
	result = ask(store, (struct store_history){.action = STORE_RETIRE, .public_key = {2}, .known_only = true});
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_true(result.is_retired);
}

/* In whatever order, but all of them, and each once; also when one is asked for again. */
static void lists_all(void **state)
{
	static const uint8_t keys[] = {9, 2, 5, 200};
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	struct store_history next = act(0, STORE_NEXT);
	struct store_history_result result;
	unsigned seen[256] = {0};

	assert_int_equal(ask(store, next).outcome, STORE_UNKNOWN);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		(void)ask(store, keys[i] == 2 ? raise_to(2, 7, both) : act(keys[i], keys[i] == 5 ? STORE_RETIRE : STORE_BEGIN));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		result = ask(store, next);
		assert_int_equal(result.outcome, STORE_DURABLE);
		assert_memory_equal(ask(store, next).public_key, result.public_key, sizeof result.public_key);
		seen[result.public_key[0]]++;
		assert_int_equal(result.watermark.has_block, result.public_key[0] == 2);
		assert_int_equal(result.is_retired, result.public_key[0] == 5);
		memcpy(next.public_key, result.public_key, sizeof next.public_key);
	}
	assert_int_equal(ask(store, next).outcome, STORE_UNKNOWN);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_int_equal(seen[keys[i]], 1);
}

static void lists_the_retired(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	AUTO_BUFFER struct buffer keys = {0};
	struct error error = {0};

	(void)ask(store, act(9, STORE_RETIRE));
	(void)ask(store, act(3, STORE_BEGIN));
	(void)ask(store, act(2, STORE_RETIRE));
	(void)ask(store, act(4, STORE_RETIRE));
	(void)ask(store, act(4, STORE_ENABLE));
	assert_ok(slashing_store_list_retired(store, 2, &keys, &error), &error);
	assert_int_equal(keys.size, 2 * BLS_PUBLIC_KEY_SIZE);
	assert_int_equal(keys.data[0], 2);
	assert_int_equal(keys.data[BLS_PUBLIC_KEY_SIZE], 9);
	buffer_clear(&keys);
	assert_false(slashing_store_list_retired(store, 1, &keys, &error));
	assert_int_equal(error.code, ERROR_POLICY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(reads_what_was_signed),
		WITH_PLACE(raises_and_never_lowers),
		WITH_PLACE(conflicting_roots_are_unknown),
		WITH_PLACE(a_foreign_history_is_refused),
		WITH_PLACE(a_retired_key_commits_nothing),
		WITH_PLACE(retirement_is_for_all_networks),
		WITH_PLACE(keys_without_history_can_be_left_alone),
		WITH_PLACE(a_group_is_done_in_order),
		WITH_PLACE(a_key_begins_once_somebody_says_so),
		WITH_PLACE(a_quiet_key_begins_by_itself),
		WITH_PLACE(an_import_begins),
		WITH_PLACE(retirement_and_history_are_two_things),
		WITH_PLACE(lists_all),
		WITH_PLACE(lists_the_retired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
