/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: makes watermarks durable, in groups, and nothing else. Whatever arrived while a commit ran shares the next one.
 */
#include <errno.h>
#include <poll.h>

#include "base/log.h"
#include "enclave/role.h"
#include "enclave/sandbox.h"
#include "slashing/store.h"

/* The keeper has at most this many on their way at one time (COMMITS_IN_FLIGHT_MAX), so one group can take them all. */
#define LEDGER_GROUP_MAX 128

struct ledger {
	struct slashing_store *store;
	struct store_commit commits[LEDGER_GROUP_MAX];
	struct store_result results[LEDGER_GROUP_MAX];
	uint64_t ids[LEDGER_GROUP_MAX];
	size_t count;
};

static bool add_commit(struct ledger *ledger, const union message *message, struct error *error)
{
	const struct message_commit *asked = &message->commit;
	struct store_commit *commit = &ledger->commits[ledger->count];

	if (asked->header.type != MESSAGE_COMMIT || (asked->duty != DUTY_BLOCK && asked->duty != DUTY_ATTESTATION))
		return error_set(error, ERROR_PEER, "the keeper sent a message of type %u", asked->header.type);
	commit->duty = asked->duty == DUTY_BLOCK ? STORE_DUTY_BLOCK : STORE_DUTY_ATTESTATION;
	commit->slot = asked->slot;
	commit->source_epoch = asked->source_epoch;
	commit->target_epoch = asked->target_epoch;
	memcpy(commit->public_key, asked->public_key, sizeof commit->public_key);
	memcpy(commit->genesis_validators_root, asked->genesis_validators_root, ROOT_SIZE);
	memcpy(commit->signing_root, asked->signing_root, ROOT_SIZE);
	ledger->ids[ledger->count++] = asked->header.id;
	return true;
}

static bool wait_readable(struct error *error)
{
	struct pollfd fds[] = {{ROLE_FD_KEEPER, POLLIN, 0}, {ROLE_FD_INIT, POLLIN, 0}};

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
		if (errno != EINTR)
			return error_set_errno(error, ERROR_IO, "poll");
	}
	if (fds[1].revents)
		return error_set(error, ERROR_PEER, "init is gone");
	return true;
}

/* Wait for the first commit, then take all that are there already. */
static bool collect_group(struct ledger *ledger, struct error *error)
{
	union message message;

	ledger->count = 0;
	if (!wait_readable(error))
		return false;
	while (ledger->count < LEDGER_GROUP_MAX) {
		struct pollfd more = {ROLE_FD_KEEPER, POLLIN, 0};

		if (ledger->count > 0 && poll(&more, 1, 0) <= 0)
			return true;
		if (!message_receive(ROLE_FD_KEEPER, &message, sizeof message, NULL, error) || !add_commit(ledger, &message, error))
			return error_prefix(error, "keeper");
	}
	return true;
}

static bool answer_group(struct ledger *ledger, struct error *error)
{
	static const enum commit_status statuses[] = {
		[STORE_DURABLE] = COMMIT_DURABLE,
		[STORE_CONFLICT] = COMMIT_CONFLICT,
		[STORE_FAILED] = COMMIT_FAILED,
		[STORE_WRONG_NETWORK] = COMMIT_WRONG_NETWORK,
	};

	for (size_t i = 0; i < ledger->count; i++) {
		struct message_commit_result answer;

		message_init(&answer, MESSAGE_COMMIT_RESULT, ledger->ids[i]);
		answer.status = statuses[ledger->results[i].outcome];
		answer.watermark = ledger->results[i].watermark;
		memcpy(answer.genesis_validators_root, ledger->results[i].genesis_validators_root, ROOT_SIZE);
		if (!message_send(ROLE_FD_KEEPER, &answer, error))
			return error_prefix(error, "keeper");
	}
	return true;
}

static bool serve(struct ledger *ledger, struct error *error)
{
	for (;;) {
		struct error problem = {0};

		if (!collect_group(ledger, error))
			return false;
		if (!slashing_store_commit(ledger->store, ledger->commits, ledger->count, ledger->results, &problem))
			log_failure(LOG_LEVEL_ERROR, "commit_failed", &problem);
		if (!answer_group(ledger, error))
			return false;
	}
}

int ledger_main(int argc, char **argv)
{
	struct ledger *ledger = (struct ledger *)memory_allocate_zeroed(1, sizeof *ledger);
	struct message_start start;
	struct error error = {0};

	(void)argc;
	(void)argv;
	if (!role_begin("ledger", SECRET_HEAP_SIZE_DEFAULT, &start, &error))
		return role_failed(&error);
	ledger->store = slashing_store_open_sqlite(ROLE_FD_STORE, &error);
	if (ledger->store && start.network.genesis_validators_root_learned)
		slashing_store_learn_root(ledger->store);
	if (!ledger->store || !sandbox_enter(SANDBOX_LEDGER, &error) || !role_ready(&error))
		return role_failed(&error);
	(void)serve(ledger, &error);
	slashing_store_free(ledger->store);
	return role_failed(&error);
}
