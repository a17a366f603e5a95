/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor has to tell: in RUN/status.json, in the log, and to whoever wants to know that it is another. */
#pragma once

#include "host/control_client.h"
#include "host/host_status.h"

struct host_reporter {
	struct host_status status;
	const char *path;               /* of status.json; borrowed */
	void (*changed)(void *context); /* the status is another; NULL: nobody asks */
	void *context;
};

/* Writes the file. That it cannot be written is told in the log, and no reason to stop. */
void host_reporter_write(struct host_reporter *reporter);
void host_reporter_set_state(struct host_reporter *reporter, enum host_state state);
/* Something went wrong: it stays in the file until something else does. */
void host_reporter_record(struct host_reporter *reporter, const char *event, const struct error *error);
/* The keys in the enclave, as it says itself; `state` NULL: it is gone. */
void host_reporter_note_keys(struct host_reporter *reporter, const struct control_state *state);
/* A reload came to an end; `problem` NULL: a good one. */
void host_reporter_note_reload(struct host_reporter *reporter, const struct control_state *state, const struct error *problem);
