/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: makes watermarks durable, in groups, and nothing else. Whatever arrived while a commit ran shares the next one, up to the
 * first message of the other kind: commits and histories are groups of their own, in the order in which they came. So a commit
 * that came behind a retirement is judged after the retirement is durable and answered.
 */
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "enclave/ledger/stores.h"
#include "enclave/metrics.h"
#include "enclave/sandbox.h"

/* The keeper has at most this many on their way at one time (COMMITS_IN_FLIGHT_MAX), so one group can take them all. */
#define LEDGER_GROUP_MAX 128

struct ledger {
	struct ledger_stores stores;
	union message next; /* received, and of no group yet */
	bool has_next;
	struct store_commit commits[LEDGER_GROUP_MAX];
	struct store_result results[LEDGER_GROUP_MAX];
	struct store_history histories[LEDGER_GROUP_MAX];
	struct store_history_result history_results[LEDGER_GROUP_MAX];
	uint64_t ids[LEDGER_GROUP_MAX];
	size_t count;         /* of the group, which is all commits or all histories */
	uint64_t high_due_ms; /* monotonic; when a table's high watermark is to be read again */
};

/* What the keeper sends: into a group at its count, the group into the store, the answer to one of it. */
struct kind {
	uint32_t type;
	bool (*add)(struct ledger *ledger, const union message *message);
	bool (*store)(struct ledger *ledger, struct error *error);
	bool (*answer)(const struct ledger *ledger, size_t i, struct error *error);
};

/* ---- commits ---- */

static bool add_commit(struct ledger *ledger, const union message *message)
{
	const struct message_commit *asked = &message->commit;
	struct store_commit *commit = &ledger->commits[ledger->count];

	if (asked->duty != DUTY_BLOCK && asked->duty != DUTY_ATTESTATION)
		return false;
	commit->may_begin = asked->may_begin != 0;
	commit->duty = asked->duty == DUTY_BLOCK ? STORE_DUTY_BLOCK : STORE_DUTY_ATTESTATION;
	commit->slot = asked->slot;
	commit->source_epoch = asked->source_epoch;
	commit->target_epoch = asked->target_epoch;
	memcpy(commit->public_key, asked->public_key, sizeof commit->public_key);
	memcpy(commit->genesis_validators_root, asked->genesis_validators_root, ROOT_SIZE);
	memcpy(commit->signing_root, asked->signing_root, ROOT_SIZE);
	return true;
}

/* Each waited for the whole of its group. */
static void count_commits(const struct ledger *ledger, uint64_t duration_us)
{
	static const enum metrics_commit outcomes[] = {
		[STORE_DURABLE] = METRICS_DURABLE,       [STORE_CONFLICT] = METRICS_CONFLICT,
		[STORE_FAILED] = METRICS_FAILED,         [STORE_WRONG_NETWORK] = METRICS_WRONG_NETWORK,
		[STORE_RETIRED] = METRICS_RETIRED,       [STORE_NO_HISTORY] = METRICS_NO_HISTORY,
		[STORE_ABOVE_HIGH] = METRICS_ABOVE_HIGH,
	};

	metrics_observe(METRIC_GROUP_SIZE, 0, ledger->count);
	for (size_t i = 0; i < ledger->count; i++) {
		bool is_block = ledger->commits[i].duty == STORE_DUTY_BLOCK;

		metrics_observe(METRIC_COMMIT_DURATION, is_block ? METRICS_BLOCK : METRICS_ATTESTATION, duration_us);
		metrics_add(METRIC_COMMITS, outcomes[ledger->results[i].outcome], 0, 1);
	}
}

static bool store_commits(struct ledger *ledger, struct error *error)
{
	uint64_t started_us = clock_monotonic_us();
	bool ok = slashing_store_commit(ledger->stores.store, ledger->commits, ledger->count, ledger->results, error);

	count_commits(ledger, clock_monotonic_us() - started_us);
	return ok;
}

static bool answer_commit(const struct ledger *ledger, size_t i, struct error *error)
{
	static const enum commit_status statuses[] = {
		[STORE_DURABLE] = COMMIT_DURABLE,       [STORE_CONFLICT] = COMMIT_CONFLICT,
		[STORE_FAILED] = COMMIT_FAILED,         [STORE_WRONG_NETWORK] = COMMIT_WRONG_NETWORK,
		[STORE_RETIRED] = COMMIT_RETIRED,       [STORE_NO_HISTORY] = COMMIT_NO_HISTORY,
		[STORE_ABOVE_HIGH] = COMMIT_ABOVE_HIGH,
	};
	const struct store_result *result = &ledger->results[i];
	struct message_commit_result answer;

	message_init(&answer, MESSAGE_COMMIT_RESULT, ledger->ids[i]);
	answer.status = statuses[result->outcome];
	answer.watermark = result->watermark;
	memcpy(answer.genesis_validators_root, result->genesis_validators_root, ROOT_SIZE);
	return message_send(ROLE_FD_KEEPER, &answer, error);
}

/* ---- histories ---- */

static const enum store_action actions[] = {
	[HISTORY_READ] = STORE_READ,           [HISTORY_RAISE] = STORE_RAISE,       [HISTORY_RETIRE] = STORE_RETIRE,
	[HISTORY_ENABLE] = STORE_ENABLE,       [HISTORY_BEGIN] = STORE_BEGIN,       [HISTORY_NEXT] = STORE_NEXT,
	[HISTORY_READ_HIGH] = STORE_READ_HIGH, [HISTORY_SET_HIGH] = STORE_SET_HIGH,
};

/* The watermark comes from outside this process: a bool that is neither 0 nor 1 must not be read as one. */
static bool is_set(const bool *flag)
{
	return *(const unsigned char *)flag != 0;
}

static bool add_history(struct ledger *ledger, const union message *message)
{
	const struct message_history *asked = &message->history;
	struct store_history *history = &ledger->histories[ledger->count];

	if (asked->action >= ARRAY_SIZE(actions) || !actions[asked->action])
		return false;
	*history = (struct store_history){.action = actions[asked->action], .known_only = asked->known_only != 0};
	memcpy(history->public_key, asked->public_key, sizeof history->public_key);
	memcpy(history->genesis_validators_root, asked->genesis_validators_root, ROOT_SIZE);
	history->high = asked->high_watermark;
	if (is_set(&asked->watermark.has_block))
		slashing_record_block(&history->watermark, asked->watermark.block_slot, asked->watermark.block_root);
	if (is_set(&asked->watermark.has_attestation))
		slashing_record_attestation(&history->watermark, asked->watermark.source_epoch, asked->watermark.target_epoch,
					    asked->watermark.attestation_root);
	return true;
}

static bool store_histories(struct ledger *ledger, struct error *error)
{
	return slashing_store_history(ledger->stores.store, ledger->histories, ledger->count, ledger->history_results, error);
}

static bool answer_history(const struct ledger *ledger, size_t i, struct error *error)
{
	static const enum history_status statuses[] = {
		[STORE_DURABLE] = HISTORY_OK,
		[STORE_FAILED] = HISTORY_FAILED,
		[STORE_WRONG_NETWORK] = HISTORY_WRONG_NETWORK,
		[STORE_UNKNOWN] = HISTORY_UNKNOWN,
	};
	const struct store_history_result *result = &ledger->history_results[i];
	struct message_history_result answer;

	message_init(&answer, MESSAGE_HISTORY_RESULT, ledger->ids[i]);
	answer.status = statuses[result->outcome];
	answer.is_retired = result->is_retired;
	answer.is_new = result->is_new;
	answer.origin = result->origin;
	answer.begun_s = result->begun_s;
	memcpy(answer.public_key, result->public_key, sizeof answer.public_key);
	answer.has_root = result->has_root;
	answer.watermark = result->watermark;
	answer.high_watermark = result->high;
	memcpy(answer.genesis_validators_root, result->genesis_validators_root, ROOT_SIZE);
	return message_send(ROLE_FD_KEEPER, &answer, error);
}

/* ---- groups ---- */

static const struct kind kinds[] = {
	{MESSAGE_COMMIT, add_commit, store_commits, answer_commit},
	{MESSAGE_HISTORY, add_history, store_histories, answer_history},
};

static const struct kind *find_kind(uint32_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].type == type)
			return &kinds[i];
	}
	return NULL;
}

/* False: the keeper is gone or talks nonsense; nothing may be there. */
static bool receive_next(struct ledger *ledger, struct error *error)
{
	ledger->has_next = message_receive_ready(ROLE_FD_KEEPER, &ledger->next, sizeof ledger->next, NULL, error);
	return ledger->has_next || error->code == ERROR_NONE || error_prefix(error, "keeper");
}

/* The message that is there, and all of its kind that are there too. NULL: it is none of ours, or the keeper is gone. */
static const struct kind *collect_group(struct ledger *ledger, struct error *error)
{
	const struct kind *kind;

	ledger->count = 0;
	kind = find_kind(ledger->next.header.type);
	while (ledger->has_next && ledger->count < LEDGER_GROUP_MAX && find_kind(ledger->next.header.type) == kind) {
		if (!kind || !kind->add(ledger, &ledger->next))
			return error_set(error, ERROR_PEER, "the keeper sent a message of type %u", ledger->next.header.type), NULL;
		ledger->ids[ledger->count++] = ledger->next.header.id;
		if (!receive_next(ledger, error))
			return NULL;
	}
	return kind;
}

static bool answer_group(const struct ledger *ledger, const struct kind *kind, struct error *error)
{
	for (size_t i = 0; i < ledger->count; i++) {
		if (!kind->answer(ledger, i, error))
			return error_prefix(error, "keeper");
	}
	return true;
}

/* ---- credentials for a table ---- */

static bool handle_opener(struct ledger *ledger, struct error *error)
{
	AUTO_SECRET struct secret memory = {0};
	const struct message_store_credentials *message;
	struct message_store_result result;
	struct error problem = {0};

	if (!secret_init(&memory, sizeof *message, error) ||
	    !message_receive(ROLE_FD_OPENER, memory.data, memory.size, NULL, error))
		return error_prefix(error, "opener");
	message = (const struct message_store_credentials *)(const void *)memory.data;
	if (message->header.type != MESSAGE_STORE_CREDENTIALS)
		return error_set(error, ERROR_PEER, "opener: message of type %u", message->header.type);
	message_init(&result, MESSAGE_STORE_RESULT, message->header.id);
	if (!ledger_stores_take_credentials(&ledger->stores, message, &problem)) {
		log_failure(LOG_LEVEL_ERROR, "slashing_table_failed", &problem);
		result.code = problem.code;
		memcpy(result.message, problem.message, sizeof result.message);
	}
	return message_send(ROLE_FD_OPENER, &result, error) || error_prefix(error, "opener");
}

/* ---- the high watermark of a table, between two groups ---- */

static int idle_ms(const struct ledger *ledger)
{
	uint64_t now_ms = clock_monotonic_ms();

	if (!ledger->stores.is_remote)
		return -1;
	return ledger->high_due_ms > now_ms ? (int)(ledger->high_due_ms - now_ms) : 0;
}

static bool use_idleness(struct ledger *ledger, struct error *error)
{
	ledger->high_due_ms = clock_monotonic_ms() + LEDGER_HIGH_AGE_MS;
	return ledger_stores_tell_high(&ledger->stores, 0, error);
}

/* ---- the loop ---- */

/* The keeper's next one, or credentials, which are dealt with at once. */
static bool wait_for_message(struct ledger *ledger, struct error *error)
{
	struct pollfd fds[] = {{ROLE_FD_KEEPER, POLLIN, 0},
			       {ROLE_FD_INIT, POLLIN, 0},
			       {ledger->stores.is_remote ? ROLE_FD_OPENER : -1, POLLIN, 0}};

	for (;;) {
		int ready = poll(fds, ARRAY_SIZE(fds), idle_ms(ledger));

		if (ready < 0 && errno != EINTR)
			return error_set_errno(error, ERROR_IO, "poll");
		if (ready > 0)
			break;
		if (ready == 0 && !use_idleness(ledger, error))
			return false;
	}
	if (fds[1].revents)
		return error_set(error, ERROR_PEER, "init is gone");
	if (fds[2].revents && !handle_opener(ledger, error))
		return false;
	return !fds[0].revents || receive_next(ledger, error);
}

static bool serve_group(struct ledger *ledger, struct error *error)
{
	const struct kind *kind = collect_group(ledger, error);
	struct error problem = {0};

	if (!kind)
		return false;
	if (!kind->store(ledger, &problem))
		log_failure(LOG_LEVEL_ERROR, "commit_failed", &problem);
	/* What it is judged by, before the answer that says so. */
	return ledger_stores_tell_high(&ledger->stores, UINT64_MAX, error) && answer_group(ledger, kind, error);
}

static bool serve(struct ledger *ledger, struct error *error)
{
	for (;;) {
		if (!ledger->has_next && !wait_for_message(ledger, error))
			return false;
		if (ledger->has_next && !serve_group(ledger, error))
			return false;
	}
}

int ledger_main(int argc, char **argv)
{
	struct ledger *ledger = (struct ledger *)memory_allocate_zeroed(1, sizeof *ledger);
	struct message_start start;
	struct error error = {0};

	if (!role_begin("ledger", SECRET_HEAP_SIZE_DEFAULT, &start, &error) ||
	    !ledger_stores_open(&ledger->stores, argc, argv, &start, &error) ||
	    !sandbox_enter(ledger->stores.is_remote ? SANDBOX_LEDGER_REMOTE : SANDBOX_LEDGER, &error) || !role_ready(&error))
		return role_failed(&error);
	/* After READY, for the keeper is started only then. Without slashing protection it has nothing to do with a ledger. */
	if (start.slashing_protection &&
	    (!ledger_stores_tell_retired(&ledger->stores, &error) || !ledger_stores_tell_high(&ledger->stores, UINT64_MAX, &error)))
		return role_failed(&error);
	(void)serve(ledger, &error);
	ledger_stores_done(&ledger->stores);
	return role_failed(&error);
}
