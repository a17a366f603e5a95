/* SPDX-License-Identifier: Apache-2.0 */
/* RUN/status.json: what the host is doing, for `ensign` and for people. Replaced whole at every change. */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "attestation/nsm.h"
#include "host/key_failures.h"

enum host_state {
	HOST_STATE_WAITING,      /* for the start flag; no enclave runs */
	HOST_STATE_LAUNCHING,    /* the enclave is starting */
	HOST_STATE_PROVISIONING, /* it is opening its keys */
	HOST_STATE_SERVING,
	HOST_STATE_DRAINING, /* it serves, and tells clients to go elsewhere; soon it ends */
	HOST_STATE_BACKOFF,  /* it is not running; the next try comes later */
	HOST_STATE_STOPPED,
	HOST_STATE_COUNT,
};

/* The last reload of keys and TLS material. */
struct host_reload {
	uint64_t number;  /* of reloads so far; 0: none */
	uint64_t time_ms; /* realtime */
	uint64_t added;
	uint64_t removed;
	struct error error; /* ERROR_NONE: it went well */
};

struct host_status {
	enum host_state state;
	uint64_t since_ms;            /* realtime of the last change of state */
	pid_t enclave_pid;            /* 0: none */
	char pcr0[NSM_PCR_TEXT_SIZE]; /* what the launcher knows of it; "": nothing */
	uint64_t key_count;           /* in the enclave, as it says itself */
	struct key_failures failures;
	uint64_t restarts; /* launches after the first */
	/* The last thing that went wrong; it stays after recovery, since that is when people come to look. */
	struct error last_error;
	struct host_reload last_reload;
};

const char *host_state_name(enum host_state state);
MUST_USE bool host_status_write(const struct host_status *status, const char *path, struct error *error);
