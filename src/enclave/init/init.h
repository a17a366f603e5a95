/* SPDX-License-Identifier: Apache-2.0 */
/* init's parts: the settings and descriptors it holds (init.c), and starting the roles with just what each needs (roles.c). */
#pragma once

#include <sys/types.h>

#include "attestation/nsm.h"
#include "base/log.h"
#include "enclave/role.h"
#include "image/configuration.h"
#include "net/address.h"

/* Where the launcher puts the measured configuration: a memfd with all write seals. */
#define CONFIGURATION_FD 3

/* In the order in which they are started: the keeper is not ready before the ledger has told it which keys were deleted. */
enum role_id {
	ROLE_LEDGER,
	ROLE_KEEPER,
	ROLE_ATTESTER,
	ROLE_FRONTEND,
	ROLE_CONTROL,
	ROLE_OPENER, /* only while there is something to open */
	ROLE_COUNT,
};

/* Both ends of the pairs between roles; init keeps them so that each opener can be given the last one's ends. */
enum pair_id {
	PAIR_FRONTEND_KEEPER,
	PAIR_FRONTEND_ATTESTER,
	PAIR_LEDGER_KEEPER,
	PAIR_OPENER_LEDGER,
	PAIR_OPENER_KEEPER,
	PAIR_OPENER_FRONTEND,
	PAIR_CONTROL_FRONTEND,
	PAIR_CONTROL_OPENER,
	PAIR_REQUEST, /* control to opener, a stream: the parent's request */
	PAIR_COUNT,
};

struct role_process {
	pid_t pid; /* 0: not running */
	int init_fd;
};

struct init {
	bool is_machine; /* PID 1 of a virtual machine: pid1.h */
	struct configuration configuration;
	int configuration_fd;
	struct address control;
	struct address signing;
	bool nsm_is_device;
	struct address nsm;       /* simulated; unless nsm_is_device */
	struct address heartbeat; /* is_machine: who waits for it */
	const char *kms_relay;    /* address text, passed on */
	const char *table_relay;  /* likewise; NULL: none */
	const char *store_folder;
	int control_fd;
	int signing_fd;
	int store_fd;
	int signal_fd;
	int metrics_fd;              /* enclave/metrics.h */
	int log_fds[2];              /* the pipe that all roles log into, and this one */
	int stderr_fd;               /* the launcher's; 0: still the usual one */
	enum log_format last_format; /* of what goes there at the end */
	bool is_quiet;               /* only the reason goes there */
	int pairs[PAIR_COUNT][2];
	struct role_process roles[ROLE_COUNT];
	uint64_t started_ms;
	struct error opener_failure; /* why the present opener did not get ready; ERROR_NONE: it did */
};

const char *role_name(enum role_id role);
/* NULL on failure. */
MUST_USE struct nsm *init_open_nsm(const struct init *init, struct error *error);
MUST_USE bool init_make_pairs(struct init *init, struct error *error);
/* Start a role, send it START, wait for READY. An opener finds nothing of its predecessors on its sockets. */
MUST_USE bool init_start_role(struct init *init, enum role_id role, struct error *error);
/* From now on init logs into the pipe, and so do the roles that it starts. */
MUST_USE bool init_begin_log(struct init *init, struct error *error);
/* Back to the launcher's standard error, with what is left in the pipe (unless it shall be quiet). After the roles are gone. */
void init_end_log(struct init *init);
/* Kill and reap whatever runs. */
void init_stop_roles(struct init *init);
