/* SPDX-License-Identifier: Apache-2.0 */
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_place.h"

static struct store_history_result ask(struct slashing_store *store, struct store_history asked)
{
	struct store_history_result result = {.outcome = STORE_FAILED};
	struct error error = {0};

	assert_ok(slashing_store_history(store, &asked, 1, &result, &error), &error);
	return result;
}

static void assert_watermark(struct store_history_result result, const struct watermark *expected)
{
	assert_int_equal(result.watermark.has_block, expected->has_block);
	assert_int_equal(result.watermark.block_slot, expected->block_slot);
	assert_memory_equal(result.watermark.block_root, expected->block_root, ROOT_SIZE);
	assert_int_equal(result.watermark.has_attestation, expected->has_attestation);
	assert_int_equal(result.watermark.source_epoch, expected->source_epoch);
	assert_int_equal(result.watermark.target_epoch, expected->target_epoch);
	assert_memory_equal(result.watermark.attestation_root, expected->attestation_root, ROOT_SIZE);
}

static struct store_history act(uint8_t key, enum store_action action)
{
	return (struct store_history){.action = action, .public_key = {key}};
}

static struct store_history raise_to(uint8_t key, uint8_t chain, struct watermark watermark)
{
	struct store_history history = {.action = STORE_RAISE, .public_key = {key}, .watermark = watermark};

	memset(history.genesis_validators_root, chain, ROOT_SIZE);
	return history;
}

static struct slashing_store *open_on_chain(const struct place *place, uint8_t chain)
{
	struct slashing_store *store = open_store(place);
	uint8_t root[ROOT_SIZE];

	memset(root, chain, sizeof root);
	slashing_store_use_root(store, root);
	return store;
}

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
	/* Nothing raised by nothing is no history. */
	assert_int_equal(ask(store, raise_to(2, 7, nothing)).outcome, STORE_DURABLE);
	assert_int_equal(ask(store, act(2, STORE_READ)).outcome, STORE_UNKNOWN);
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

static void an_import_teaches_no_root(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_learning_store((struct place *)*state);
	struct store_history_result result = ask(store, raise_to(1, 8, both));

	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_false(result.has_root);
	assert_watermark(result, &both);
	assert_int_equal(ask(store, raise_to(1, 7, both)).outcome, STORE_DURABLE);
	assert_int_equal(ask(store, act(1, STORE_READ)).outcome, STORE_UNKNOWN); /* of which network? */
	/* It protects as soon as its network is signed for, */
	assert_int_equal(commit(store, on_chain(7, block(1, 10, 5))).outcome, STORE_CONFLICT);
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 5))).outcome, STORE_DURABLE);
	/* and then that is the network. */
	result = ask(store, act(1, STORE_READ));
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_true(result.has_root);
	assert_int_equal(result.watermark.block_slot, 11);
	assert_int_equal(result.watermark.target_epoch, 5);
	assert_int_equal(ask(store, raise_to(1, 8, both)).outcome, STORE_WRONG_NETWORK);
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

static void lists_the_retired_keys(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	AUTO_BUFFER struct buffer keys = {0};
	AUTO_BUFFER struct buffer others = {0};
	struct error error = {0};

	assert_ok(slashing_store_list_retired(store, 2, &keys, &error), &error);
	assert_int_equal(keys.size, 0);
	assert_true(ask(store, act(200, STORE_RETIRE)).is_retired);
	assert_true(ask(store, act(100, STORE_RETIRE)).is_retired);
	assert_ok(slashing_store_list_retired(store, 2, &keys, &error), &error);
	assert_int_equal(keys.size, 2 * BLS_PUBLIC_KEY_SIZE);
	assert_int_equal(keys.data[0], 100);
	assert_int_equal(keys.data[BLS_PUBLIC_KEY_SIZE], 200);
	assert_false(slashing_store_list_retired(store, 1, &others, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	/* A list that was given up is no obstacle for the next, nor for a commit. */
	assert_false(ask(store, act(200, STORE_ENABLE)).is_retired);
	buffer_clear(&keys);
	assert_ok(slashing_store_list_retired(store, 1, &keys, &error), &error);
	assert_int_equal(keys.size, BLS_PUBLIC_KEY_SIZE);
}

static void retirement_is_for_all_networks(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_store((struct place *)*state); /* of no network */

	assert_int_equal(ask(store, act(1, STORE_RETIRE)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 1))).outcome, STORE_RETIRED);
	assert_int_equal(commit(store, on_chain(8, block(1, 11, 1))).outcome, STORE_RETIRED);
}

/* A retired key's refused commit must not say which network this is. */
static void a_retired_key_teaches_no_root(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_learning_store((struct place *)*state);

	assert_int_equal(ask(store, act(1, STORE_RETIRE)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 1))).outcome, STORE_RETIRED);
	assert_int_equal(commit(store, on_chain(8, block(2, 11, 1))).outcome, STORE_DURABLE);
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
	assert_int_equal(ask(store, act(3, STORE_ENABLE)).outcome, STORE_DURABLE);
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

/* All of a group or nothing: the damaged root is met by the second. */
static void a_group_that_fails_changes_nothing(void **state)
{
	struct slashing_store *store = open_on_chain((struct place *)*state, 7);
	const struct store_history group[] = {act(1, STORE_RETIRE), raise_to(2, 7, both)};
	struct store_history_result results[ARRAY_SIZE(group)];
	struct error error = {0};

	slashing_store_free(store);
	run_sql((struct place *)*state,
		"CREATE TRIGGER no BEFORE INSERT ON SlashingProtection BEGIN SELECT RAISE(ABORT, 'no'); END");
	store = open_on_chain((struct place *)*state, 7);
	assert_false(slashing_store_history(store, group, ARRAY_SIZE(group), results, &error));
	assert_message_contains(&error, "writing a watermark");
	for (size_t i = 0; i < ARRAY_SIZE(group); i++)
		assert_int_equal(results[i].outcome, STORE_FAILED);
	assert_int_equal(ask(store, act(1, STORE_READ)).outcome, STORE_UNKNOWN);
	slashing_store_free(store);
}

/* A file as Ensign made it before keys could be retired. */
static void an_older_file_is_taken_over(void **state)
{
	struct place *place = (struct place *)*state;
	struct slashing_store *store;

	run_sql(place, "PRAGMA journal_mode = WAL;"
		       "CREATE TABLE SlashingProtection (pubkey BLOB NOT NULL, genesis_validators_root BLOB NOT NULL,"
		       " block_slot INTEGER, block_root BLOB, source_epoch INTEGER, target_epoch INTEGER, attestation_root BLOB,"
		       " PRIMARY KEY (pubkey, genesis_validators_root)) WITHOUT ROWID;"
		       "CREATE TABLE Metadata (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;"
		       "INSERT INTO SlashingProtection (pubkey, genesis_validators_root, block_slot)"
		       " VALUES (CAST(x'01' || zeroblob(47) AS BLOB), CAST(x'07' || zeroblob(31) AS BLOB), 10);"
		       "INSERT INTO Metadata VALUES ('genesis_validators_root', CAST(x'07' || zeroblob(31) AS BLOB));"
		       "PRAGMA user_version = 1");
	store = open_learning_store(place);
	assert_int_equal(ask(store, act(1, STORE_READ)).watermark.block_slot, 10);
	assert_true(ask(store, act(1, STORE_RETIRE)).is_retired);
	slashing_store_free(store);
	store = open_learning_store(place);
	assert_true(ask(store, act(1, STORE_READ)).is_retired);
	slashing_store_free(store);
}

static void a_newer_file_is_refused(void **state)
{
	struct place *place = (struct place *)*state;
	struct error error = {0};

	slashing_store_free(open_store(place));
	run_sql(place, "PRAGMA user_version = 3");
	assert_null(slashing_store_open_sqlite(place->fd, &error));
	assert_message_contains(&error, "written by a newer Ensign (schema 3, this one knows 2)");
}

/* What was answered is in the file, whatever becomes of the process. */
static void survives_a_kill(void **state)
{
	struct place *place = (struct place *)*state;
	struct slashing_store *store;
	pid_t child = fork();
	int status;

	if (child == 0) {
		const struct store_history group[] = {raise_to(1, 7, both), act(1, STORE_RETIRE)};
		struct store_history_result results[ARRAY_SIZE(group)];

		store = slashing_store_open_sqlite(place->fd, NULL);
		_exit(store && slashing_store_history(store, group, ARRAY_SIZE(group), results, NULL) ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	store = open_on_chain(place, 7);
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 1))).outcome, STORE_RETIRED);
	assert_watermark(ask(store, act(1, STORE_READ)), &both);
	slashing_store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(reads_what_was_signed),
		WITH_PLACE(raises_and_never_lowers),
		WITH_PLACE(conflicting_roots_are_unknown),
		WITH_PLACE(a_foreign_history_is_refused),
		WITH_PLACE(an_import_teaches_no_root),
		WITH_PLACE(a_retired_key_commits_nothing),
		WITH_PLACE(lists_the_retired_keys),
		WITH_PLACE(retirement_is_for_all_networks),
		WITH_PLACE(a_retired_key_teaches_no_root),
		WITH_PLACE(keys_without_history_can_be_left_alone),
		WITH_PLACE(a_group_is_done_in_order),
		WITH_PLACE(a_group_that_fails_changes_nothing),
		WITH_PLACE(an_older_file_is_taken_over),
		WITH_PLACE(a_newer_file_is_refused),
		WITH_PLACE(survives_a_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
