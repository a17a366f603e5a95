/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two enclaves, each a process with a store of its own on one table, at the same keys at the same time. A referee looks at what each was told:
 * whatever happens on the way, no two messages that were called durable may be slashable together.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bad_relay.h"
#include "base/clock.h"
#include "store_place_dynamodb.h"

#define KEYS 50
#define RACERS 2
#define ROUNDS 40
#define GROUP ((size_t)2 * KEYS) /* a block and an attestation for each key */
#define VERDICTS (ROUNDS * GROUP)
#define CHAIN 7
/* Pieces of requests and answers, each of which takes its connection along. */
#define LOST_OF_1000 60

/* What a racer asked for and was told. */
struct verdict {
	struct store_commit commit;
	enum store_outcome outcome;
	bool is_there;
};

/* Round by round. */
struct report {
	struct verdict verdicts[VERDICTS];
	char problem[ERROR_MESSAGE_SIZE]; /* the last error of the store */
};

/* In memory that the processes share. */
struct race {
	struct report reports[RACERS];
};

/* What a racer asks for in a round. */
typedef struct store_commit duty_of(unsigned *seed, size_t racer, size_t round, uint8_t key, bool is_block);

static struct race *new_race(void)
{
	void *memory = mmap(NULL, sizeof(struct race), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	return (struct race *)memory;
}

/* The two go through the keys from different ends. */
static void make_group(struct store_commit *group, duty_of *duty, unsigned *seed, size_t racer, size_t round)
{
	for (size_t i = 0; i < GROUP; i++) {
		size_t key = racer == 0 ? i / 2 : KEYS - 1 - i / 2;

		group[i] = on_chain(CHAIN, duty(seed, racer, round, (uint8_t)key, i % 2 == 0));
	}
}

static void run_racer(const struct place *place, struct report *report, duty_of *duty, size_t racer)
{
	struct slashing_store *store = open_on_chain(place, CHAIN);
	unsigned seed = (unsigned)racer;

	for (size_t round = 0; round < ROUNDS; round++) {
		struct store_commit group[GROUP];
		struct store_result results[GROUP];
		struct error error = {0};

		make_group(group, duty, &seed, racer, round);
		if (!slashing_store_commit(store, group, GROUP, results, &error))
			memcpy(report->problem, error.message, sizeof report->problem);
		for (size_t i = 0; i < GROUP; i++)
			report->verdicts[round * GROUP + i] = (struct verdict){group[i], results[i].outcome, true};
	}
	slashing_store_free(store);
}

/* Each racer's way to the server: its own bad relay, or straight. */
static void run_race(struct place *place, struct race *race, duty_of *duty, unsigned lost_of_1000)
{
	pid_t racers[RACERS];

	for (size_t i = 0; i < RACERS; i++) {
		struct bad_relay_options options = {.listen = {.kind = ADDRESS_UNIX}, .seed = (unsigned)i * 1000};

		racers[i] = fork();
		assert_true(racers[i] >= 0);
		if (racers[i] > 0)
			continue;
		options.lost_of_1000 = lost_of_1000;
		options.server = dynamodb_server_address(&place->server);
		(void)snprintf(options.listen.path, sizeof options.listen.path, "/tmp/ensign-race-%ld", (long)getpid());
		place->options.endpoint.via = &options.listen;
		if (lost_of_1000)
			(void)bad_relay_start(&options);
		else
			place->options.endpoint.via = NULL;
		run_racer(place, &race->reports[i], duty, i);
		(void)unlink(options.listen.path);
		_exit(0);
	}
	for (size_t i = 0; i < RACERS; i++) {
		int status;

		assert_int_equal(waitpid(racers[i], &status, 0), racers[i]);
		assert_int_equal(status, 0);
	}
}

/* ---- the referee ---- */

static bool is_slashable(const struct store_commit *a, const struct store_commit *b)
{
	bool is_same_root = memcmp(a->signing_root, b->signing_root, ROOT_SIZE) == 0;

	if (a->duty != b->duty || memcmp(a->public_key, b->public_key, BLS_PUBLIC_KEY_SIZE) != 0)
		return false;
	if (a->duty == STORE_DUTY_BLOCK)
		return a->slot == b->slot && !is_same_root;
	if (a->target_epoch == b->target_epoch)
		return a->source_epoch != b->source_epoch || !is_same_root;
	return (a->source_epoch < b->source_epoch && a->target_epoch > b->target_epoch) ||
	       (b->source_epoch < a->source_epoch && b->target_epoch > a->target_epoch);
}

/* Those that were durable, in one list. */
static size_t collect_durable(const struct race *race, const struct store_commit **ret_durable)
{
	size_t count = 0;

	for (size_t racer = 0; racer < RACERS; racer++) {
		const struct verdict *verdicts = race->reports[racer].verdicts;

		for (size_t i = 0; i < VERDICTS; i++) {
			assert_true(verdicts[i].is_there);
			if (verdicts[i].outcome == STORE_DURABLE)
				ret_durable[count++] = &verdicts[i].commit;
		}
	}
	return count;
}

/* Returns how many were durable. */
static size_t referee(const struct race *race)
{
	AUTO_FREE const struct store_commit **durable =
		(const struct store_commit **)memory_allocate(RACERS * VERDICTS * sizeof *durable);
	size_t count = collect_durable(race, durable);

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (is_slashable(durable[i], durable[j]))
				fail_msg("key %u: both were durable, and are slashable: slot %llu, %llu to %llu; slot %llu, %llu "
					 "to %llu",
					 durable[i]->public_key[0], (unsigned long long)durable[i]->slot,
					 (unsigned long long)durable[i]->source_epoch, (unsigned long long)durable[i]->target_epoch,
					 (unsigned long long)durable[j]->slot, (unsigned long long)durable[j]->source_epoch,
					 (unsigned long long)durable[j]->target_epoch);
		}
	}
	return count;
}

static size_t count_outcomes(const struct race *race, enum store_outcome outcome)
{
	size_t count = 0;

	for (size_t racer = 0; racer < RACERS; racer++) {
		for (size_t i = 0; i < VERDICTS; i++)
			count += race->reports[racer].verdicts[i].outcome == outcome;
	}
	return count;
}

/* The row is at the last that was durable. */
static void assert_rows_are_at_the_last(const struct place *place, const struct race *race)
{
	AUTO_SLASHING_STORE struct slashing_store *store = open_on_chain(place, CHAIN);
	AUTO_FREE const struct store_commit **durable =
		(const struct store_commit **)memory_allocate(RACERS * VERDICTS * sizeof *durable);
	size_t count = collect_durable(race, durable);

	for (size_t key = 0; key < KEYS; key++) {
		struct store_history_result row = ask(store, act((uint8_t)key, STORE_READ));
		uint64_t slot = 0, target_epoch = 0;

		for (size_t i = 0; i < count; i++) {
			if (durable[i]->public_key[0] != key)
				continue;
			slot = durable[i]->slot > slot ? durable[i]->slot : slot;
			target_epoch = durable[i]->target_epoch > target_epoch ? durable[i]->target_epoch : target_epoch;
		}
		assert_int_equal(row.watermark.block_slot, slot);
		assert_int_equal(row.watermark.target_epoch, target_epoch);
	}
}

/* ---- races ---- */

/* Both want the same place, with different messages. */
static struct store_commit same_place(unsigned *seed, size_t racer, size_t round, uint8_t key, bool is_block)
{
	(void)seed;
	return is_block ? block(key, round + 1, (uint8_t)(racer + 1)) : attestation(key, round, round + 1, (uint8_t)(racer + 1));
}

/* Anything near where the other may be: forwards, backwards, around it, and often the very same message. */
static struct store_commit any_place(unsigned *seed, size_t racer, size_t round, uint8_t key, bool is_block)
{
	uint64_t place = 10 + round + (unsigned)rand_r(seed) % 4;
	uint8_t root = (uint8_t)(1 + (unsigned)rand_r(seed) % 2);

	(void)racer;
	return is_block ? block(key, place, root) : attestation(key, place - (unsigned)rand_r(seed) % 6, place, root);
}

static void of_two_that_conflict_one_is_durable(void **state)
{
	struct place *place = (struct place *)*state;
	struct race *race = new_race();
	uint64_t start_ms = clock_monotonic_ms();

	run_race(place, race, same_place, 0);
	print_message("%zu commits of %d racers in %llu ms\n", RACERS * VERDICTS, RACERS,
		      (unsigned long long)(clock_monotonic_ms() - start_ms));
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < GROUP; i++) {
			/* The second one's keys are in the opposite order, with the block before the attestation there too. */
			size_t other = 2 * (KEYS - 1 - i / 2) + i % 2;
			bool first = race->reports[0].verdicts[round * GROUP + i].outcome == STORE_DURABLE;
			bool second = race->reports[1].verdicts[round * GROUP + other].outcome == STORE_DURABLE;

			assert_true(first != second);
		}
	}
	assert_int_equal(referee(race), VERDICTS);
	assert_int_equal(count_outcomes(race, STORE_CONFLICT), VERDICTS);
	assert_rows_are_at_the_last(place, race);
}

static void whatever_they_ask_for_nothing_is_slashable(void **state)
{
	struct place *place = (struct place *)*state;
	struct race *race = new_race();
	size_t durable;

	run_race(place, race, any_place, 0);
	durable = referee(race);
	assert_int_equal(durable + count_outcomes(race, STORE_CONFLICT), RACERS * VERDICTS);
	assert_true(durable > ROUNDS * KEYS); /* of twice as many places */
	assert_rows_are_at_the_last(place, race);
}

/* Requests are lost before they are done and answers after: what is durable may be called in doubt, never the other way round. */
static void lost_answers_make_nothing_slashable(void **state)
{
	struct place *place = (struct place *)*state;
	struct race *race = new_race();
	size_t durable, in_doubt;

	run_race(place, race, any_place, LOST_OF_1000);
	durable = referee(race);
	in_doubt = count_outcomes(race, STORE_FAILED);
	print_message("%zu durable, %zu in doubt%s%s\n", durable, in_doubt, in_doubt ? ": " : "", race->reports[0].problem);
	assert_true(durable > ROUNDS * KEYS);
	assert_true(in_doubt < ROUNDS * KEYS / 10);
}

/* One commits, the other imports what was signed elsewhere: nothing is ever lowered, and no duty passes below what was imported. */
static void imports_and_commits_lower_nothing(void **state)
{
	struct place *place = (struct place *)*state;
	AUTO_SLASHING_STORE struct slashing_store *store = NULL;
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		AUTO_SLASHING_STORE struct slashing_store *other = open_on_chain(place, CHAIN);

		for (uint64_t slot = 3; slot <= 300; slot += 3)
			(void)ask(other, raise_to(1, CHAIN, (struct watermark){.has_block = true, .block_slot = slot}));
		_exit(0);
	}
	store = open_on_chain(place, CHAIN);
	for (uint64_t slot = 1; slot <= 300; slot++) {
		struct store_result result = commit(store, on_chain(CHAIN, block(1, slot, 1)));

		assert_true(result.outcome == STORE_DURABLE || result.outcome == STORE_CONFLICT);
		assert_true(ask(store, act(1, STORE_READ)).watermark.block_slot >= slot);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(ask(store, act(1, STORE_READ)).watermark.block_slot, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(of_two_that_conflict_one_is_durable),
		WITH_PLACE(whatever_they_ask_for_nothing_is_slashable),
		WITH_PLACE(lost_answers_make_nothing_slashable),
		WITH_PLACE(imports_and_commits_lower_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
