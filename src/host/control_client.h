/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's end of the control channel (docs/protocols.md). Blocking, with time-outs; a fresh connection for every call. */
#pragma once

#include "host/key_failures.h"
#include "net/control_call.h"
#include "net/frame.h"
#include "tables/key_table.h"

/*
 * An answer is a few numbers, an error message, a batch of log lines or a page of metrics, of which there are some 1,500 series. The enclave is
 * the trusted side, but it is no reason to be careless.
 */
#define CONTROL_ANSWER_MAX_SIZE 262144u

struct control_state {
	bool initialized;
	uint64_t key_count;
	/* What the enclave wants of the host. */
	bool wants_reload;     /* read the tables again */
	bool wants_credential; /* for the slashing table, before the last ones expire */
	bool wants_import;     /* store keys that the key manager was given */
	/* Keys that the key manager deleted, 96 lower-case hex digits each. */
	size_t forget_count;
	char forget[CONTROL_FORGET_LISTED_MAX][KEY_TABLE_PUBKEY_SIZE];
	struct key_failures failures; /* rows of the key table that the enclave passed over */
	/* Of a reload, else 0. */
	uint64_t added;
	uint64_t removed;
};

/*
 * Wait for the answer. What the enclave refuses keeps its own error code, with "enclave: " in front of its message; ERROR_PEER
 * when it is silent or answers nonsense.
 */
MUST_USE bool control_receive(int fd, unsigned timeout_ms, struct control_state *ret_state, struct error *error);
/* `init_state`, with one time-out for connecting and one for the answer. */
MUST_USE bool control_init_state(const struct address *address, unsigned timeout_ms, struct control_state *ret_state,
				 struct error *error);
/* `drain`, likewise: the enclave signs on, but its health checks fail and its connections end. */
MUST_USE bool control_drain(const struct address *address, unsigned timeout_ms, struct control_state *ret_state,
			    struct error *error);
/* Pure: reads {"status":…,"body":…}. */
MUST_USE bool control_parse_answer(struct view answer, struct control_state *ret_state, struct error *error);
