/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two background programs of a local signer. Each holds an flock on its pid file for as long as it lives (it inherits the
 * locked descriptor), so a pid file that nobody holds is stale whatever process now has that number, and no stranger is ever
 * signalled.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

struct local_daemon {
	const char *program;     /* path of the executable */
	const char *const *argv; /* NULL-terminated, argv[0] first */
	const char *pid_file;
	const char *log_file; /* its stdout and stderr are appended here */
};

/* True when the daemon of this pid file runs. ret_pid may be NULL. */
MUST_USE bool local_daemon_running(const char *pid_file, pid_t *ret_pid);
/* Start in the background, in its own session, with nothing but PATH, HOME and sanitizer settings in its environment. */
MUST_USE bool local_daemon_start(const struct local_daemon *daemon, pid_t *ret_pid, struct error *error);
/* SIGTERM, up to grace_ms, SIGKILL; true when it is gone (or was never there). ret_killed may be NULL. */
MUST_USE bool local_daemon_stop(const char *pid_file, unsigned grace_ms, bool *ret_killed, struct error *error);

/*
 * Processes of this user that carry `argument` among their arguments: an enclave whose host was killed. Ends them and returns
 * how many there were.
 */
size_t local_daemon_sweep(const char *argument, unsigned grace_ms);
