/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/commits.h"

#include "base/clock.h"
#include "enclave/role.h"

uint64_t keeper_commits_silent_ms(const struct keeper_commits *commits, uint64_t now_ms)
{
	return commits->in_flight > 0 ? now_ms - commits->heard_ms : 0;
}

bool keeper_commits_is_hopeless(const struct keeper_commits *commits, enum lane lane)
{
	uint64_t answer_us = commits->average_us;
	uint64_t silent_us;

	if (commits->in_flight < COMMITS_IN_FLIGHT_MAX)
		return false;
	silent_us = keeper_commits_silent_ms(commits, clock_monotonic_ms()) * 1000;
	if (answer_us < silent_us)
		answer_us = silent_us;
	return lane_is_too_late(lane, answer_us + answer_us * lanes_count(&commits->waiting, lane) / COMMITS_IN_FLIGHT_MAX);
}

bool keeper_commits_send_waiting(struct keeper_commits *commits, struct error *error)
{
	uint32_t number;

	while (commits->in_flight < COMMITS_IN_FLIGHT_MAX && lanes_take(&commits->waiting, &number)) {
		struct keeper_job *job = keeper_queue_job_at(commits->queue, number);

		if (commits->in_flight++ == 0)
			commits->heard_ms = clock_monotonic_ms();
		job->is_with_ledger = true;
		job->sent_us = clock_monotonic_us();
		if (!message_send(ROLE_FD_LEDGER, &job->commit, error))
			return error_prefix(error, "ledger");
	}
	return true;
}

void keeper_commits_submit(struct keeper_commits *commits, const struct keeper_job *job)
{
	lanes_put(&commits->waiting, job->lane, (uint32_t)keeper_queue_job_number(commits->queue, job));
}

struct keeper_job *keeper_commits_answered(struct keeper_commits *commits, const struct message_commit_result *answer,
					   struct error *error)
{
	struct keeper_job *job = keeper_queue_job_at(commits->queue, answer->header.id);

	if (!job || !job->is_with_ledger)
		return error_set(error, ERROR_PEER, "the ledger answers what was not asked"), NULL;
	job->is_with_ledger = false;
	commits->in_flight--;
	commits->average_us = moving_average(commits->average_us, clock_monotonic_us() - job->sent_us);
	commits->heard_ms = clock_monotonic_ms();
	if (answer->status == COMMIT_DURABLE)
		commits->last_durable_ms = commits->heard_ms;
	else if (answer->status == COMMIT_FAILED)
		commits->last_failure_ms = commits->heard_ms;
	return job;
}

enum sign_status keeper_commits_refusal(uint32_t commit_status)
{
	if (commit_status == COMMIT_NO_HISTORY)
		return SIGN_NO_HISTORY;
	if (commit_status == COMMIT_ABOVE_HIGH)
		return SIGN_SLASHABLE;
	return commit_status == COMMIT_RETIRED ? SIGN_RETIRED : SIGN_LEDGER_FAILED;
}
