/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs that wait, by lane: who is next, and who had better not wait at all. Used where jobs wait for a signing thread and where they
 * wait for the ledger. No lock: it is the caller's.
 */
#pragma once

#include "base/error.h"
#include "enclave/lane.h"

/*
 * Jobs at one time: a burst of 100,000 keys is 3,300 attestations. Beyond it the client hears "overloaded" and tries again,
 * which beats a queue that answers after the slot is over.
 */
#define KEEPER_JOBS_MAX 4096

/* First in, first out, of job numbers; as long as there are jobs, so it is never full. {0} is empty. */
struct job_ring {
	uint32_t numbers[KEEPER_JOBS_MAX];
	size_t first;
	size_t count;
};

void job_ring_put(struct job_ring *ring, uint32_t number);
uint32_t job_ring_take(struct job_ring *ring); /* of one that is not empty */

struct lanes {
	struct job_ring rings[LANE_COUNT];
	unsigned in_a_row[LANE_COUNT]; /* taken while others waited */
};

void lanes_put(struct lanes *lanes, enum lane lane, uint32_t number);
/*
 * The number of the next job: of the first lane that has one, but after some in a row one of those behind it has its turn, so a client
 * that asks for nothing but RANDAO reveals cannot stop the attestations of the rest. False: none waits.
 */
MUST_USE bool lanes_take(struct lanes *lanes, uint32_t *ret_number);
/* Which that would be; nothing is taken. */
MUST_USE bool lanes_peek(const struct lanes *lanes, uint32_t *ret_number);
/* How many wait in this lane and in those before it: whoever comes to it now waits for them. */
size_t lanes_count(const struct lanes *lanes, enum lane lane);

/*
 * Would a job of this lane that has to wait so long come too late? A client that hears so at once can ask again, or another signer;
 * one that waits loses the slot.
 */
bool lane_is_too_late(enum lane lane, uint64_t wait_us);

/* A moving average of how long the last few took; 0: there was none yet. */
uint64_t moving_average(uint64_t average_us, uint64_t last_us);
