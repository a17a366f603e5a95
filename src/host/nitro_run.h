/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of an enclave by nitro-cli, from its start to its end, in a thread of its own, for nitro-cli takes seconds. The enclave is no child
 * of ours, and outlives this program when that is killed: the next run finds it by its name, goes on with it when it is of this image, and
 * ends it when it is not.
 */
#pragma once

#include "host/nitro_cli.h"

struct nitro_run;

/* Only begins: what goes wrong later is told as the run's end. `options` must outlive it. NULL on failure. */
MUST_USE struct nitro_run *nitro_run_start(const struct nitro_options *options, struct error *error);
/* Readable once it is over. */
int nitro_run_watch_fd(const struct nitro_run *run);
/* The process of nitro-cli that holds the enclave; 0 while there is none. */
pid_t nitro_run_pid(const struct nitro_run *run);
/* It has sent its heartbeat, or was found running. */
bool nitro_run_is_up(const struct nitro_run *run);
/* PCR0 as nitro-cli says it, lower-case hex; false: it did not, or not yet. */
bool nitro_run_pcr0(const struct nitro_run *run, char ret_pcr0[NITRO_PCR_TEXT_SIZE]);
/* Ends the enclave. */
void nitro_run_stop(struct nitro_run *run);
/* Waits until it is over, and frees. ret_how (may be NULL) says how it ended, for people. Accepts NULL. */
void nitro_run_free(struct nitro_run *run, char *ret_how, size_t size);
