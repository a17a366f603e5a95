/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/reload_state.h"

void reload_state_init(struct reload_state *state)
{
	*state = (struct reload_state){0};
	(void)pthread_mutex_init(&state->lock, NULL);
}

void reload_state_done(struct reload_state *state)
{
	(void)pthread_mutex_destroy(&state->lock);
}

/* With the lock held. */
static void end(struct reload_state *state, enum reload_progress progress, const char *failure)
{
	state->progress = progress;
	state->ended_ms = clock_realtime_ms();
	(void)snprintf(state->failure, sizeof state->failure, "%s", failure);
}

static void give_up_if_late(struct reload_state *state)
{
	if (state->progress == RELOAD_RUNNING && clock_monotonic_ms() - state->since_ms > RELOAD_PATIENCE_MS)
		end(state, RELOAD_FAILED, "the host did not carry it out; see the host's log");
}

bool reload_state_begin(struct reload_state *state)
{
	bool begun;

	(void)pthread_mutex_lock(&state->lock);
	give_up_if_late(state);
	begun = state->progress != RELOAD_RUNNING;
	if (begun) {
		state->progress = RELOAD_RUNNING;
		state->since_ms = clock_monotonic_ms();
	}
	(void)pthread_mutex_unlock(&state->lock);
	return begun;
}

void reload_state_end(struct reload_state *state, enum reload_progress progress, const char *failure)
{
	(void)pthread_mutex_lock(&state->lock);
	end(state, progress, failure);
	(void)pthread_mutex_unlock(&state->lock);
}

void reload_state_read(struct reload_state *state, struct reload_state *ret_copy)
{
	(void)pthread_mutex_lock(&state->lock);
	give_up_if_late(state);
	ret_copy->progress = state->progress;
	ret_copy->since_ms = state->since_ms;
	ret_copy->ended_ms = state->ended_ms;
	memcpy(ret_copy->failure, state->failure, sizeof ret_copy->failure);
	(void)pthread_mutex_unlock(&state->lock);
}
