/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call on an enclave's control channel (docs/protocols.md): a frame with a request, a frame with the answer, on a connection of its own.
 * Blocking, with time-outs.
 */
#pragma once

#include "base/json.h"
#include "net/address.h"

/* Connect and send one request; the connection, for the answer. Afterwards the request can be wiped. -1 on failure. */
MUST_USE int control_send(const struct address *address, struct view request, unsigned connect_timeout_ms, struct error *error);
/*
 * The body of an answer's text that has status 200, a new reference; NULL for everything else. What the enclave refuses keeps its own error
 * code, with "enclave: " in front of its message; ERROR_PEER when it answers nonsense.
 */
MUST_USE json_t *control_read_answer(struct view text, struct error *error);
/* 409: what was asked does not fit the enclave's state; a job: another one is under way, so it can be asked again. */
#define CONTROL_STATUS_CONFLICT 409
/* What the enclave sends is not this program's input: a malformed answer is the peer's fault. Returns false. */
bool control_answer_malformed(struct error *error);
/*
 * Both together, for answers of at most max_size bytes. ERROR_PEER also when the enclave is not there or silent. *ret_status (may be NULL) is
 * that of the answer; 0: none came.
 */
MUST_USE json_t *control_call(const struct address *address, struct view request, size_t max_size, unsigned connect_timeout_ms,
			      unsigned answer_timeout_ms, unsigned *ret_status, struct error *error);
/* The same for a job, asked for again for as long as somebody else's is under way, but no longer than busy_timeout_ms. */
MUST_USE json_t *control_call_job(const struct address *address, struct view request, size_t max_size, unsigned busy_timeout_ms,
				  unsigned answer_timeout_ms, struct error *error);
