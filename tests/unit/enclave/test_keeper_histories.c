/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper makes of histories: keys that signed elsewhere, that are retired, that begin; and the high watermark. */
#include "keeper_process.h"
#include "slashing/high_watermark.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct message_history history_request(struct keeper_process *keeper, enum history_action action)
{
	struct message_history request;
	struct error error = {0};

	message_init(&request, MESSAGE_HISTORY, ++keeper->next_id);
	request.action = action;
	assert_ok(bls_public_key_derive(secret_key, request.public_key, &error), &error);
	memcpy(request.genesis_validators_root, network_find("mainnet", &error)->genesis_validators_root, ROOT_SIZE);
	return request;
}

static struct message_history receive_history(struct keeper_process *keeper)
{
	struct message_history history;
	struct error error = {0};

	assert_ok(message_receive(keeper->ledger, &history, sizeof history, NULL, &error), &error);
	assert_int_equal(history.header.type, MESSAGE_HISTORY);
	return history;
}

static struct message_history_result receive_history_result(struct keeper_process *keeper, uint64_t id)
{
	struct message_history_result result;
	struct error error = {0};

	assert_ok(message_receive(keeper->frontend, &result, sizeof result, NULL, &error), &error);
	assert_int_equal(result.header.type, MESSAGE_HISTORY_RESULT);
	assert_int_equal(result.header.id, id);
	return result;
}

static void ask_history(struct keeper_process *keeper, const struct message_history *request)
{
	struct error error = {0};

	assert_ok(message_send(keeper->frontend, request, &error), &error);
}

static struct message_history_result ask_durably(struct keeper_process *keeper, const struct message_history *request,
						 const struct watermark *after)
{
	struct message_history_result answer;
	struct message_history history;
	struct error error = {0};

	ask_history(keeper, request);
	history = receive_history(keeper);
	assert_int_equal(history.action, request->action);
	message_init(&answer, MESSAGE_HISTORY_RESULT, history.header.id);
	answer.is_retired = request->action == HISTORY_RETIRE;
	if (after)
		answer.watermark = *after;
	assert_ok(message_send(keeper->ledger, &answer, &error), &error);
	return receive_history_result(keeper, request->header.id);
}

static void what_was_signed_elsewhere_counts(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_history raise = history_request(&keeper, HISTORY_RAISE);
	struct message_sign old_vote = attestation_request(&keeper, 8, 9, 1);
	struct message_sign old_block = block_request(&keeper, 99, 1);
	struct message_history_result result;

	(void)state;
	raise.watermark = (struct watermark){
		.has_block = true, .block_slot = 100, .has_attestation = true, .source_epoch = 9, .target_epoch = 10};
	result = ask_durably(&keeper, &raise, &raise.watermark);
	assert_int_equal(result.status, HISTORY_OK);
	assert_true(result.is_loaded && result.has_root && !result.is_retired);
	assert_memory_equal(result.genesis_validators_root, raise.genesis_validators_root, ROOT_SIZE);
	assert_int_equal(sign_at_once(&keeper, &old_vote).status, SIGN_SLASHABLE);
	assert_int_equal(sign_at_once(&keeper, &old_block).status, SIGN_SLASHABLE);
	raise.genesis_validators_root[0] ^= 1;
	ask_history(&keeper, &raise);
	result = receive_history_result(&keeper, raise.header.id);
	assert_int_equal(result.status, HISTORY_WRONG_NETWORK);
	(void)stop_keeper(&keeper);
}

/* A store that was set back must not give a document that ends before our last signature, nor before one that is on its way. */
static void what_the_store_forgot_is_in_the_answer(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	const struct watermark forgotten = {.has_attestation = true, .source_epoch = 1, .target_epoch = 2};
	struct message_sign vote = attestation_request(&keeper, 5, 6, 1);
	struct message_sign block = block_request(&keeper, 100, 1);
	struct message_history retire = history_request(&keeper, HISTORY_RETIRE);
	struct message_history_result result;
	struct message_sign_result signed_vote = sign_durably(&keeper, &vote);

	(void)state;
	send_request(&keeper, &block);
	(void)receive_commit(&keeper);
	result = ask_durably(&keeper, &retire, &forgotten);
	assert_int_equal(result.status, HISTORY_OK);
	assert_int_equal(result.watermark.source_epoch, 5);
	assert_int_equal(result.watermark.target_epoch, 6);
	assert_memory_equal(result.watermark.attestation_root, signed_vote.signing_root, ROOT_SIZE);
	assert_true(result.watermark.has_block);
	assert_int_equal(result.watermark.block_slot, 100);
	(void)stop_keeper(&keeper);
}

static void a_retired_key_stops_at_once(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_history retire = history_request(&keeper, HISTORY_RETIRE);
	struct message_sign vote = attestation_request(&keeper, 1, 2, 1);
	struct message_history history;
	struct error error = {0};

	(void)state;
	ask_history(&keeper, &retire);
	history = receive_history(&keeper);
	assert_int_equal(history.known_only, 0);
	/* before the ledger has said a word */
	assert_int_equal(sign_at_once(&keeper, &vote).status, SIGN_UNKNOWN_KEY);
	{
		struct message_history_result answer;

		message_init(&answer, MESSAGE_HISTORY_RESULT, history.header.id);
		answer.status = HISTORY_FAILED;
		assert_ok(message_send(keeper.ledger, &answer, &error), &error);
	}
	assert_int_equal(receive_history_result(&keeper, retire.header.id).status, HISTORY_FAILED);
	assert_int_equal(sign_at_once(&keeper, &vote).status, SIGN_UNKNOWN_KEY);
	/* a second time it is not loaded any more */
	ask_history(&keeper, &retire);
	history = receive_history(&keeper);
	assert_int_equal(history.known_only, 1);
	(void)stop_keeper(&keeper);
}

static void assert_retired(struct keeper_process *keeper, enum artifact_type type)
{
	struct message_sign request = new_request(keeper, type);
	struct message_sign_result refused = sign_at_once(keeper, &request);

	assert_int_equal(refused.status, SIGN_RETIRED);
	assert_no_signature(&refused);
}

/* Whatever puts it back, and whatever is asked of it; nor is the ledger. */
static void a_retired_key_signs_nothing_of_any_type(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_history retire = history_request(&keeper, HISTORY_RETIRE);
	struct message_history enable = history_request(&keeper, HISTORY_ENABLE);
	struct message_sign request = randao_request(&keeper, secret_key);

	(void)state;
	(void)ask_durably(&keeper, &retire, NULL);
	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load(&keeper, 1).status, LOAD_OK);
	for (enum artifact_type type = ARTIFACT_ATTESTATION; type < ARTIFACT_TYPE_COUNT; type++)
		assert_retired(&keeper, type);
	nothing_is_readable(keeper.ledger);
	(void)ask_durably(&keeper, &enable, NULL);
	assert_int_equal(sign_at_once(&keeper, &request).status, SIGN_OK);
	(void)stop_keeper(&keeper);
}

/* Whatever the keeper remembers, the ledger has the last word. */
static void the_ledger_may_know_of_a_retirement_first(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign vote = attestation_request(&keeper, 1, 2, 1);
	struct message_sign_result refused;
	struct message_commit commit;

	(void)state;
	send_request(&keeper, &vote);
	commit = receive_commit(&keeper);
	answer_commit(&keeper, &commit, COMMIT_RETIRED, NULL);
	refused = receive_result(&keeper);
	assert_int_equal(refused.status, SIGN_RETIRED);
	assert_no_signature(&refused);
	(void)stop_keeper(&keeper);
}

/* Deleted in another enclave's life: the ledger says so at its start. */
static void keys_that_were_retired_before_sign_nothing(void **state)
{
	const struct network *mainnet;
	struct keeper_process keeper;
	struct message_keys retired;
	struct error error = {0};

	(void)state;
	mainnet = network_find("mainnet", &error);
	message_init(&retired, MESSAGE_KEYS, 0);
	retired.total = retired.count = 3;
	memset(retired.keys[0], 0x00, BLS_PUBLIC_KEY_SIZE);
	assert_ok(bls_public_key_derive(secret_key, retired.keys[1], &error), &error);
	memset(retired.keys[2], 0xff, BLS_PUBLIC_KEY_SIZE);
	keeper = start_keeper_after(&retired, mainnet, true, ARTIFACT_ALL);
	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load(&keeper, 1).status, LOAD_OK);
	assert_retired(&keeper, ARTIFACT_AGGREGATION_SLOT);
	assert_retired(&keeper, ARTIFACT_BLOCK);
	(void)stop_keeper(&keeper);
}

/* The opener was told of two keys; the key manager deletes one before the opener says that both are to be kept. */
static void a_key_that_is_deleted_during_a_load_is_left_out(void **state)
{
	static const uint8_t other_secret[BLS_SECRET_KEY_SIZE] = {[31] = 43};
	struct keeper_process keeper = start_loaded_keeper();
	struct message_history retire = history_request(&keeper, HISTORY_RETIRE);
	struct message_sign ours = randao_request(&keeper, secret_key);
	struct message_sign other = randao_request(&keeper, other_secret);
	struct message_load_result result;

	(void)state;
	begin_load(&keeper);
	keep_key(&keeper, secret_key);
	load_key(&keeper, other_secret, NULL);
	assert_int_equal(end_load(&keeper, 2).status, LOAD_OK);
	assert_true(ask_durably(&keeper, &retire, NULL).is_loaded);
	begin_load(&keeper);
	keep_key(&keeper, secret_key);
	keep_key(&keeper, other_secret);
	result = end_load(&keeper, 2);
	assert_int_equal(result.status, LOAD_OK);
	assert_int_equal(result.count, 1);
	assert_int_equal(sign_at_once(&keeper, &ours).status, SIGN_UNKNOWN_KEY);
	assert_int_equal(sign_at_once(&keeper, &other).status, SIGN_OK);
	/* What was lost on the way is noticed all the same. */
	begin_load(&keeper);
	keep_key(&keeper, secret_key);
	assert_int_equal(end_load(&keeper, 2).status, LOAD_COUNT_WRONG);
	(void)stop_keeper(&keeper);
}

static void histories_are_bounded(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_history read;

	(void)state;
	for (size_t i = 0; i < 16; i++) {
		read = history_request(&keeper, HISTORY_READ);
		ask_history(&keeper, &read);
	}
	read = history_request(&keeper, HISTORY_READ);
	ask_history(&keeper, &read);
	assert_int_equal(receive_history_result(&keeper, read.header.id).status, HISTORY_OVERLOADED);
	(void)stop_keeper(&keeper);
}

static void a_key_without_a_history_is_refused(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign request = block_request(&keeper, 5, 0);
	struct message_sign_result result;
	struct message_commit commit;

	(void)state;
	send_request(&keeper, &request);
	commit = receive_commit(&keeper);
	assert_int_equal(commit.may_begin, 0);
	answer_commit(&keeper, &commit, COMMIT_NO_HISTORY, NULL);
	result = receive_result(&keeper);
	assert_int_equal(result.status, SIGN_NO_HISTORY);
	assert_int_equal(result.quiet_left_ms, 0);
	assert_no_signature(&result);
	(void)stop_keeper(&keeper);
}

static void a_quiet_key_may_begin(void **state)
{
	struct keeper_process keeper;
	struct message_sign request;
	struct message_sign_result result;
	struct message_commit commit;

	(void)state;
	quiet_period_s = 2;
	keeper = start_loaded_keeper();
	quiet_period_s = 0;
	request = block_request(&keeper, 5, 0);
	send_request(&keeper, &request);
	commit = receive_commit(&keeper);
	assert_int_equal(commit.may_begin, 0);
	answer_commit(&keeper, &commit, COMMIT_NO_HISTORY, NULL);
	result = receive_result(&keeper);
	assert_int_equal(result.status, SIGN_NO_HISTORY);
	assert_in_range(result.quiet_left_ms, 1, 2000);
	(void)usleep(2100000);
	request = block_request(&keeper, 6, 0);
	send_request(&keeper, &request);
	commit = receive_commit(&keeper);
	assert_int_equal(commit.may_begin, 1);
	answer_commit(&keeper, &commit, COMMIT_DURABLE, NULL);
	assert_int_equal(receive_result(&keeper).status, SIGN_OK);
	(void)stop_keeper(&keeper);
}

/* And wait until the keeper has taken it, for the frontend's requests come another way. */
static void tell_high(struct keeper_process *keeper, struct high_watermark high)
{
	struct message_high_watermark message;
	struct high_watermark told;
	struct error error = {0};

	message_init(&message, MESSAGE_HIGH_WATERMARK, 0);
	message.high_watermark = high;
	assert_ok(message_send(keeper->ledger, &message, &error), &error);
	do
		told = ask_health(keeper).high_watermark;
	while (!high_watermark_equal(&told, &high));
}

/* The ledger decides, and what it refuses leaves no trace: a client that is far ahead must not stop a key. */
static void what_is_above_the_high_watermark_is_refused_and_forgotten(void **state)
{
	const struct high_watermark high = {.has_slot = 1, .slot = 100, .has_epoch = 1, .epoch = 10};
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign request = block_request(&keeper, 1000, 0);
	struct message_sign_result result;
	struct message_commit commit;

	(void)state;
	tell_high(&keeper, high);
	send_request(&keeper, &request);
	commit = receive_commit(&keeper);
	answer_commit(&keeper, &commit, COMMIT_ABOVE_HIGH, NULL);
	result = receive_result(&keeper);
	assert_int_equal(result.status, SIGN_SLASHABLE);
	assert_int_equal(result.verdict, SLASHING_BLOCK_ABOVE_HIGH);
	assert_int_equal(result.asked_slot, 1000);
	assert_int_equal(result.last_slot, 100);
	assert_no_signature(&result);
	request = block_request(&keeper, 50, 0);
	send_request(&keeper, &request);
	commit = receive_commit(&keeper);
	answer_commit(&keeper, &commit, COMMIT_DURABLE, NULL);
	assert_int_equal(receive_result(&keeper).status, SIGN_OK);
	(void)stop_keeper(&keeper);
}

/* The high watermark may be gone before the keeper hears of it; and still there are no two signatures for one slot. */
static void a_store_that_lies_about_the_high_watermark_gets_one_signature(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign requests[] = {block_request(&keeper, 1000, 0), block_request(&keeper, 1000, 1)};
	struct message_sign_result result;
	struct message_commit commits[2];

	(void)state;
	tell_high(&keeper, (struct high_watermark){.has_slot = 1, .slot = 100});
	for (size_t i = 0; i < 2; i++) {
		send_request(&keeper, &requests[i]);
		commits[i] = receive_commit(&keeper);
	}
	answer_commit(&keeper, &commits[0], COMMIT_DURABLE, NULL);
	assert_int_equal(receive_result(&keeper).status, SIGN_OK);
	answer_commit(&keeper, &commits[1], COMMIT_DURABLE, NULL);
	result = receive_result(&keeper);
	assert_int_equal(result.status, SIGN_SLASHABLE);
	assert_int_equal(result.verdict, SLASHING_BLOCK_TOO_LOW);
	assert_no_signature(&result);
	(void)stop_keeper(&keeper);
}

/* It may read, import and say that a key never signed; to stop a key or to bring one back is the key manager's. */
static void the_opener_may_ask_for_the_operator(void **state)
{
	static const enum history_action allowed[] = {HISTORY_READ, HISTORY_RAISE,     HISTORY_BEGIN,
						      HISTORY_NEXT, HISTORY_READ_HIGH, HISTORY_SET_HIGH};
	static const enum history_action forbidden[] = {HISTORY_RETIRE, HISTORY_ENABLE};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		struct keeper_process keeper = start_loaded_keeper();
		struct message_history request = history_request(&keeper, allowed[i]);
		struct message_history_result answer, result;

		assert_ok(message_send(keeper.opener, &request, &error), &error);
		request = receive_history(&keeper);
		assert_int_equal(request.action, allowed[i]);
		message_init(&answer, MESSAGE_HISTORY_RESULT, request.header.id);
		answer.origin = ORIGIN_FRESH;
		assert_ok(message_send(keeper.ledger, &answer, &error), &error);
		assert_ok(message_receive(keeper.opener, &result, sizeof result, NULL, &error), &error);
		assert_int_equal(result.header.id, keeper.next_id);
		assert_int_equal(result.origin, ORIGIN_FRESH);
		nothing_is_readable(keeper.frontend);
		(void)stop_keeper(&keeper);
	}
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		struct keeper_process keeper = start_loaded_keeper();
		struct message_history request = history_request(&keeper, forbidden[i]);
		int status;

		assert_ok(message_send(keeper.opener, &request, &error), &error);
		status = wait_for_end(&keeper);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	}
}

static void without_a_ledger_the_keeper_answers(void **state)
{
	struct keeper_process keeper = start_keeper_on("mainnet", false);
	struct message_history retire = history_request(&keeper, HISTORY_RETIRE);
	struct message_sign request = randao_request(&keeper, secret_key);

	(void)state;
	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load(&keeper, 1).status, LOAD_OK);
	ask_history(&keeper, &retire);
	assert_int_equal(receive_history_result(&keeper, retire.header.id).status, HISTORY_OK);
	assert_int_equal(sign_at_once(&keeper, &request).status, SIGN_UNKNOWN_KEY);
	ask_history(&keeper, &retire);
	assert_int_equal(receive_history_result(&keeper, retire.header.id).status, HISTORY_UNKNOWN);
	(void)stop_keeper(&keeper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_signed_elsewhere_counts),
		cmocka_unit_test(what_the_store_forgot_is_in_the_answer),
		cmocka_unit_test(a_retired_key_stops_at_once),
		cmocka_unit_test(a_retired_key_signs_nothing_of_any_type),
		cmocka_unit_test(the_ledger_may_know_of_a_retirement_first),
		cmocka_unit_test(keys_that_were_retired_before_sign_nothing),
		cmocka_unit_test(a_key_that_is_deleted_during_a_load_is_left_out),
		cmocka_unit_test(histories_are_bounded),
		cmocka_unit_test(a_key_without_a_history_is_refused),
		cmocka_unit_test(a_quiet_key_may_begin),
		cmocka_unit_test(what_is_above_the_high_watermark_is_refused_and_forgotten),
		cmocka_unit_test(a_store_that_lies_about_the_high_watermark_gets_one_signature),
		cmocka_unit_test(the_opener_may_ask_for_the_operator),
		cmocka_unit_test(without_a_ledger_the_keeper_answers),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
