/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: holds the BLS keys and does nothing but sign. It parses no outside bytes (fixed-size structs only), computes
 * domain and signing root itself, applies the slashing rules, waits for the ledger, and answers. One main thread owns keys
 * and watermarks; signing threads only read a secret and write a signature.
 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sys/sysinfo.h>

#include "base/clock.h"
#include "base/log.h"
#include "enclave/keeper/artifacts.h"
#include "enclave/keeper/commits.h"
#include "enclave/keeper/duties.h"
#include "enclave/keeper/keys.h"
#include "enclave/keeper/loads.h"
#include "enclave/keeper/retired.h"
#include "enclave/metrics.h"
#include "enclave/role.h"
#include "enclave/sandbox.h"

/*
 * Messages of one role that are dealt with in one turn: the commits of what comes in one burst reach the ledger together, which makes them
 * durable together, and no role waits long for the others. Fewer than may be on their way to the ledger at one time.
 */
#define MESSAGES_PER_TURN 32
/* While secrets wait for their last job to end, which takes milliseconds. */
#define SWEEP_INTERVAL_MS 10

struct keeper {
	struct network network;
	bool slashing_protection;
	uint32_t quiet_period_s; /* 0: none */
	uint32_t signable_types; /* bits of ARTIFACT_BIT */
	struct keeper_keys *keys;
	struct keeper_loads loads;
	struct keeper_histories histories;
	struct keeper_retired retired;
	struct keeper_queue *queue;
	struct keeper_commits commits;
	struct high_watermark high_watermark; /* as the ledger said last */
};

/* On any thread: a packet is sent whole, so no lock is needed. */
static void send_result(const struct message_sign_result *result)
{
	struct error error = {0};

	/* The frontend being gone ends the keeper in its main loop; here there is nothing left to do. */
	if (!message_send(ROLE_FD_FRONTEND, result, &error))
		log_failure(LOG_LEVEL_ERROR, "result_not_sent", &error);
}

static void send_status(const struct message_sign *request, enum sign_status status)
{
	struct message_sign_result result;

	message_init(&result, MESSAGE_SIGN_RESULT, request->header.id);
	result.status = status;
	send_result(&result);
}

/* Of a type that nothing slashable can be said of as well, as Web3Signer counts. */
static void count_result(const struct keeper *keeper, const struct keeper_job *job)
{
	uint32_t status = job->result.status;
	bool is_prevented =
		status == SIGN_SLASHABLE || status == SIGN_WRONG_NETWORK || status == SIGN_RETIRED || status == SIGN_NO_HISTORY;

	metrics_change(METRIC_QUEUE_DEPTH, (size_t)job->lane, -1);
	if (keeper->slashing_protection && status == SIGN_OK)
		metrics_add(METRIC_PERMITTED_SIGNINGS, 0, 0, 1);
	if (keeper->slashing_protection && is_prevented)
		metrics_add(METRIC_PREVENTED_SIGNINGS, 0, 0, 1);
}

/* On any thread. A job that has a secret gives it back. */
static void finish_job(void *context, const struct keeper_job *job)
{
	struct keeper *keeper = (struct keeper *)context;

	count_result(keeper, job);
	send_result(&job->result);
	if (job->secret_key)
		keeper_keys_release(keeper->keys, job->key_index);
}

/* Until a key without history may begin one by itself; 0: it may now, or there is no quiet period. */
static uint64_t quiet_left_ms(const struct keeper *keeper, const struct keeper_job *job)
{
	uint64_t end_ms = keeper_keys_loaded_ms(keeper->keys, job->key_index) + (uint64_t)keeper->quiet_period_s * 1000;
	uint64_t now_ms = clock_monotonic_ms();

	return keeper->quiet_period_s && now_ms < end_ms ? end_ms - now_ms : 0;
}

/* Until the ledger's first answer nobody here knows which chain is ours. */
static bool is_learning(const struct keeper *keeper)
{
	return keeper->network.genesis_validators_root_learned && !keeper->network.genesis_validators_root_known;
}

/* Answer without a signature. The job is gone afterwards. */
static void refuse(struct keeper *keeper, struct keeper_job *job, uint32_t status)
{
	job->result.status = status;
	job->parts_left = 1;
	keeper_queue_part_done(keeper->queue, job);
}

/*
 * Memory counts the duty from before the ledger is asked: a second, conflicting request that arrives meanwhile is refused here.
 * A repeat goes to the ledger as well, behind the first, so its answer too means "durable". While learning, memory is left alone and
 * the ledger, which judges in order, decides alone: a request of another chain must not spend the key's slots and epochs on ours. It is
 * left alone too for what will be refused by the high watermark, if the ledger's is still the one that we know.
 */
static void submit_duty(struct keeper *keeper, struct keeper_job *job)
{
	struct duty_memory *memory = keeper_keys_memory(keeper->keys, job->key_index);
	const struct watermark *last;
	enum slashing_verdict verdict = duty_memory_check(memory, &job->commit, &last);

	if (keeper_commits_is_hopeless(&keeper->commits, job->lane)) {
		metrics_add(METRIC_JOBS_SHED, (size_t)job->lane, 0, 1);
		refuse(keeper, job, SIGN_OVERLOADED);
		return;
	}
	if (verdict > SLASHING_REPEAT) {
		job->result.verdict = verdict;
		duty_fill_numbers(&job->result, &job->commit, last);
		refuse(keeper, job, SIGN_SLASHABLE);
		return;
	}
	job->is_in_memory = !is_learning(keeper) && !duty_is_above(&keeper->high_watermark, &job->commit);
	if (job->is_in_memory)
		duty_memory_ask(memory, &job->commit);
	keeper_queue_submit(keeper->queue, job, true);
	keeper_commits_submit(&keeper->commits, job);
}

static bool is_of_this_network(const struct keeper *keeper, const struct message_sign *request)
{
	return !keeper->network.genesis_validators_root_known ||
	       memcmp(request->fork_info.genesis_validators_root, keeper->network.genesis_validators_root, ROOT_SIZE) == 0;
}

/* Everything that can be said without a key and without a signature. SIGN_OK: go on. */
static enum sign_status judge_request(const struct keeper *keeper, const struct message_sign *request,
				      const struct keeper_artifact *artifact, const uint8_t signing_root[ROOT_SIZE],
				      size_t *ret_index)
{
	if (request->has_signing_root && memcmp(request->signing_root, signing_root, ROOT_SIZE) != 0)
		return SIGN_ROOT_MISMATCH;
	if (!keeper_keys_find(keeper->keys, request->public_key, ret_index))
		return SIGN_UNKNOWN_KEY;
	if (keeper_retired_has(&keeper->retired, request->public_key))
		return SIGN_RETIRED;
	if (artifact->duty && keeper->slashing_protection && !is_of_this_network(keeper, request))
		return SIGN_WRONG_NETWORK;
	return SIGN_OK;
}

static bool handle_sign(struct keeper *keeper, const union message *message, struct error *error)
{
	const struct message_sign *request = &message->sign;
	const struct keeper_artifact *artifact = keeper_artifact_find(request->artifact_type);
	enum lane lane = lane_of_artifact(request->artifact_type);
	struct keeper_job *job;

	(void)error;
	if (!artifact)
		return send_status(request, SIGN_BAD_REQUEST), true;
	/* The frontend applies the rules; whoever has taken it over still gets nothing that none of them allows. */
	if (!(keeper->signable_types & ARTIFACT_BIT(request->artifact_type)))
		return send_status(request, SIGN_POLICY), true;
	job = keeper_queue_take(keeper->queue, lane);
	if (!job) {
		metrics_add(METRIC_JOBS_SHED, (size_t)lane, 0, 1);
		return send_status(request, SIGN_OVERLOADED), true;
	}
	metrics_change(METRIC_QUEUE_DEPTH, (size_t)lane, 1);
	message_init(&job->result, MESSAGE_SIGN_RESULT, request->header.id);
	keeper_signing_root(artifact, request, &keeper->network, job->result.signing_root);
	job->result.status = judge_request(keeper, request, artifact, job->result.signing_root, &job->key_index);
	if (job->result.status == SIGN_WRONG_NETWORK)
		memcpy(job->result.genesis_validators_root, keeper->network.genesis_validators_root, ROOT_SIZE);
	if (job->result.status != SIGN_OK)
		return refuse(keeper, job, job->result.status), true;
	job->secret_key = keeper_keys_hold(keeper->keys, job->key_index);
	if (!artifact->duty || !keeper->slashing_protection) {
		keeper_queue_submit(keeper->queue, job, false);
		return true;
	}
	duty_fill_commit(&job->commit, request, artifact->duty, job->result.signing_root,
			 keeper_queue_job_number(keeper->queue, job));
	job->commit.may_begin = keeper->quiet_period_s && quiet_left_ms(keeper, job) == 0;
	submit_duty(keeper, job);
	return true;
}

static bool handle_list_keys(struct keeper *keeper, const union message *message, struct error *error)
{
	return keeper_keys_send(keeper->keys, ROLE_FD_FRONTEND, &message->list_keys, error);
}

static bool handle_opener_list_keys(struct keeper *keeper, const union message *message, struct error *error)
{
	return keeper_keys_send(keeper->keys, ROLE_FD_OPENER, &message->list_keys, error);
}

static uint64_t age_ms(uint64_t now_ms, uint64_t then_ms)
{
	return then_ms ? now_ms - then_ms : 0;
}

static bool handle_health(struct keeper *keeper, const union message *message, struct error *error)
{
	uint64_t now_ms = clock_monotonic_ms();
	struct message_health_result result;

	message_init(&result, MESSAGE_HEALTH_RESULT, message->header.id);
	result.key_count = keeper_keys_count(keeper->keys);
	result.failed_count = keeper->loads.failed_count;
	result.slashing_protection = keeper->slashing_protection;
	result.has_commit = keeper->commits.last_durable_ms != 0;
	result.has_failure = keeper->commits.last_failure_ms != 0;
	result.commit_age_ms = age_ms(now_ms, keeper->commits.last_durable_ms);
	result.failure_age_ms = age_ms(now_ms, keeper->commits.last_failure_ms);
	result.ledger_waiting_ms = keeper_commits_silent_ms(&keeper->commits, now_ms);
	result.high_watermark = keeper->high_watermark;
	return message_send(ROLE_FD_FRONTEND, &result, error);
}

static void learn_root(struct keeper *keeper, const uint8_t root[ROOT_SIZE])
{
	memcpy(keeper->network.genesis_validators_root, root, ROOT_SIZE);
	keeper->network.genesis_validators_root_known = true;
}

/* What the ledger's answer says of our chain, when that was not configured. */
static void learn_from_answer(struct keeper *keeper, struct keeper_job *job, const struct message_commit_result *answer)
{
	if (!keeper->network.genesis_validators_root_learned)
		return;
	if (answer->status == COMMIT_WRONG_NETWORK) {
		job->result.status = SIGN_WRONG_NETWORK;
		memcpy(job->result.genesis_validators_root, answer->genesis_validators_root, ROOT_SIZE);
		learn_root(keeper, answer->genesis_validators_root);
	}
	if (answer->status != COMMIT_DURABLE)
		return;
	learn_root(keeper, job->commit.genesis_validators_root);
	/* Commits that were sent while learning are not in memory yet. */
	duty_merge(&keeper_keys_memory(keeper->keys, job->key_index)->known, &answer->watermark);
}

/* The second line holds for what memory did not know yet, too: a store that lies gets no two signatures out of it. */
static void remember_late(struct keeper *keeper, struct keeper_job *job)
{
	struct duty_memory *memory = keeper_keys_memory(keeper->keys, job->key_index);
	const struct watermark *last;
	enum slashing_verdict verdict = duty_memory_check(memory, &job->commit, &last);

	if (verdict <= SLASHING_REPEAT) {
		duty_memory_add(memory, &job->commit);
		return;
	}
	job->result.status = SIGN_SLASHABLE;
	job->result.verdict = verdict;
	duty_fill_numbers(&job->result, &job->commit, last);
}

static void explain_high(const struct keeper *keeper, struct keeper_job *job)
{
	const struct watermark high = {
		.block_slot = keeper->high_watermark.slot,
		.source_epoch = keeper->high_watermark.epoch,
		.target_epoch = keeper->high_watermark.epoch,
	};

	job->result.verdict = job->commit.duty == DUTY_BLOCK ? SLASHING_BLOCK_ABOVE_HIGH : SLASHING_ATTESTATION_ABOVE_HIGH;
	duty_fill_numbers(&job->result, &job->commit, &high);
}

static bool handle_commit_result(struct keeper *keeper, const union message *message, struct error *error)
{
	const struct message_commit_result *answer = &message->commit_result;
	struct keeper_job *job = keeper_commits_answered(&keeper->commits, answer, error);
	enum slashing_verdict verdict;

	if (!job)
		return false;
	if (job->is_in_memory)
		duty_memory_answered(keeper_keys_memory(keeper->keys, job->key_index), &job->commit,
				     answer->status == COMMIT_DURABLE || answer->status == COMMIT_FAILED);
	if (answer->status == COMMIT_CONFLICT) {
		verdict = duty_check(&answer->watermark, &job->commit);
		job->result.status = verdict > SLASHING_REPEAT ? SIGN_SLASHABLE : SIGN_LEDGER_FAILED;
		job->result.verdict = verdict;
		duty_fill_numbers(&job->result, &job->commit, &answer->watermark);
		if (!is_learning(keeper))
			duty_merge(&keeper_keys_memory(keeper->keys, job->key_index)->known, &answer->watermark);
	}
	if (answer->status != COMMIT_DURABLE && answer->status != COMMIT_CONFLICT)
		job->result.status = keeper_commits_refusal(answer->status);
	if (answer->status == COMMIT_NO_HISTORY)
		job->result.quiet_left_ms = quiet_left_ms(keeper, job);
	if (answer->status == COMMIT_ABOVE_HIGH)
		explain_high(keeper, job);
	if (answer->status == COMMIT_DURABLE && !job->is_in_memory)
		remember_late(keeper, job);
	learn_from_answer(keeper, job, answer);
	keeper_queue_part_done(keeper->queue, job);
	return true;
}

static bool ask_history(struct keeper *keeper, int asker_fd, const struct message_history *request, struct error *error)
{
	struct message_history to_ledger;
	struct message_history_result result;

	if (!keeper_histories_allows(asker_fd, request->action))
		return error_set(error, ERROR_PEER, "descriptor %d may not ask for action %u on a history", asker_fd,
				 request->action);
	if (keeper_histories_ask(&keeper->histories, asker_fd, request, &to_ledger, &result))
		return message_send(ROLE_FD_LEDGER, &to_ledger, error) || error_prefix(error, "ledger");
	return message_send(asker_fd, &result, error);
}

static bool handle_history(struct keeper *keeper, const union message *message, struct error *error)
{
	return ask_history(keeper, ROLE_FD_FRONTEND, &message->history, error);
}

static bool handle_opener_history(struct keeper *keeper, const union message *message, struct error *error)
{
	return ask_history(keeper, ROLE_FD_OPENER, &message->history, error);
}

static bool handle_history_result(struct keeper *keeper, const union message *message, struct error *error)
{
	struct message_history_result result;
	int asker_fd;

	return keeper_histories_answer(&keeper->histories, &message->history_result, &asker_fd, &result, error) &&
	       message_send(asker_fd, &result, error);
}

/* A store that could not be asked at the start says later which keys were deleted. */
static bool handle_retired(struct keeper *keeper, const union message *message, struct error *error)
{
	for (size_t i = 0; i < message->keys.count; i++) {
		if (!keeper_retired_add(&keeper->retired, message->keys.keys[i]))
			return error_set(error, ERROR_PEER, "more than %d deleted keys", RETIRED_KEYS_MAX);
	}
	return true;
}

static bool handle_high_watermark(struct keeper *keeper, const union message *message, struct error *error)
{
	(void)error;
	keeper->high_watermark = message->high_watermark.high_watermark;
	return true;
}

static bool handle_load_begin(struct keeper *keeper, const union message *message, struct error *error)
{
	(void)message;
	(void)error;
	keeper_loads_begin(&keeper->loads);
	return true;
}

static bool handle_load_key(struct keeper *keeper, const union message *message, struct error *error)
{
	(void)error;
	keeper_loads_key(&keeper->loads, &message->load_key);
	return true;
}

static bool handle_load_keep(struct keeper *keeper, const union message *message, struct error *error)
{
	(void)error;
	keeper_loads_keep(&keeper->loads, &message->load_keep);
	return true;
}

static bool handle_load_end(struct keeper *keeper, const union message *message, struct error *error)
{
	struct message_load_result result;

	keeper_loads_end(&keeper->loads, &message->load_end, &result);
	if (result.status == LOAD_OK)
		log_info("keys_loaded", "count=%llu added=%llu removed=%llu failed=%llu network=%s slashing_protection=%s",
			 (unsigned long long)result.count, (unsigned long long)result.added, (unsigned long long)result.removed,
			 (unsigned long long)keeper->loads.failed_count, keeper->network.name,
			 keeper->slashing_protection ? "on" : "off");
	return message_send(ROLE_FD_OPENER, &result, error);
}

/* Who may say what: one row a message, checked before anything is done (the idea is OpenSSH's monitor.c). */
static const struct keeper_handler {
	int fd;
	enum message_type type;
	bool (*handle)(struct keeper *keeper, const union message *message, struct error *error);
} handlers[] = {
	{ROLE_FD_FRONTEND, MESSAGE_SIGN, handle_sign},
	{ROLE_FD_FRONTEND, MESSAGE_LIST_KEYS, handle_list_keys},
	{ROLE_FD_FRONTEND, MESSAGE_HEALTH, handle_health},
	{ROLE_FD_FRONTEND, MESSAGE_HISTORY, handle_history},
	{ROLE_FD_LEDGER, MESSAGE_HISTORY_RESULT, handle_history_result},
	{ROLE_FD_OPENER, MESSAGE_LIST_KEYS, handle_opener_list_keys},
	{ROLE_FD_OPENER, MESSAGE_HISTORY, handle_opener_history},
	{ROLE_FD_OPENER, MESSAGE_LOAD_KEEP, handle_load_keep},
	{ROLE_FD_LEDGER, MESSAGE_COMMIT_RESULT, handle_commit_result},
	{ROLE_FD_LEDGER, MESSAGE_KEYS, handle_retired},
	{ROLE_FD_LEDGER, MESSAGE_HIGH_WATERMARK, handle_high_watermark},
	{ROLE_FD_OPENER, MESSAGE_LOAD_BEGIN, handle_load_begin},
	{ROLE_FD_OPENER, MESSAGE_LOAD_KEY, handle_load_key},
	{ROLE_FD_OPENER, MESSAGE_LOAD_END, handle_load_end},
};

static bool handle_message(struct keeper *keeper, int fd, const union message *message, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		if (handlers[i].fd == fd && handlers[i].type == message->header.type)
			return handlers[i].handle(keeper, message, error);
	}
	return error_set(error, ERROR_PEER, "descriptor %d may not send messages of type %u", fd, message->header.type);
}

/* One role's turn. */
static bool serve_role(struct keeper *keeper, int fd, union message *message, struct error *error)
{
	for (unsigned i = 0; i < MESSAGES_PER_TURN; i++) {
		bool ok = message_receive_ready(fd, message, sizeof *message, NULL, error);

		if (!ok && error->code == ERROR_NONE)
			return true;
		ok = ok && handle_message(keeper, fd, message, error);
		if (fd == ROLE_FD_OPENER)
			secret_wipe(&message->load_key, sizeof message->load_key);
		if (!ok)
			return error_prefix(error, "descriptor %d", fd);
	}
	return true;
}

static bool serve(struct keeper *keeper, struct error *error)
{
	struct pollfd fds[] = {
		{ROLE_FD_INIT, POLLIN, 0},
		{ROLE_FD_LEDGER, POLLIN, 0},
		{ROLE_FD_FRONTEND, POLLIN, 0},
		{ROLE_FD_OPENER, POLLIN, 0},
	};
	union message message;

	for (;;) {
		int timeout_ms = keeper_keys_sweep(keeper->keys) > 0 ? SWEEP_INTERVAL_MS : -1;

		metrics_set(METRIC_KEYS_LOADED, 0, keeper_keys_count(keeper->keys));
		metrics_set(METRIC_KEYS_FAILED, 0, keeper->loads.failed_count);

		if (poll(fds, ARRAY_SIZE(fds), timeout_ms) < 0) {
			if (errno == EINTR)
				continue;
			return error_set_errno(error, ERROR_IO, "poll");
		}
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
			if (fds[i].revents && !serve_role(keeper, fds[i].fd, &message, error))
				return false;
		}
		if (!keeper_commits_send_waiting(&keeper->commits, error))
			return false;
	}
}

int keeper_main(int argc, char **argv)
{
	struct keeper *keeper = (struct keeper *)memory_allocate_zeroed(1, sizeof *keeper);
	struct message_start start;
	struct error error = {0};

	(void)argc;
	(void)argv;
	if (!role_begin("keeper", SECRET_HEAP_SIZE_KEEPER, &start, &error))
		return role_failed(&error);
	/* The heaps that malloc gives to further threads open a file of /proc when they shrink, which the sandbox kills for. */
	(void)mallopt(M_ARENA_MAX, 1);
	keeper->network = start.network;
	keeper->slashing_protection = start.slashing_protection != 0;
	keeper->quiet_period_s = start.quiet_period_s;
	keeper->signable_types = start.signable_types;
	keeper->keys = keeper_keys_new();
	keeper->loads = (struct keeper_loads){.keys = keeper->keys};
	keeper->histories = (struct keeper_histories){.keys = keeper->keys,
						      .retired = &keeper->retired,
						      .network = &keeper->network,
						      .slashing_protection = keeper->slashing_protection};
	if (keeper->slashing_protection && !keeper_retired_receive(&keeper->retired, &error))
		return role_failed(&error);
	keeper->queue = keeper_queue_new((unsigned)get_nprocs(), finish_job, keeper, &error);
	keeper->commits.queue = keeper->queue;
	if (!keeper->queue || !sandbox_enter(SANDBOX_KEEPER, &error) || !role_ready(&error))
		return role_failed(&error);
	/* Returns only when a wall is broken: another role is gone, or said what it may not say. */
	(void)serve(keeper, &error);
	return role_failed(&error);
}
