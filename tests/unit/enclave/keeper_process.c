/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Above every descriptor that a role has. */
#define PARKING 100

const uint8_t secret_key[BLS_SECRET_KEY_SIZE] = {[31] = 42};
uint32_t quiet_period_s;

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

struct keeper_process start_keeper_after(const struct message_keys *retired, const struct network *network,
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

struct keeper_process start_keeper_for(const struct network *network, bool slashing_protection, uint32_t signable_types)
{
	return start_keeper_after(NULL, network, slashing_protection, signable_types);
}

struct keeper_process start_keeper_with(const struct network *network, bool slashing_protection)
{
	return start_keeper_for(network, slashing_protection, ARTIFACT_ALL);
}

struct keeper_process start_keeper_on(const char *name, bool slashing_protection)
{
	struct error error = {0};

	return start_keeper_with(network_find(name, &error), slashing_protection);
}

struct keeper_process start_keeper(void)
{
	return start_keeper_on("mainnet", true);
}

int stop_keeper(struct keeper_process *keeper)
{
	int status;

	(void)close(keeper->init);
	(void)close(keeper->frontend);
	(void)close(keeper->ledger);
	(void)close(keeper->opener);
	assert_int_equal(waitpid(keeper->pid, &status, 0), keeper->pid);
	return status;
}

void begin_load(struct keeper_process *keeper)
{
	struct message_load_begin begin;
	struct error error = {0};

	message_init(&begin, MESSAGE_LOAD_BEGIN, 0);
	assert_ok(message_send(keeper->opener, &begin, &error), &error);
}

void load_key(struct keeper_process *keeper, const uint8_t secret[BLS_SECRET_KEY_SIZE], const uint8_t *claimed_public_key)
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

struct message_load_result end_load_with(struct keeper_process *keeper, uint64_t count, uint64_t failed_count)
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

struct message_load_result end_load(struct keeper_process *keeper, uint64_t count)
{
	return end_load_with(keeper, count, 0);
}

struct keeper_process start_loaded_keeper(void)
{
	struct keeper_process keeper = start_keeper();

	begin_load(&keeper);
	load_key(&keeper, secret_key, NULL);
	assert_int_equal(end_load(&keeper, 1).status, LOAD_OK);
	return keeper;
}

struct message_sign new_request(struct keeper_process *keeper, enum artifact_type type)
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

struct message_sign attestation_request(struct keeper_process *keeper, uint64_t source, uint64_t target, uint8_t salt)
{
	struct message_sign request = new_request(keeper, ARTIFACT_ATTESTATION);

	request.object.attestation.source.epoch = source;
	request.object.attestation.target.epoch = target;
	request.object.attestation.beacon_block_root[0] = salt;
	return request;
}

struct message_sign block_request(struct keeper_process *keeper, uint64_t slot, uint8_t salt)
{
	struct message_sign request = new_request(keeper, ARTIFACT_BLOCK);

	request.object.block.slot = slot;
	request.object.block.body_root[0] = salt;
	return request;
}

void send_request(struct keeper_process *keeper, const struct message_sign *request)
{
	struct error error = {0};

	assert_ok(message_send(keeper->frontend, request, &error), &error);
}

struct message_sign_result receive_result(struct keeper_process *keeper)
{
	struct message_sign_result result;
	struct error error = {0};

	assert_ok(message_receive(keeper->frontend, &result, sizeof result, NULL, &error), &error);
	assert_int_equal(result.header.type, MESSAGE_SIGN_RESULT);
	return result;
}

struct message_commit receive_commit(struct keeper_process *keeper)
{
	struct message_commit commit;
	struct error error = {0};

	assert_ok(message_receive(keeper->ledger, &commit, sizeof commit, NULL, &error), &error);
	assert_int_equal(commit.header.type, MESSAGE_COMMIT);
	return commit;
}

void answer_commit(struct keeper_process *keeper, const struct message_commit *commit, enum commit_status status,
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

struct message_sign_result sign_at_once(struct keeper_process *keeper, const struct message_sign *request)
{
	send_request(keeper, request);
	return receive_result(keeper);
}

void assert_no_signature(const struct message_sign_result *result)
{
	static const uint8_t nothing[BLS_SIGNATURE_SIZE];

	assert_memory_equal(result->signature, nothing, sizeof nothing);
}

void nothing_is_readable(int fd)
{
	uint8_t byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
}

void keep_key(struct keeper_process *keeper, const uint8_t secret[BLS_SECRET_KEY_SIZE])
{
	struct message_load_keep message;
	struct error error = {0};

	message_init(&message, MESSAGE_LOAD_KEEP, 0);
	assert_ok(bls_public_key_derive(secret, message.public_key, &error), &error);
	assert_ok(message_send(keeper->opener, &message, &error), &error);
}

struct message_sign randao_request(struct keeper_process *keeper, const uint8_t secret[BLS_SECRET_KEY_SIZE])
{
	struct message_sign request = new_request(keeper, ARTIFACT_RANDAO_REVEAL);
	struct error error = {0};

	assert_ok(bls_public_key_derive(secret, request.public_key, &error), &error);
	return request;
}

int wait_for_end(const struct keeper_process *keeper)
{
	int status;

	assert_int_equal(waitpid(keeper->pid, &status, 0), keeper->pid);
	return status;
}

struct message_health_result ask_health(struct keeper_process *keeper)
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

struct message_sign_result sign_durably(struct keeper_process *keeper, const struct message_sign *request)
{
	struct message_commit commit;

	send_request(keeper, request);
	commit = receive_commit(keeper);
	answer_commit(keeper, &commit, COMMIT_DURABLE, NULL);
	return receive_result(keeper);
}

void assert_signed(const struct message_sign *request, const struct message_sign_result *result)
{
	assert_int_equal(result->status, SIGN_OK);
	assert_int_equal(result->header.id, request->header.id);
	assert_true(bls_verify(request->public_key, view_of(result->signing_root, ROOT_SIZE), result->signature));
}

struct keeper_process start_devnet_keeper(bool learns_root, bool slashing_protection)
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

struct message_sign on_chain(uint8_t chain, struct message_sign request)
{
	memset(request.fork_info.genesis_validators_root, 0, ROOT_SIZE);
	request.fork_info.genesis_validators_root[0] = chain;
	return request;
}
