/* SPDX-License-Identifier: Apache-2.0 */
/* What only a file has: it is learned from, damaged, of an earlier or a later version, and of one enclave. */
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "store_place_sqlite.h"

static const struct watermark both = {.has_block = true,
				      .has_attestation = true,
				      .block_slot = 10,
				      .block_root = {1},
				      .source_epoch = 4,
				      .target_epoch = 5,
				      .attestation_root = {2}};

static void another_chain_is_another_history(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_store((struct place *)*state);
	struct store_commit other = block(1, 10, 2);

	other.genesis_validators_root[0] = 9;
	assert_int_equal(commit(store, block(1, 10, 1)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, other).outcome, STORE_DURABLE);
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

static void an_import_teaches_no_root(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_learning_store((struct place *)*state);
	struct store_history_result result = ask(store, raise_to(1, 8, both));

	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_false(result.has_root);
	assert_watermark(result, &both);
	assert_int_equal(ask(store, raise_to(1, 7, both)).outcome, STORE_DURABLE);
	result = ask(store, act(1, STORE_READ));
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_false(result.has_root || result.watermark.has_block); /* of which network? */
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

/* A retired key's refused commit must not say which network this is. */
static void a_retired_key_teaches_no_root(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_learning_store((struct place *)*state);

	assert_int_equal(ask(store, act(1, STORE_RETIRE)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 1))).outcome, STORE_RETIRED);
	assert_int_equal(commit(store, on_chain(8, block(2, 11, 1))).outcome, STORE_DURABLE);
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

/* A file as Ensign made it before keys could be known: what has signed goes on, whatever else was true of it. */
static void the_keys_of_a_file_of_version_2_are_known(void **state)
{
	struct place *place = (struct place *)*state;
	struct slashing_store *store = open_on_chain(place, 7);

	assert_int_equal(commit(store, on_chain(7, block(1, 10, 1))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, on_chain(7, attestation(2, 4, 5, 1))).outcome, STORE_DURABLE);
	assert_int_equal(ask(store, act(2, STORE_RETIRE)).outcome, STORE_DURABLE);
	slashing_store_free(store);
	run_sql(place, "CREATE TABLE RetiredKeys (pubkey BLOB PRIMARY KEY NOT NULL) WITHOUT ROWID;"
		       "INSERT INTO RetiredKeys SELECT pubkey FROM Keys WHERE retired;"
		       "DROP TABLE Keys; PRAGMA user_version = 2");
	store = open_on_chain(place, 7);
	assert_int_equal(commit(store, known(on_chain(7, block(1, 11, 1)))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, known(on_chain(7, block(2, 11, 1)))).outcome, STORE_RETIRED);
	assert_int_equal(ask(store, act(2, STORE_ENABLE)).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, known(on_chain(7, block(2, 11, 1)))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, known(on_chain(7, block(3, 11, 1)))).outcome, STORE_NO_HISTORY);
	slashing_store_free(store);
}

/* An import before the network is known registers for the network that it names, and for no other. */
static void an_early_import_registers_for_its_own_network(void **state)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_learning_store((struct place *)*state);

	assert_int_equal(ask(store, raise_to(1, 7, (struct watermark){0})).outcome, STORE_DURABLE);
	assert_int_equal(ask(store, raise_to(2, 8, both)).outcome, STORE_DURABLE);
	assert_true(ask(store, act(3, STORE_BEGIN)).is_new); /* whatever the network */
	assert_int_equal(commit(store, known(on_chain(7, block(1, 10, 1)))).outcome, STORE_DURABLE);
	assert_int_equal(commit(store, known(on_chain(7, block(2, 11, 1)))).outcome, STORE_NO_HISTORY);
	assert_int_equal(commit(store, known(on_chain(7, block(3, 10, 1)))).outcome, STORE_DURABLE);
}

static void prunes_what_protects_nothing(void **state)
{
	struct slashing_store *store = open_learning_store((struct place *)*state);
	struct error error = {0};
	size_t removed;

	(void)ask(store, raise_to(1, 8, both));
	(void)ask(store, raise_to(1, 7, both));
	assert_ok(slashing_store_prune(store, &removed, &error), &error);
	assert_int_equal(removed, 0); /* which network is ours? */
	assert_int_equal(commit(store, on_chain(7, block(1, 11, 1))).outcome, STORE_DURABLE);
	assert_ok(slashing_store_prune(store, &removed, &error), &error);
	assert_int_equal(removed, 1);
	assert_int_equal(ask(store, act(1, STORE_READ)).watermark.block_slot, 11);
	slashing_store_free(store);
}

static void a_newer_file_is_refused(void **state)
{
	struct place *place = (struct place *)*state;
	struct error error = {0};

	slashing_store_free(open_store(place));
	run_sql(place, "PRAGMA user_version = 5");
	assert_null(slashing_store_open_sqlite(place->fd, &error));
	assert_message_contains(&error, "written by a newer Ensign (schema 5, this one knows 4)");
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
		WITH_PLACE(another_chain_is_another_history),
		WITH_PLACE(the_first_root_is_learned_for_ever),
		WITH_PLACE(a_group_learns_from_its_first),
		WITH_PLACE(without_learning_nothing_is_learned),
		WITH_PLACE(a_repeat_teaches_too),
		WITH_PLACE(a_damaged_root_is_an_error),
		WITH_PLACE(one_enclave_at_a_time),
		WITH_PLACE(refuses_a_file_that_is_no_store),
		WITH_PLACE(an_import_teaches_no_root),
		WITH_PLACE(a_retired_key_teaches_no_root),
		WITH_PLACE(a_group_that_fails_changes_nothing),
		WITH_PLACE(an_older_file_is_taken_over),
		WITH_PLACE(the_keys_of_a_file_of_version_2_are_known),
		WITH_PLACE(an_early_import_registers_for_its_own_network),
		WITH_PLACE(prunes_what_protects_nothing),
		WITH_PLACE(a_newer_file_is_refused),
		WITH_PLACE(survives_a_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
