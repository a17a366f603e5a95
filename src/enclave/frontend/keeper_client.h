/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frontend's side of its pair with the keeper: many requests under way at once from any thread, one thread that hands out
 * the answers. It never waits for the keeper on a caller's thread: what the socket does not take at once is queued by
 * lane, so that a block is not behind a burst of votes, and bounded by the number of requests that may be under way.
 */
#pragma once

#include "enclave/messages.h"

struct keeper_client;

/*
 * Called exactly once for every request that was taken, on the client's thread, and never with a lock held, so it may send
 * again. `answer` is borrowed; it is NULL when there is none, and `error` then says why (ERROR_PEER: the keeper is gone or did not
 * answer in time).
 */
typedef void keeper_answer(void *context, const union message *answer, const struct error *error);

struct keeper_client_options {
	int fd;               /* borrowed; made non-blocking */
	size_t capacity;      /* requests under way at one time, at most KEEPER_CLIENT_CAPACITY_MAX */
	unsigned deadline_ms; /* from taking a request to its answer */
};

#define KEEPER_CLIENT_CAPACITY_MAX 65536 /* the place in the table is 16 bits of a request's id */

MUST_USE struct keeper_client *keeper_client_new(const struct keeper_client_options *options, struct error *error);
/*
 * Send one MESSAGE_SIGN, MESSAGE_LIST_KEYS, MESSAGE_HEALTH or MESSAGE_HISTORY; its header's id is chosen here. True: taken, the
 * answer will come (it may come before this returns). ERROR_PEER: the keeper is gone, or too many requests are under way.
 */
MUST_USE bool keeper_client_send(struct keeper_client *client, void *message, keeper_answer *answer, void *context,
				 struct error *error);
/* Stop: everything under way is answered with an error, sending fails from now on. Idempotent; not on the client's thread. */
void keeper_client_close(struct keeper_client *client);
/* Closes and frees; accepts NULL. Nobody may send any more. */
void keeper_client_free(struct keeper_client *client);
