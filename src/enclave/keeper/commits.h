/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's side of its pair with the ledger, as far as commits go: which of them are on their way, which wait for a place, how the
 * ledger does. The keeper's main thread only.
 */
#pragma once

#include "enclave/keeper/histories.h"
#include "enclave/keeper/queue.h"

/*
 * Commits on their way to the ledger at one time; with the histories they are 128. Both directions together fit a default socket buffer
 * (208 KiB, some 700 bytes a packet in the kernel's accounting), so keeper and ledger can never wait for each other with both buffers full.
 */
#define COMMITS_IN_FLIGHT_MAX (128 - KEEPER_HISTORIES_MAX)

struct keeper_commits {
	struct keeper_queue *queue; /* borrowed */
	struct lanes waiting;
	size_t in_flight;
	uint64_t average_us; /* from sending a commit to its answer; 0: none was answered yet */
	/* For whoever asks how the ledger does; monotonic, 0: never. */
	uint64_t last_durable_ms;
	uint64_t last_failure_ms;
	uint64_t heard_ms; /* its last answer, or the first question after a time without any */
};

/*
 * Would a commit of this lane be answered too late? Judged by those that wait before it and by how long the last ones took, or how
 * long the ledger has been silent. While there is a place it is never too late: somebody has to find out when a slow ledger is well again.
 */
bool keeper_commits_is_hopeless(const struct keeper_commits *commits, enum lane lane);
/* Have the job's commit sent when its turn comes. */
void keeper_commits_submit(struct keeper_commits *commits, const struct keeper_job *job);
/* The job that this answers. NULL with ERROR_PEER: nobody asked that. */
struct keeper_job *keeper_commits_answered(struct keeper_commits *commits, const struct message_commit_result *answer,
					   struct error *error);
/* Send what waits, as far as there are places: after messages were dealt with. ERROR_PEER: the ledger is gone. */
MUST_USE bool keeper_commits_send_waiting(struct keeper_commits *commits, struct error *error);
/* For how long the ledger has owed an answer; 0: it owes none. */
uint64_t keeper_commits_silent_ms(const struct keeper_commits *commits, uint64_t now_ms);
/* What becomes of a signature whose commit is neither durable nor a conflict. */
enum sign_status keeper_commits_refusal(uint32_t commit_status);
