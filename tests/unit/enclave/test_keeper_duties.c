/* SPDX-License-Identifier: Apache-2.0 */
/* What is slashable: what the keeper remembers, what it believes of the ledger, and how it learns which chain is its own. */
#include "keeper_process.h"

#include "enclave/keeper/duties.h"

#include <signal.h>
#include <unistd.h>

static void refuses_what_is_slashable(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign first = attestation_request(&keeper, 5, 10, 1);
	struct message_sign other_vote = attestation_request(&keeper, 5, 10, 2);
	struct message_sign surrounded = attestation_request(&keeper, 4, 11, 1);
	struct message_sign inverted = attestation_request(&keeper, 12, 11, 1);
	struct message_sign again = attestation_request(&keeper, 5, 10, 1);
	struct message_sign_result result;

	(void)state;
	result = sign_durably(&keeper, &first);
	assert_signed(&first, &result);
	result = sign_at_once(&keeper, &other_vote);
	assert_int_equal(result.status, SIGN_SLASHABLE);
	assert_int_equal(result.verdict, SLASHING_TARGET_TOO_LOW);
	assert_int_equal(result.asked_target, 10);
	assert_int_equal(result.last_target, 10);
	assert_no_signature(&result);
	result = sign_at_once(&keeper, &surrounded);
	assert_int_equal(result.verdict, SLASHING_SOURCE_TOO_LOW);
	result = sign_at_once(&keeper, &inverted);
	assert_int_equal(result.verdict, SLASHING_SOURCE_AFTER_TARGET);
	/* The very same vote again is allowed, and waits for the ledger like the first. */
	result = sign_durably(&keeper, &again);
	assert_signed(&again, &result);
	(void)stop_keeper(&keeper);
}

static void conflicting_requests_in_flight_get_one_signature(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign first = block_request(&keeper, 100, 1);
	struct message_sign second = block_request(&keeper, 100, 2);
	struct message_sign_result result;
	struct message_commit commit;

	(void)state;
	send_request(&keeper, &first);
	send_request(&keeper, &second);
	result = receive_result(&keeper); /* the refusal does not wait for the ledger */
	assert_int_equal(result.header.id, second.header.id);
	assert_int_equal(result.status, SIGN_SLASHABLE);
	commit = receive_commit(&keeper);
	nothing_is_readable(keeper.ledger);
	answer_commit(&keeper, &commit, COMMIT_DURABLE, NULL);
	result = receive_result(&keeper);
	assert_signed(&first, &result);
	(void)stop_keeper(&keeper);
}

static void believes_the_ledger(void **state)
{
	const struct watermark stored = {.has_block = true, .block_slot = 200};
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign low = block_request(&keeper, 150, 1);
	struct message_sign still_low = block_request(&keeper, 199, 1);
	struct message_sign in_doubt = block_request(&keeper, 201, 1);
	struct message_sign in_doubt_again = block_request(&keeper, 201, 2);
	struct message_sign_result result;
	struct message_commit commit;

	(void)state;
	send_request(&keeper, &low);
	commit = receive_commit(&keeper);
	answer_commit(&keeper, &commit, COMMIT_CONFLICT, &stored);
	result = receive_result(&keeper);
	assert_int_equal(result.status, SIGN_SLASHABLE);
	assert_int_equal(result.verdict, SLASHING_BLOCK_TOO_LOW);
	assert_int_equal(result.last_slot, 200);
	assert_no_signature(&result);
	/* From now on memory knows. */
	result = sign_at_once(&keeper, &still_low);
	assert_int_equal(result.status, SIGN_SLASHABLE);
	/* In doubt means no, and the slot is spent: the ledger may have written it. */
	send_request(&keeper, &in_doubt);
	commit = receive_commit(&keeper);
	answer_commit(&keeper, &commit, COMMIT_FAILED, NULL);
	result = receive_result(&keeper);
	assert_int_equal(result.status, SIGN_LEDGER_FAILED);
	assert_no_signature(&result);
	result = sign_at_once(&keeper, &in_doubt_again);
	assert_int_equal(result.status, SIGN_SLASHABLE);
	(void)stop_keeper(&keeper);
}

static void answer_wrong_network(struct keeper_process *keeper, const struct message_commit *commit, uint8_t learned_chain)
{
	struct message_commit_result answer;
	struct error error = {0};

	message_init(&answer, MESSAGE_COMMIT_RESULT, commit->header.id);
	answer.status = COMMIT_WRONG_NETWORK;
	answer.genesis_validators_root[0] = learned_chain;
	assert_ok(message_send(keeper->ledger, &answer, &error), &error);
}

static void assert_wrong_network(const struct message_sign_result *result, uint8_t learned_chain)
{
	const uint8_t learned[ROOT_SIZE] = {learned_chain};

	assert_int_equal(result->status, SIGN_WRONG_NETWORK);
	assert_memory_equal(result->genesis_validators_root, learned, sizeof learned);
	assert_no_signature(result);
}

static void the_first_durable_root_is_the_networks(void **state)
{
	struct keeper_process keeper = start_devnet_keeper(true, true);
	struct message_sign first = on_chain(7, attestation_request(&keeper, 1, 2, 1));
	struct message_sign foreign = on_chain(8, attestation_request(&keeper, 2, 3, 1));
	struct message_sign_result result;

	(void)state;
	result = sign_durably(&keeper, &first);
	assert_signed(&first, &result);
	result = sign_at_once(&keeper, &foreign);
	assert_wrong_network(&result, 7);
	nothing_is_readable(keeper.ledger);
	foreign = on_chain(8, new_request(&keeper, ARTIFACT_RANDAO_REVEAL)); /* nothing slashable, as with a configured root */
	result = sign_at_once(&keeper, &foreign);
	assert_signed(&foreign, &result);
	(void)stop_keeper(&keeper);
}

/* After a restart the ledger knows and the keeper does not: what the ledger refuses must not count as signed on our chain. */
static void another_chain_spends_nothing_while_learning(void **state)
{
	struct keeper_process keeper = start_devnet_keeper(true, true);
	struct message_sign foreign = on_chain(8, attestation_request(&keeper, 100, 200, 1));
	struct message_sign ours = on_chain(7, attestation_request(&keeper, 1, 2, 1));
	struct message_sign twice = on_chain(7, attestation_request(&keeper, 1, 2, 2));
	const struct watermark stored = {
		.has_attestation = true, .source_epoch = 1, .target_epoch = 2, .attestation_root = {[0] = 9}};
	struct message_sign_result result;
	struct message_commit first, second;

	(void)state;
	send_request(&keeper, &foreign);
	first = receive_commit(&keeper);
	send_request(&keeper, &ours);
	second = receive_commit(&keeper);
	answer_wrong_network(&keeper, &first, 7);
	result = receive_result(&keeper);
	assert_wrong_network(&result, 7);
	answer_commit(&keeper, &second, COMMIT_DURABLE, &stored);
	result = receive_result(&keeper);
	assert_signed(&ours, &result);
	/* Now memory knows what the ledger wrote. */
	result = sign_at_once(&keeper, &twice);
	assert_int_equal(result.status, SIGN_SLASHABLE);
	foreign.header.id = ++keeper.next_id;
	result = sign_at_once(&keeper, &foreign);
	assert_wrong_network(&result, 7);
	(void)stop_keeper(&keeper);
}

static void without_protection_nothing_is_learned(void **state)
{
	struct keeper_process keeper = start_devnet_keeper(true, false);

	(void)state;
	for (uint8_t chain = 7; chain < 9; chain++) {
		struct message_sign request = on_chain(chain, attestation_request(&keeper, 1, 2, chain));
		struct message_sign_result result = sign_at_once(&keeper, &request);

		assert_signed(&request, &result);
	}
	nothing_is_readable(keeper.ledger);
	(void)stop_keeper(&keeper);
}

/* ---- what the store refuses was never signed ---- */

static struct watermark vote_watermark(const struct message_sign *request, const uint8_t signing_root[ROOT_SIZE])
{
	struct watermark watermark = {0};

	slashing_record_attestation(&watermark, request->object.attestation.source.epoch, request->object.attestation.target.epoch,
				    signing_root);
	return watermark;
}

/* The ledger is asked for our vote twice, and has not answered. What it would hold had another enclave been first with its vote of the same epoch. */
static struct watermark ask_twice(struct keeper_process *keeper, const struct message_sign *ours, const struct message_sign *theirs,
				  struct message_commit ret_commits[2])
{
	struct message_sign_result refused;

	for (size_t i = 0; i < 2; i++) {
		send_request(keeper, ours);
		ret_commits[i] = receive_commit(keeper);
	}
	refused = sign_at_once(keeper, theirs);
	assert_int_equal(refused.status, SIGN_SLASHABLE);
	return vote_watermark(theirs, refused.signing_root);
}

/* Of two enclaves one is first, and what it signed may be repeated at the other: once nothing of the other's own is on its way any more. */
static void another_enclaves_vote_may_be_repeated(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign ours = attestation_request(&keeper, 5, 10, 1);
	struct message_sign theirs = attestation_request(&keeper, 5, 10, 2);
	struct message_commit commits[2];
	struct watermark stored = ask_twice(&keeper, &ours, &theirs, commits);
	struct message_sign_result result;

	(void)state;
	answer_commit(&keeper, &commits[0], COMMIT_CONFLICT, &stored);
	assert_int_equal(receive_result(&keeper).status, SIGN_SLASHABLE);
	assert_int_equal(sign_at_once(&keeper, &theirs).status, SIGN_SLASHABLE);
	answer_commit(&keeper, &commits[1], COMMIT_CONFLICT, &stored);
	assert_int_equal(receive_result(&keeper).status, SIGN_SLASHABLE);
	result = sign_durably(&keeper, &theirs);
	assert_signed(&theirs, &result);
	assert_int_equal(sign_at_once(&keeper, &ours).status, SIGN_SLASHABLE);
	(void)stop_keeper(&keeper);
}

/* It says of the same vote no and yes, and then would have another one signed. */
static void a_store_that_says_no_and_yes_gets_one_signature(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign ours = attestation_request(&keeper, 5, 10, 1);
	struct message_sign theirs = attestation_request(&keeper, 5, 10, 2);
	struct message_commit commits[2];
	struct watermark stored = ask_twice(&keeper, &ours, &theirs, commits);
	struct message_sign_result result;

	(void)state;
	answer_commit(&keeper, &commits[0], COMMIT_DURABLE, NULL);
	result = receive_result(&keeper);
	assert_signed(&ours, &result);
	answer_commit(&keeper, &commits[1], COMMIT_CONFLICT, &stored);
	result = receive_result(&keeper);
	assert_no_signature(&result);
	assert_int_equal(sign_at_once(&keeper, &theirs).status, SIGN_SLASHABLE);
	nothing_is_readable(keeper.ledger);
	(void)stop_keeper(&keeper);
}

static void what_is_refused_for_other_reasons_spends_nothing(void **state)
{
	static const enum commit_status refusals[] = {COMMIT_NO_HISTORY, COMMIT_RETIRED};
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign last;

	(void)state;
	for (uint8_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct message_sign refused = block_request(&keeper, 100, i);
		struct message_commit commit;
		struct message_sign_result result;

		send_request(&keeper, &refused);
		commit = receive_commit(&keeper);
		answer_commit(&keeper, &commit, refusals[i], NULL);
		result = receive_result(&keeper);
		assert_no_signature(&result);
	}
	last = block_request(&keeper, 100, 9);
	assert_int_equal(sign_durably(&keeper, &last).status, SIGN_OK);
	(void)stop_keeper(&keeper);
}

/* ---- memory alone, under any store ---- */

/* Few of each, so that they collide: slots, epochs and roots are below this. */
#define FEW 4
#define WALK_STEPS 40
#define WALKS 20000

struct walk {
	struct duty_memory memory;
	struct message_commit under_way[WALK_STEPS];
	bool is_in_memory[WALK_STEPS];
	size_t under_way_count;
	struct message_commit released[WALK_STEPS];
	size_t released_count;
	uint64_t random;
};

/* xorshift64: the same walks every time. */
static uint64_t pick(struct walk *walk, uint64_t below)
{
	walk->random ^= walk->random << 13;
	walk->random ^= walk->random >> 7;
	walk->random ^= walk->random << 17;
	return walk->random % below;
}

static struct message_commit pick_duty(struct walk *walk)
{
	struct message_commit commit = {.duty = pick(walk, 3) == 0 ? DUTY_BLOCK : DUTY_ATTESTATION};

	if (commit.duty == DUTY_BLOCK) {
		commit.slot = pick(walk, FEW);
	} else {
		commit.source_epoch = pick(walk, FEW);
		commit.target_epoch = pick(walk, FEW);
	}
	/* A message has one root: two that differ in their numbers never have the same. */
	commit.signing_root[0] = (uint8_t)(1 + pick(walk, 2));
	commit.signing_root[1] = (uint8_t)(commit.slot + commit.source_epoch * FEW + commit.target_epoch * FEW * FEW);
	commit.signing_root[2] = (uint8_t)commit.duty;
	return commit;
}

/* Double proposals, double votes and surrounds (EIP-3076), judged by definition and not by watermarks. */
static bool contradict(const struct message_commit *a, const struct message_commit *b)
{
	bool is_same = memcmp(a->signing_root, b->signing_root, ROOT_SIZE) == 0;

	if (a->duty != b->duty || is_same)
		return false;
	if (a->duty == DUTY_BLOCK)
		return a->slot == b->slot;
	return a->target_epoch == b->target_epoch || (a->source_epoch < b->source_epoch && b->target_epoch < a->target_epoch) ||
	       (b->source_epoch < a->source_epoch && a->target_epoch < b->target_epoch);
}

static void release(struct walk *walk, const struct message_commit *commit)
{
	for (size_t i = 0; i < walk->released_count; i++)
		assert_false(contradict(&walk->released[i], commit));
	walk->released[walk->released_count++] = *commit;
}

static void ask(struct walk *walk)
{
	struct message_commit commit = pick_duty(walk);
	const struct watermark *last;

	if (duty_memory_check(&walk->memory, &commit, &last) > SLASHING_REPEAT)
		return;
	walk->is_in_memory[walk->under_way_count] = pick(walk, 4) > 0;
	if (walk->is_in_memory[walk->under_way_count])
		duty_memory_ask(&walk->memory, &commit);
	walk->under_way[walk->under_way_count++] = commit;
}

/* Any of them, in any order, with any answer: 0 and 1 durable, 2 in doubt, else refused. */
static void answer(struct walk *walk)
{
	size_t i = (size_t)pick(walk, walk->under_way_count);
	struct message_commit commit = walk->under_way[i];
	bool is_in_memory = walk->is_in_memory[i];
	uint64_t outcome = pick(walk, 5);
	const struct watermark *last;

	walk->under_way[i] = walk->under_way[--walk->under_way_count];
	walk->is_in_memory[i] = walk->is_in_memory[walk->under_way_count];
	if (is_in_memory) {
		duty_memory_answered(&walk->memory, &commit, outcome <= 2);
	} else if (outcome <= 1) {
		if (duty_memory_check(&walk->memory, &commit, &last) > SLASHING_REPEAT)
			return;
		duty_memory_add(&walk->memory, &commit);
	}
	if (outcome <= 1)
		release(walk, &commit);
}

/* What a store says that it holds: of a conflict, or of an import. */
static void hear(struct walk *walk)
{
	struct message_commit commit = pick_duty(walk);
	struct watermark stored = {0};

	if (commit.duty == DUTY_BLOCK)
		slashing_record_block(&stored, commit.slot, commit.signing_root);
	else
		slashing_record_attestation(&stored, commit.source_epoch, commit.target_epoch, commit.signing_root);
	if (pick(walk, 2) == 0)
		duty_merge(&walk->memory.known, &stored);
	else
		slashing_raise(&walk->memory.known, &stored);
}

/* Memory is the second line: whatever the store answers, in whatever order, nothing that is released contradicts what was released before. */
static void no_store_gets_two_contradicting_signatures(void **state)
{
	size_t released = 0;
	size_t left_asked = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WALKS; seed++) {
		struct walk walk = {.random = seed * 0x9e3779b97f4a7c15u};

		for (size_t step = 0; step < WALK_STEPS; step++) {
			uint64_t what = pick(&walk, 16);

			if (what == 0)
				hear(&walk);
			else if (what < 9)
				ask(&walk);
			else if (walk.under_way_count > 0)
				answer(&walk);
		}
		while (walk.under_way_count > 0)
			answer(&walk);
		released += walk.released_count;
		left_asked += walk.memory.asked_count;
	}
	assert_true(released > 2 * WALKS); /* it did sign */
	assert_int_equal(left_asked, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_slashable),
		cmocka_unit_test(conflicting_requests_in_flight_get_one_signature),
		cmocka_unit_test(believes_the_ledger),
		cmocka_unit_test(the_first_durable_root_is_the_networks),
		cmocka_unit_test(another_chain_spends_nothing_while_learning),
		cmocka_unit_test(without_protection_nothing_is_learned),
		cmocka_unit_test(another_enclaves_vote_may_be_repeated),
		cmocka_unit_test(a_store_that_says_no_and_yes_gets_one_signature),
		cmocka_unit_test(what_is_refused_for_other_reasons_spends_nothing),
		cmocka_unit_test(no_store_gets_two_contradicting_signatures),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
