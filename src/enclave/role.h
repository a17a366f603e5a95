/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roles of ensign-enclave. init starts each by re-executing the program with the role's name; a role finds its sockets at
 * the fixed descriptors below, its settings in the first message from init, and returns its exit status.
 */
#pragma once

#include "enclave/messages.h"

enum role_fd {
	ROLE_FD_INIT = 3,     /* SEQPACKET to init, every role */
	ROLE_FD_KEEPER = 4,   /* frontend, ledger, opener: their pair with the keeper */
	ROLE_FD_FRONTEND = 5, /* keeper, opener, control, attester: their pair with the frontend */
	ROLE_FD_LEDGER = 6,   /* keeper, opener: their pair with the ledger */
	ROLE_FD_OPENER = 7,   /* keeper, frontend, control, ledger: their pair with the opener */
	ROLE_FD_LISTEN = 8,   /* frontend: the signing socket, bound, not yet listening; control: the control socket, listening */
	ROLE_FD_NSM = 9,      /* opener, attester */
	ROLE_FD_CONFIGURATION = 10, /* frontend, opener, ledger: the measured configuration, sealed */
	ROLE_FD_STORE = 11,         /* ledger: the folder of the embedded slashing store */
	ROLE_FD_REQUEST = 12,       /* control, opener: the stream for the parent's request */
	ROLE_FD_CONTROL = 13,       /* frontend, opener: their pair with control */
	ROLE_FD_METRICS = 14,       /* every role: enclave/metrics.h */
	ROLE_FD_LOG = 15,           /* control: what all roles log */
	ROLE_FD_ATTESTER = 16,      /* frontend: its pair with the attester */
};

int frontend_main(int argc, char **argv);
int control_main(int argc, char **argv);
int keeper_main(int argc, char **argv);
int ledger_main(int argc, char **argv);
int opener_main(int argc, char **argv);
int attester_main(int argc, char **argv);
int init_main(int argc, char **argv);

/*
 * What every role does first: name its log lines, find its counters, give up core dumps and privileges, reserve protected memory, and wait for
 * its settings from init.
 */
MUST_USE bool role_begin(const char *name, size_t secret_heap_size, struct message_start *ret_start, struct error *error);
/* Tell init that the sandbox is on and the role works. */
MUST_USE bool role_ready(struct error *error);
/* Log the error that ends the role. Returns its exit status. */
int role_failed(const struct error *error);
