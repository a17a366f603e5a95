/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end of a unix socket, and what program with what configuration it is. */
#pragma once

#include <sys/types.h>

#include "image/measurement.h"

/* Where an enclave has its measured configuration (docs/protocols.md). */
#define PEER_CONFIGURATION_FD 3

struct peer_process {
	pid_t pid;
	uint64_t start_time_ticks; /* since boot; with the pid it names the process for good */
};

/* The process that connected (SO_PEERCRED), believed to be alive. */
MUST_USE bool peer_identify(int socket_fd, struct peer_process *ret_process, struct error *error);
/*
 * Find the process that connected (SO_PEERCRED), measure its executable and the sealed memfd on its descriptor 3, and make sure
 * that it was the same living process, running the same executable, when the measuring was done. ERROR_POLICY when it is
 * not what it has to be, ERROR_IO when this process may not look at it.
 */
MUST_USE bool peer_measure(int socket_fd, struct peer_process *ret_process, struct measurement *ret_measurement,
			   struct error *error);
