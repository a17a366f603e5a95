/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's signing threads. A job has up to two parts that finish in any order, on different threads: the signature, and
 * the ledger's word that the watermark is durable. Whoever finishes the last part hands the job to `finish`, so the
 * signature is computed while the commit runs and never leaves before it.
 */
#pragma once

#include "enclave/keeper/lanes.h"
#include "enclave/messages.h"

struct keeper_job {
	const uint8_t *secret_key; /* held of the keys; NULL: it is refused */
	size_t key_index;
	enum lane lane;
	bool is_with_ledger;               /* the keeper's main thread only: sent to the ledger, not yet answered, */
	uint64_t sent_us;                  /* and when; monotonic */
	bool is_in_memory;                 /* likewise: duty_memory_ask() was told of it */
	struct message_commit commit;      /* when a duty is to be made durable */
	struct message_sign_result result; /* the signature goes in here; wiped unless status is SIGN_OK at the end */
	unsigned parts_left;               /* atomic */
};

struct keeper_queue;

/* Called once a job, on any thread. The job is recycled when it returns. */
typedef void keeper_finish(void *context, const struct keeper_job *job);

/* Starts `threads` signing threads, each on a core of its own as far as there are so many. NULL on failure. */
MUST_USE struct keeper_queue *keeper_queue_new(unsigned threads, keeper_finish *finish, void *context, struct error *error);
/* Waits for the threads; jobs that are not signed are dropped. */
void keeper_queue_free(struct keeper_queue *queue);
/*
 * A job to fill in. NULL: all that this lane may have are busy, or it could not be signed in time, judged by those ahead of it and by how
 * long the last ones took (lane_is_too_late()).
 */
struct keeper_job *keeper_queue_take(struct keeper_queue *queue, enum lane lane);
/* Number of a job, 0 to KEEPER_JOBS_MAX - 1, and back (NULL when out of range). */
uint64_t keeper_queue_job_number(const struct keeper_queue *queue, const struct keeper_job *job);
struct keeper_job *keeper_queue_job_at(struct keeper_queue *queue, uint64_t number);
/* Have it signed; with_ledger: a second part is to be reported by keeper_queue_part_done(). */
void keeper_queue_submit(struct keeper_queue *queue, struct keeper_job *job, bool with_ledger);
void keeper_queue_part_done(struct keeper_queue *queue, struct keeper_job *job);
/* How long a signature took, for the average that take() judges by; the signing threads do it, and tests. */
void keeper_queue_note_duration(struct keeper_queue *queue, uint64_t duration_us);
