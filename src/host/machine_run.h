/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of a microVM (host/launch_thread.h): the back end of its vsock, qemu when that is ready, and the answers to its heartbeat. Whichever
 * process ends first takes the other with it.
 */
#pragma once

#include "host/launch_thread.h"

/* Only begins: what goes wrong later is told as the run's end. `options` must outlive it. NULL on failure. */
MUST_USE struct launch_thread *machine_run_start(const struct machine_options *options, struct error *error);
/* qemu's; 0 while there is none. */
pid_t machine_run_pid(const struct launch_thread *thread);
