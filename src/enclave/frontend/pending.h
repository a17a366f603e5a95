/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that another role was sent and has not answered, by the id in their messages; for any thread. A fixed number, so that a role that
 * does not answer costs no more than that.
 */
#pragma once

#include "base/bytes.h"

/* As ISO C has it, any pointer to a function survives the way through this one; who adds a request knows what it was. */
typedef void pending_answer(void);

struct pending_request {
	uint64_t id; /* 0: free */
	pending_answer *answer;
	void *context;
};

struct pending;

struct pending *pending_new(size_t count);
void pending_free(struct pending *pending); /* accepts NULL; what is still in it is dropped */
/* The id to send with the request. 0: there is no room, or the table is closed. */
uint64_t pending_add(struct pending *pending, pending_answer *answer, void *context);
/* Takes it out, so that it is answered once. False: there is none of this id. */
bool pending_take(struct pending *pending, uint64_t id, struct pending_request *ret_request);
/* Takes any. False: there is none. */
bool pending_take_any(struct pending *pending, struct pending_request *ret_request);
/* From here on nothing is added. */
void pending_close(struct pending *pending);
