/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of a microVM, from the start of its processes to their end, in a thread of its own: the back end of its vsock, qemu when that is ready, and the
 * answers to its heartbeat. Whichever process ends first takes the other with it.
 */
#pragma once

#include "host/launcher.h"

struct machine_run;

/* Only begins: what goes wrong later is told as the run's end. `options` must outlive it. NULL on failure. */
MUST_USE struct machine_run *machine_run_start(const struct machine_options *options, struct error *error);
/* Readable once it is over. */
int machine_run_watch_fd(const struct machine_run *run);
/* qemu's; 0 while there is none. */
pid_t machine_run_pid(const struct machine_run *run);
/* Kills it: the machine has nothing to save. */
void machine_run_stop(struct machine_run *run);
/* Waits until it is over, and frees. ret_how (may be NULL) says how it ended, for people. Accepts NULL. */
void machine_run_free(struct machine_run *run, char *ret_how, size_t size);
