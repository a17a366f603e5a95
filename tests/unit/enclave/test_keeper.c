/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper as it runs: keeper_main() in a child process with its descriptors and its sandbox, and this test in the place of
 * init, frontend, ledger and opener.
 */
#include "enclave/keeper/commits.h"
#include "enclave/role.h"
#include "image/signing_policy.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vectors.h"

/* Above every descriptor that a role has. */
#define PARKING 100
#define PATIENCE_S 20

struct keeper_process {
	pid_t pid;
	int init, frontend, ledger, opener;
	uint64_t next_id;
};

static const uint8_t secret_key[BLS_SECRET_KEY_SIZE] = {[31] = 42};

static void place_fd(int fd, int number)
{
	assert_int_equal(dup2(fd, number), number);
}

/* What the ledger says first: these were deleted. */
static void send_retired(struct keeper_process *keeper, const struct message_keys *retired)
{
	struct message_keys page;
	struct error error = {0};

	message_init(&page, MESSAGE_KEYS, 0);
	if (retired)
		page = *retired;
	assert_ok(message_send(keeper->ledger, &page, &error), &error);
}

/* Of keepers that are started from now on. */
static uint32_t quiet_period_s;

static struct keeper_process start_keeper_after(const struct message_keys *retired, const struct network *network,
						bool slashing_protection, uint32_t signable_types)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct keeper_process keeper = {0};
	struct message_start start;
	struct message_ready ready;
	struct error error = {0};
	int pairs[4][2];
	int *const ours[4] = {&keeper.init, &keeper.frontend, &keeper.ledger, &keeper.opener};
	static const int theirs[4] = {ROLE_FD_INIT, ROLE_FD_FRONTEND, ROLE_FD_LEDGER, ROLE_FD_OPENER};

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pairs[i]), 0);
		*ours[i] = fcntl(pairs[i][0], F_DUPFD_CLOEXEC, PARKING);
		(void)setsockopt(*ours[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		(void)close(pairs[i][0]);
		pairs[i][0] = pairs[i][1];
		pairs[i][1] = fcntl(pairs[i][0], F_DUPFD, PARKING);
		(void)close(pairs[i][0]);
	}
	keeper.pid = fork();
	if (keeper.pid == 0) {
		for (size_t i = 0; i < 4; i++) {
			(void)close(*ours[i]);
			place_fd(pairs[i][1], theirs[i]);
			(void)close(pairs[i][1]);
		}
		(void)close_range(PARKING, ~0u, 0);
		_exit(keeper_main(0, NULL));
	}
	for (size_t i = 0; i < 4; i++)
		(void)close(pairs[i][1]);
	message_init(&start, MESSAGE_START, 0);
	start.network = *network;
	start.slashing_protection = slashing_protection;
	start.signable_types = signable_types;
	start.quiet_period_s = quiet_period_s;
	assert_ok(message_send(keeper.init, &start, &error), &error);
	if (slashing_protection)
		send_retired(&keeper, retired);
	assert_ok(message_receive(keeper.init, &ready, sizeof ready, NULL, &error), &error);
	assert_int_equal(ready.header.type, MESSAGE_READY);
	return keeper;
}

static struct keeper_process start_keeper_for(const struct network *network, bool slashing_protection, uint32_t signable_types)
{
	return start_keeper_after(NULL, network, slashing_protection, signable_types);
}

static struct keeper_process start_keeper_with(const struct network *network, bool slashing_protection)
{
	return start_keeper_for(network, slashing_protection, ARTIFACT_ALL);
}

static struct keeper_process start_keeper_on(const char *name, bool slashing_protection)
{
	struct error error = {0};

	return start_keeper_with(network_find(name, &error), slashing_protection);
}

static struct keeper_process start_keeper(void)
{
	return start_keeper_on("mainnet", true);
}

/* The wait status. The keeper ends when its peers are gone. */
static int stop_keeper(struct keeper_process *keeper)
{
	int status;

	(void)close(keeper->init);
	(void)close(keeper->frontend);
	(void)close(keeper->ledger);
	(void)close(keeper->opener);
	assert_int_equal(waitpid(keeper->pid, &status, 0), keeper->pid);
	return status;
}

static void begin_load(struct keeper_process *keeper)
{
	struct message_load_begin begin;
	struct error error = {0};

	message_init(&begin, MESSAGE_LOAD_BEGIN, 0);
	assert_ok(message_send(keeper->opener, &begin, &error), &error);
}

static void load_key(struct keeper_process *keeper, const uint8_t secret[BLS_SECRET_KEY_SIZE], const uint8_t *claimed_public_key)
{
	struct message_load_key message;
	struct error error = {0};

	message_init(&message, MESSAGE_LOAD_KEY, 0);
	memcpy(message.secret_key, secret, sizeof message.secret_key);
	assert_ok(bls_public_key_derive(secret, message.public_key, &error), &error);
	if (claimed_public_key)
		memcpy(message.public_key, claimed_public_key, sizeof message.public_key);
	assert_ok(message_send(keeper->opener, &message, &error), &error);
}

static struct message_load_result end_load_with(struct keeper_process *keeper, uint64_t count, uint64_t failed_count)
{
	struct message_load_end end;
	struct message_load_result result;
	struct error error = {0};

	message_init(&end, MESSAGE_LOAD_END, ++keeper->next_id);
	end.count = count;
	end.failed_count = failed_count;
	assert_ok(message_send(keeper->opener, &end, &error), &error);
	assert_ok(message_receive(keeper->opener, &result, sizeof result, NULL, &error), &error);
	assert_int_equal(result.header.type, MESSAGE_LOAD_RESULT);
	assert_int_equal(result.header.id, keeper->next_id);
	return result;
}

static struct message_load_result end_load(struct keeper_process *keeper, uint64_t count)
{
	return end_load_with(keeper, count, 0);
}

static struct keeper_process start_loaded_keeper(void)
{
	struct keeper_process keeper = start_keeper();

	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load(&keeper, 1).status, LOAD_OK);
	return keeper;
}

static struct message_sign new_request(struct keeper_process *keeper, enum artifact_type type)
{
	struct message_sign request;
	struct error error = {0};
	const struct network *mainnet = network_find("mainnet", &error);

	message_init(&request, MESSAGE_SIGN, ++keeper->next_id);
	request.artifact_type = type;
	assert_ok(bls_public_key_derive(secret_key, request.public_key, &error), &error);
	memcpy(request.fork_info.genesis_validators_root, mainnet->genesis_validators_root, ROOT_SIZE);
	return request;
}

static struct message_sign attestation_request(struct keeper_process *keeper, uint64_t source, uint64_t target, uint8_t salt)
{
	struct message_sign request = new_request(keeper, ARTIFACT_ATTESTATION);

	request.object.attestation.source.epoch = source;
	request.object.attestation.target.epoch = target;
	request.object.attestation.beacon_block_root[0] = salt;
	return request;
}

static struct message_sign block_request(struct keeper_process *keeper, uint64_t slot, uint8_t salt)
{
	struct message_sign request = new_request(keeper, ARTIFACT_BLOCK);

	request.object.block.slot = slot;
	request.object.block.body_root[0] = salt;
	return request;
}

static void send_request(struct keeper_process *keeper, const struct message_sign *request)
{
	struct error error = {0};

	assert_ok(message_send(keeper->frontend, request, &error), &error);
}

static struct message_sign_result receive_result(struct keeper_process *keeper)
{
	struct message_sign_result result;
	struct error error = {0};

	assert_ok(message_receive(keeper->frontend, &result, sizeof result, NULL, &error), &error);
	assert_int_equal(result.header.type, MESSAGE_SIGN_RESULT);
	return result;
}

static struct message_commit receive_commit(struct keeper_process *keeper)
{
	struct message_commit commit;
	struct error error = {0};

	assert_ok(message_receive(keeper->ledger, &commit, sizeof commit, NULL, &error), &error);
	assert_int_equal(commit.header.type, MESSAGE_COMMIT);
	return commit;
}

static void answer_commit(struct keeper_process *keeper, const struct message_commit *commit, enum commit_status status,
			  const struct watermark *watermark)
{
	struct message_commit_result answer;
	struct error error = {0};

	message_init(&answer, MESSAGE_COMMIT_RESULT, commit->header.id);
	answer.status = status;
	if (watermark)
		answer.watermark = *watermark;
	assert_ok(message_send(keeper->ledger, &answer, &error), &error);
}

/* Ask, have the ledger say "durable" when it is asked, and return the result. */
static struct message_sign_result sign_durably(struct keeper_process *keeper, const struct message_sign *request)
{
	struct message_commit commit;

	send_request(keeper, request);
	commit = receive_commit(keeper);
	answer_commit(keeper, &commit, COMMIT_DURABLE, NULL);
	return receive_result(keeper);
}

static struct message_sign_result sign_at_once(struct keeper_process *keeper, const struct message_sign *request)
{
	send_request(keeper, request);
	return receive_result(keeper);
}

static void assert_signed(const struct message_sign *request, const struct message_sign_result *result)
{
	assert_int_equal(result->status, SIGN_OK);
	assert_int_equal(result->header.id, request->header.id);
	assert_true(bls_verify(request->public_key, view_of(result->signing_root, ROOT_SIZE), result->signature));
}

static void assert_no_signature(const struct message_sign_result *result)
{
	static const uint8_t nothing[BLS_SIGNATURE_SIZE];

	assert_memory_equal(result->signature, nothing, sizeof nothing);
}

static void nothing_is_readable(int fd)
{
	uint8_t byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
}

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

/* A keeper with a key, on a devnet whose forks come at epochs of its own. */
static struct keeper_process start_devnet_keeper(bool learns_root, bool slashing_protection)
{
	struct network devnet = {.name = "devnet",
				 .genesis_validators_root_known = !learns_root,
				 .genesis_validators_root_learned = learns_root,
				 .genesis_validators_root = {[0] = learns_root ? 0 : 7},
				 .slots_per_epoch = 32};
	struct keeper_process keeper = start_keeper_with(&devnet, slashing_protection);

	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load(&keeper, 1).status, LOAD_OK);
	return keeper;
}

static struct message_sign on_chain(uint8_t chain, struct message_sign request)
{
	memset(request.fork_info.genesis_validators_root, 0, ROOT_SIZE);
	request.fork_info.genesis_validators_root[0] = chain;
	return request;
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

static void keep_key(struct keeper_process *keeper, const uint8_t secret[BLS_SECRET_KEY_SIZE])
{
	struct message_load_keep message;
	struct error error = {0};

	message_init(&message, MESSAGE_LOAD_KEEP, 0);
	assert_ok(bls_public_key_derive(secret, message.public_key, &error), &error);
	assert_ok(message_send(keeper->opener, &message, &error), &error);
}

static struct message_sign randao_request(struct keeper_process *keeper, const uint8_t secret[BLS_SECRET_KEY_SIZE])
{
	struct message_sign request = new_request(keeper, ARTIFACT_RANDAO_REVEAL);
	struct error error = {0};

	assert_ok(bls_public_key_derive(secret, request.public_key, &error), &error);
	return request;
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

static int wait_for_end(const struct keeper_process *keeper)
{
	int status;

	assert_int_equal(waitpid(keeper->pid, &status, 0), keeper->pid);
	return status;
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

static void tell_high(const struct keeper_process *keeper, struct high_watermark high)
{
	struct message_high_watermark message;
	struct error error = {0};

	message_init(&message, MESSAGE_HIGH_WATERMARK, 0);
	message.high_watermark = high;
	assert_ok(message_send(keeper->ledger, &message, &error), &error);
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
	(void)usleep(50000);
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

/* The fence may be gone before the keeper hears of it; and still there are no two signatures for one slot. */
static void a_store_that_lies_about_the_high_watermark_gets_one_signature(void **state)
{
	struct keeper_process keeper = start_loaded_keeper();
	struct message_sign requests[] = {block_request(&keeper, 1000, 0), block_request(&keeper, 1000, 1)};
	struct message_sign_result result;
	struct message_commit commits[2];

	(void)state;
	tell_high(&keeper, (struct high_watermark){.has_slot = 1, .slot = 100});
	(void)usleep(50000);
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

static struct message_health_result ask_health(struct keeper_process *keeper)
{
	struct message_health_result health;
	struct message_health ask;
	struct error error = {0};

	message_init(&ask, MESSAGE_HEALTH, ++keeper->next_id);
	assert_ok(message_send(keeper->frontend, &ask, &error), &error);
	assert_ok(message_receive(keeper->frontend, &health, sizeof health, NULL, &error), &error);
	assert_int_equal(health.header.type, MESSAGE_HEALTH_RESULT);
	assert_int_equal(health.header.id, keeper->next_id);
	return health;
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
		cmocka_unit_test(refuses_what_is_slashable),
		cmocka_unit_test(conflicting_requests_in_flight_get_one_signature),
		cmocka_unit_test(believes_the_ledger),
		cmocka_unit_test(says_why_it_does_not_sign),
		cmocka_unit_test(without_protection_signs_everything),
		cmocka_unit_test(the_first_durable_root_is_the_networks),
		cmocka_unit_test(another_chain_spends_nothing_while_learning),
		cmocka_unit_test(without_protection_nothing_is_learned),
		cmocka_unit_test(domains_follow_the_request),
		cmocka_unit_test(checks_what_it_loads),
		cmocka_unit_test(a_load_takes_the_place_of_the_last),
		cmocka_unit_test(jobs_of_a_key_that_leaves_are_finished),
		cmocka_unit_test(what_was_signed_elsewhere_counts),
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
