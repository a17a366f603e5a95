/* SPDX-License-Identifier: Apache-2.0 */
/* What /reload knows: whether one is under way, and how the last one ended. For any thread. */
#pragma once

#include <pthread.h>

#include "base/clock.h"
#include "enclave/messages.h"

/*
 * The host asks for wishes every second, and a reload that opens nothing takes milliseconds, one of a thousand keystores minutes. After this
 * nobody waits for it any more, but should it end all the same, that counts.
 */
#define RELOAD_PATIENCE_MS 600000

enum reload_progress {
	RELOAD_IDLE,
	RELOAD_RUNNING,
	RELOAD_COMPLETED,
	RELOAD_WITH_ERRORS, /* it is in service, but rows were passed over */
	RELOAD_FAILED,
};

struct reload_state {
	pthread_mutex_t lock;
	enum reload_progress progress;
	uint64_t since_ms;                /* monotonic; RUNNING */
	uint64_t ended_ms;                /* realtime; 0: never */
	char failure[ERROR_MESSAGE_SIZE]; /* FAILED, WITH_ERRORS: of the first row that was passed over */
};

void reload_state_init(struct reload_state *state);
void reload_state_done(struct reload_state *state);
/* False: one is under way. */
MUST_USE bool reload_state_begin(struct reload_state *state);
/* `failure` is "" when it went well. */
void reload_state_end(struct reload_state *state, enum reload_progress progress, const char *failure);
/* The lock and its owner's thread aside, a copy of it as it is now. */
void reload_state_read(struct reload_state *state, struct reload_state *ret_copy);
