/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of an enclave by nitro-cli (host/launch_thread.h). The enclave is no child of ours, and outlives this program when that is killed: the
 * next run finds it by its name, goes on with it when it is of this image, and ends it when it is not.
 */
#pragma once

#include "host/launch_thread.h"
#include "host/nitro_cli.h"

/* Only begins: what goes wrong later is told as the run's end. `options` must outlive it. NULL on failure. */
MUST_USE struct launch_thread *nitro_run_start(const struct nitro_options *options, struct error *error);
/* What nitro-cli says of the enclave, as soon as it has sent its heartbeat or was found running. False: not yet, or not any more. */
bool nitro_run_enclave(struct launch_thread *thread, struct nitro_enclave *ret_enclave);
