/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper signs and what not, what it loads, and what it tells of itself. */
#include "enclave/keeper/commits.h"
#include "keeper_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_slashable(enum artifact_type type)
{
	return type == ARTIFACT_ATTESTATION || type == ARTIFACT_BLOCK;
}

/* The same bytes under every type: only what is slashable waits for the ledger, and no two types have one root. */
static void signs_each_type(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	uint8_t roots[ARTIFACT_TYPE_COUNT][ROOT_SIZE];

	(void)state;
	for (enum artifact_type type = ARTIFACT_ATTESTATION; type < ARTIFACT_TYPE_COUNT; type++) {
		struct message_sign request = new_request(&keeper, type);
		struct message_sign_result result;

		memset(&request.object, 0x01, sizeof request.object);
		result = is_slashable(type) ? sign_durably(&keeper, &request) : sign_at_once(&keeper, &request);
		assert_signed(&request, &result);
		memcpy(roots[type], result.signing_root, ROOT_SIZE);
		for (enum artifact_type other = ARTIFACT_ATTESTATION; other < type; other++)
			if (type != ARTIFACT_EXECUTION_PAYLOAD_ENVELOPE || other != ARTIFACT_EXECUTION_PAYLOAD_BID)
				assert_memory_not_equal(roots[type], roots[other], ROOT_SIZE);
	}
	nothing_is_readable(keeper.ledger);
	assert_int_equal(WEXITSTATUS(stop_keeper(&keeper)), 1);
}

/*
 * What a taken-over frontend gets: it asks for every type, whatever the rules say, and no signature of one that no rule allows
 * ever leaves. Nothing of what is refused reaches the ledger, and a key that is not there is refused alike.
 */
static void refuses_types_that_no_rule_allows(void **state)
{
	static const struct signing_policy built_in_rules = {0};
	uint32_t signable = signing_policy_types(&built_in_rules) & ~ARTIFACT_BIT(ARTIFACT_BLOCK);
	struct error error = {0};
	struct keeper_process keeper = start_keeper_for(network_find("mainnet", &error), true, signable);

	(void)state;
	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load(&keeper, 1).status, LOAD_OK);
	for (enum artifact_type type = ARTIFACT_ATTESTATION; type < ARTIFACT_TYPE_COUNT; type++) {
		bool is_refused = type == ARTIFACT_VOLUNTARY_EXIT || type == ARTIFACT_DEPOSIT || type == ARTIFACT_BLOCK;
		struct message_sign request = new_request(&keeper, type);
		struct message_sign_result result;

		memset(&request.object, 0x01, sizeof request.object);
		if (!is_refused) {
			result = is_slashable(type) ? sign_durably(&keeper, &request) : sign_at_once(&keeper, &request);
			assert_signed(&request, &result);
			continue;
		}
		for (int i = 0; i < 2; i++) {
			result = sign_at_once(&keeper, &request);
			assert_int_equal(result.status, SIGN_POLICY);
			assert_no_signature(&result);
			request.public_key[0] ^= 1; /* no such key */
		}
		nothing_is_readable(keeper.ledger);
	}
	(void)stop_keeper(&keeper);
}

static void nothing_leaves_before_it_is_durable(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign request = block_request(&keeper, 100, 1);
	struct message_commit commit;
	struct message_sign_result result;

	(void)state;
	send_request(&keeper, &request);
	commit = receive_commit(&keeper);
	assert_int_equal(commit.duty, DUTY_BLOCK);
	assert_int_equal(commit.slot, 100);
	(void)usleep(200000); /* the signature was computed long ago */
	nothing_is_readable(keeper.frontend);
	answer_commit(&keeper, &commit, COMMIT_DURABLE, NULL);
	result = receive_result(&keeper);
	assert_signed(&request, &result);
	(void)stop_keeper(&keeper);
}

static void says_why_it_does_not_sign(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign unknown = new_request(&keeper, ARTIFACT_RANDAO_REVEAL);
	struct message_sign mismatch = new_request(&keeper, ARTIFACT_RANDAO_REVEAL);
	struct message_sign foreign = block_request(&keeper, 5, 1);
	struct message_sign nonsense = new_request(&keeper, ARTIFACT_TYPE_COUNT);
	struct message_sign_result result;

	(void)state;
	unknown.public_key[5] ^= 1;
	assert_int_equal(sign_at_once(&keeper, &unknown).status, SIGN_UNKNOWN_KEY);
	mismatch.has_signing_root = 1;
	result = sign_at_once(&keeper, &mismatch);
	assert_int_equal(result.status, SIGN_ROOT_MISMATCH);
	assert_no_signature(&result);
	mismatch.header.id = ++keeper.next_id;
	memcpy(mismatch.signing_root, result.signing_root, ROOT_SIZE);
	result = sign_at_once(&keeper, &mismatch);
	assert_signed(&mismatch, &result);
	foreign.fork_info.genesis_validators_root[0] ^= 1;
	assert_int_equal(sign_at_once(&keeper, &foreign).status, SIGN_WRONG_NETWORK);
	assert_int_equal(sign_at_once(&keeper, &nonsense).status, SIGN_BAD_REQUEST);
	nothing_is_readable(keeper.ledger);
	(void)stop_keeper(&keeper);
}

/* Whatever schedule the network has, the domain follows the request's fork_info. */
static void domains_follow_the_request(void **state)
{
	struct keeper_process keeper = start_devnet_keeper(false, true);
	const uint8_t versions[2][FORK_VERSION_SIZE] = {{0x70, 0, 0, 0x38}, {0x50, 0, 0, 0x38}};

	(void)state;
	for (uint64_t target = 6; target <= 7; target++) {
		struct message_sign request = on_chain(7, attestation_request(&keeper, 1, target, 1));
		uint8_t object_root[ROOT_SIZE], domain[ROOT_SIZE], expected[ROOT_SIZE];
		struct message_sign_result result;

		request.fork_info.epoch = 7;
		memcpy(request.fork_info.previous_version, versions[0], FORK_VERSION_SIZE);
		memcpy(request.fork_info.current_version, versions[1], FORK_VERSION_SIZE);
		attestation_data_root(&request.object.attestation, object_root);
		compute_domain(DOMAIN_BEACON_ATTESTER, versions[target - 6], request.fork_info.genesis_validators_root, domain);
		compute_signing_root(object_root, domain, expected);
		result = sign_durably(&keeper, &request);
		assert_signed(&request, &result);
		assert_memory_equal(result.signing_root, expected, ROOT_SIZE);
	}
	(void)stop_keeper(&keeper);
}

static void without_protection_signs_everything(void **state)
{
	struct keeper_process keeper = start_keeper_on("mainnet", false);
	struct message_sign first = block_request(&keeper, 100, 1);
	struct message_sign second = block_request(&keeper, 100, 2);
	struct message_sign_result result;

	(void)state;
	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load(&keeper, 1).status, LOAD_OK);
	result = sign_at_once(&keeper, &first);
	assert_signed(&first, &result);
	result = sign_at_once(&keeper, &second);
	assert_signed(&second, &result);
	nothing_is_readable(keeper.ledger);
	(void)stop_keeper(&keeper);
}

static void checks_what_it_loads(void **state)
{
	struct keeper_process keeper = start_keeper();
	struct message_sign request = new_request(&keeper, ARTIFACT_RANDAO_REVEAL);
	uint8_t other_secret[BLS_SECRET_KEY_SIZE] = {[31] = 43};
	struct message_load_result result;

	(void)state;
	/* A lying public key; nothing of that load is kept. */
	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	load_key(&keeper, other_secret, request.public_key);
	result = end_load(&keeper, 2);
	assert_int_equal(result.status, LOAD_BAD_KEY);
	assert_memory_equal(result.public_key, request.public_key, BLS_PUBLIC_KEY_SIZE);
	assert_int_equal(sign_at_once(&keeper, &request).status, SIGN_UNKNOWN_KEY);
	/* Keys lost on the way, and a load cut short by an opener that died. */
	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load(&keeper, 2).status, LOAD_COUNT_WRONG);
	begin_load(&keeper);
	load_key(&keeper, other_secret, NULL);
	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load(&keeper, 2).status, LOAD_BAD_KEY);
	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load(&keeper, 1).status, LOAD_OK);
	assert_int_equal(sign_at_once(&keeper, &request).status, SIGN_OK);
	/* A load that ends without having begun. */
	assert_int_equal(end_load(&keeper, 0).status, LOAD_COUNT_WRONG);
	assert_int_equal(sign_at_once(&keeper, &request).status, SIGN_OK);
	(void)stop_keeper(&keeper);
}

static void a_load_takes_the_place_of_the_last(void **state)
{
	static const uint8_t other_secret[BLS_SECRET_KEY_SIZE] = {[31] = 43};
	static const uint8_t third_secret[BLS_SECRET_KEY_SIZE] = {[31] = 44};
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign vote = attestation_request(&keeper, 1, 2, 1);
	struct message_sign conflict = attestation_request(&keeper, 1, 2, 2);
	struct message_sign ours = randao_request(&keeper, secret_key);
	struct message_sign other = randao_request(&keeper, other_secret);
	struct message_load_result result;

	(void)state;
	assert_int_equal(sign_durably(&keeper, &vote).status, SIGN_OK);
	/* one goes on, one comes */
	begin_load(&keeper);
	keep_key(&keeper, secret_key);
	load_key(&keeper, other_secret, NULL);
	assert_int_equal(sign_at_once(&keeper, &other).status, SIGN_UNKNOWN_KEY);
	result = end_load(&keeper, 2);
	assert_int_equal(result.status, LOAD_OK);
	assert_int_equal(result.count, 2);
	assert_int_equal(result.added, 1);
	assert_int_equal(result.removed, 0);
	assert_int_equal(sign_at_once(&keeper, &other).status, SIGN_OK);
	assert_int_equal(sign_at_once(&keeper, &ours).status, SIGN_OK);
	/* what fails changes nothing: one that is not there to be kept, a wrong one, one that is named twice */
	begin_load(&keeper);
	keep_key(&keeper, third_secret);
	result = end_load(&keeper, 1);
	assert_int_equal(result.status, LOAD_UNKNOWN);
	assert_int_equal(result.count, 2);
	begin_load(&keeper);
	keep_key(&keeper, secret_key);
	load_key(&keeper, third_secret, other.public_key);
	assert_int_equal(end_load(&keeper, 2).status, LOAD_BAD_KEY);
	begin_load(&keeper);
	keep_key(&keeper, secret_key);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load(&keeper, 2).status, LOAD_BAD_KEY);
	assert_int_equal(sign_at_once(&keeper, &other).status, SIGN_OK);
	assert_int_equal(sign_at_once(&keeper, &ours).status, SIGN_OK);
	/* one goes, and comes back to what it signed */
	begin_load(&keeper);
	keep_key(&keeper, other_secret);
	result = end_load(&keeper, 1);
	assert_int_equal(result.removed, 1);
	assert_int_equal(sign_at_once(&keeper, &vote).status, SIGN_UNKNOWN_KEY);
	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	keep_key(&keeper, other_secret);
	assert_int_equal(end_load(&keeper, 2).added, 1);
	assert_int_equal(sign_at_once(&keeper, &conflict).status, SIGN_SLASHABLE);
	(void)stop_keeper(&keeper);
}

/* What was asked for before the key left is signed; its secret may go only then. */
static void jobs_of_a_key_that_leaves_are_finished(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign vote = attestation_request(&keeper, 1, 2, 1);
	struct message_sign_result signed_vote;
	struct message_commit commit;

	(void)state;
	send_request(&keeper, &vote);
	commit = receive_commit(&keeper);
	begin_load(&keeper);
	assert_int_equal(end_load(&keeper, 0).removed, 1);
	assert_int_equal(sign_at_once(&keeper, &vote).status, SIGN_UNKNOWN_KEY);
	answer_commit(&keeper, &commit, COMMIT_DURABLE, NULL);
	signed_vote = receive_result(&keeper);
	assert_signed(&vote, &signed_vote);
	(void)stop_keeper(&keeper);
}

static void lists_its_keys(void **state)
{
	struct keeper_process keeper = start_keeper();
	struct message_list_keys ask;
	struct message_keys keys;
	struct error error = {0};
	uint8_t secret[BLS_SECRET_KEY_SIZE] = {0};

	(void)state;
	begin_load(&keeper);
	for (uint8_t i = 1; i <= MESSAGE_KEYS_CAPACITY + 3; i++) {
		secret[31] = i;
		load_key(&keeper, secret, NULL);
	}
	assert_int_equal(end_load(&keeper, MESSAGE_KEYS_CAPACITY + 3).status, LOAD_OK);
	for (uint64_t first = 0; first <= MESSAGE_KEYS_CAPACITY + 4; first += MESSAGE_KEYS_CAPACITY) {
		message_init(&ask, MESSAGE_LIST_KEYS, ++keeper.next_id);
		ask.first = first;
		assert_ok(message_send(keeper.frontend, &ask, &error), &error);
		assert_ok(message_receive(keeper.frontend, &keys, sizeof keys, NULL, &error), &error);
		assert_int_equal(keys.total, MESSAGE_KEYS_CAPACITY + 3);
		assert_int_equal(keys.count, first == 0 ? MESSAGE_KEYS_CAPACITY : 3);
	}
	message_init(&ask, MESSAGE_LIST_KEYS, ++keeper.next_id);
	ask.first = UINT64_MAX;
	assert_ok(message_send(keeper.frontend, &ask, &error), &error);
	assert_ok(message_receive(keeper.frontend, &keys, sizeof keys, NULL, &error), &error);
	assert_int_equal(keys.count, 0);
	(void)stop_keeper(&keeper);
}

/* Of the load that is in service: one that fails changes nothing. */
static void tells_how_many_rows_failed(void **state)
{
	struct keeper_process keeper = start_keeper();

	(void)state;
	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load_with(&keeper, 1, 3).status, LOAD_OK);
	assert_int_equal(ask_health(&keeper).failed_count, 3);
	begin_load(&keeper);
	assert_int_equal(end_load_with(&keeper, 1, 9).status, LOAD_COUNT_WRONG);
	assert_int_equal(ask_health(&keeper).failed_count, 3);
	begin_load(&keeper);
	assert_int_equal(end_load(&keeper, 0).status, LOAD_OK);
	assert_int_equal(ask_health(&keeper).failed_count, 0);
	(void)stop_keeper(&keeper);
}

static void tells_its_health(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign first = attestation_request(&keeper, 5, 6, 1);
	struct message_sign second = attestation_request(&keeper, 6, 7, 1);
	struct message_health_result health = ask_health(&keeper);
	struct message_commit commit;

	(void)state;
	assert_int_equal(health.key_count, 1);
	assert_int_equal(health.slashing_protection, 1);
	assert_false(health.has_commit || health.has_failure || health.ledger_waiting_ms);
	send_request(&keeper, &first);
	commit = receive_commit(&keeper);
	(void)poll(NULL, 0, 50);
	assert_in_range(ask_health(&keeper).ledger_waiting_ms, 50, PATIENCE_S * 1000);
	answer_commit(&keeper, &commit, COMMIT_DURABLE, NULL);
	(void)receive_result(&keeper);
	(void)poll(NULL, 0, 50);
	health = ask_health(&keeper);
	assert_true(health.has_commit && !health.has_failure);
	assert_int_equal(health.ledger_waiting_ms, 0);
	assert_in_range(health.commit_age_ms, 50, PATIENCE_S * 1000);
	send_request(&keeper, &second);
	commit = receive_commit(&keeper);
	answer_commit(&keeper, &commit, COMMIT_FAILED, NULL);
	(void)receive_result(&keeper);
	health = ask_health(&keeper);
	assert_true(health.has_commit && health.has_failure);
	assert_true(health.failure_age_ms < health.commit_age_ms);
	(void)stop_keeper(&keeper);
}

static void ends_when_a_wall_is_broken(void **state)
{
	struct message_load_begin begin;
	struct message_ready stray;
	uint8_t garbage[40] = {MESSAGE_SIGN, 0, 0, 0, 40};
	const struct {
		const void *packet;
		size_t size;
	} packets[] = {
		{&begin, sizeof begin},    /* the frontend may not load keys */
		{&stray, sizeof stray},    /* nor say what only roles say to init */
		{garbage, sizeof garbage}, /* a size that is not the type's */
		{garbage, 3},              /* less than a header */
	};

	(void)state;
	message_init(&begin, MESSAGE_LOAD_BEGIN, 0);
	message_init(&stray, MESSAGE_READY, 0);
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		struct keeper_process keeper = start_loaded_keeper();
		int status;

		assert_int_equal(send(keeper.frontend, packets[i].packet, packets[i].size, 0), packets[i].size);
		status = wait_for_end(&keeper);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	}
}

static void answers_of_the_ledger_must_be_asked_for(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_commit nothing = {.header.id = 7};
	int status;

	(void)state;
	answer_commit(&keeper, &nothing, COMMIT_DURABLE, NULL);
	status = wait_for_end(&keeper);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

/*
 * A ledger that has been silent for longer than a vote can wait: what would have to wait behind the others is refused at once, and spends
 * nothing; a block still has its chance, and overtakes when the ledger is well again.
 */
static void refuses_what_a_silent_ledger_would_answer_too_late(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_commit commits[COMMITS_IN_FLIGHT_MAX];
	struct message_sign waiting, refused, block, behind, again;
	struct message_commit commit;

	(void)state;
	for (uint64_t i = 0; i < COMMITS_IN_FLIGHT_MAX; i++) {
		struct message_sign request = attestation_request(&keeper, 1, 2 + i, 0);

		send_request(&keeper, &request);
		commits[i] = receive_commit(&keeper);
	}
	waiting = attestation_request(&keeper, 1, 200, 0);
	send_request(&keeper, &waiting);
	(void)usleep(2600000);
	refused = attestation_request(&keeper, 1, 300, 1);
	assert_int_equal(sign_at_once(&keeper, &refused).status, SIGN_OVERLOADED);
	block = block_request(&keeper, 5, 0);
	send_request(&keeper, &block);
	/* Behind it on the same socket: when this is answered the keeper has the block. */
	behind = new_request(&keeper, ARTIFACT_RANDAO_REVEAL);
	behind.public_key[5] ^= 1;
	assert_int_equal(sign_at_once(&keeper, &behind).status, SIGN_UNKNOWN_KEY);
	nothing_is_readable(keeper.ledger);
	for (size_t i = 0; i < COMMITS_IN_FLIGHT_MAX; i++) {
		answer_commit(&keeper, &commits[i], COMMIT_DURABLE, NULL);
		assert_int_equal(receive_result(&keeper).status, SIGN_OK);
	}
	commit = receive_commit(&keeper);
	assert_int_equal(commit.duty, DUTY_BLOCK);
	answer_commit(&keeper, &commit, COMMIT_DURABLE, NULL);
	assert_int_equal(receive_result(&keeper).header.id, block.header.id);
	commit = receive_commit(&keeper);
	assert_int_equal(commit.target_epoch, 200);
	answer_commit(&keeper, &commit, COMMIT_DURABLE, NULL);
	assert_int_equal(receive_result(&keeper).header.id, waiting.header.id);
	again = attestation_request(&keeper, 1, 300, 2);
	assert_int_equal(sign_durably(&keeper, &again).status, SIGN_OK);
	(void)stop_keeper(&keeper);
}

static void serves_a_burst(void **state)
{
	enum { BURST = 500 };
	struct keeper_process keeper = start_loaded_keeper();
	bool seen[BURST] = {false};
	pid_t sender;
	uint64_t first_id = keeper.next_id + 1;

	(void)state;
	sender = fork();
	if (sender == 0) {
		for (uint64_t i = 0; i < BURST; i++) {
			struct message_sign request = new_request(&keeper, ARTIFACT_AGGREGATION_SLOT);

			request.object.slot = i;
			send_request(&keeper, &request);
		}
		_exit(0);
	}
	for (size_t i = 0; i < BURST; i++) {
		struct message_sign_result result = receive_result(&keeper);

		assert_int_equal(result.status, SIGN_OK);
		assert_in_range(result.header.id, first_id, first_id + BURST - 1);
		assert_false(seen[result.header.id - first_id]);
		seen[result.header.id - first_id] = true;
	}
	assert_int_equal(waitpid(sender, NULL, 0), sender);
	(void)stop_keeper(&keeper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_each_type),
		cmocka_unit_test(refuses_types_that_no_rule_allows),
		cmocka_unit_test(nothing_leaves_before_it_is_durable),
		cmocka_unit_test(says_why_it_does_not_sign),
		cmocka_unit_test(without_protection_signs_everything),
		cmocka_unit_test(domains_follow_the_request),
		cmocka_unit_test(checks_what_it_loads),
		cmocka_unit_test(a_load_takes_the_place_of_the_last),
		cmocka_unit_test(jobs_of_a_key_that_leaves_are_finished),
		cmocka_unit_test(lists_its_keys),
		cmocka_unit_test(tells_its_health),
		cmocka_unit_test(tells_how_many_rows_failed),
		cmocka_unit_test(ends_when_a_wall_is_broken),
		cmocka_unit_test(answers_of_the_ledger_must_be_asked_for),
		cmocka_unit_test(refuses_what_a_silent_ledger_would_answer_too_late),
		cmocka_unit_test(serves_a_burst),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
