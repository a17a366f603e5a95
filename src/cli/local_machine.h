/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A local signer whose enclave is a machine of its own (`ensign local up --launcher qemu`): its image, the programs that run it, and what must be thought
 * of because a machine has no disk.
 *
 * Without a slashing table its histories are in its memory, and every restart of the machine forgets them. Then its keys sign no block and no vote
 * until somebody says again what they have signed: nothing here ever says so for them.
 */
#pragma once

#include "cli/local_setup.h"

/* As the command line has them; NULL: as last time. */
struct machine_choice {
	const char *launcher; /* "process" or "qemu" */
	const char *kernel;   /* a file, or "default" */
};

/* ERROR_INPUT names the option. */
MUST_USE bool local_machine_merge(const struct machine_choice *choice, struct local_settings *settings, struct error *error);
/* Whether its histories are forgotten when the machine ends. */
bool local_machine_forgets(const struct local_settings *settings);
/*
 * Nothing has been changed yet: are qemu and the back end of its vsock there, does the folder's path fit into a socket's, and is there no store in the folder
 * that the machine could not see? Keys would go on in it with what they had signed before, when the signer is a process again. True where the enclave
 * is a process.
 */
MUST_USE bool local_machine_check(const struct local_folder *folder, const struct local_settings *settings, struct error *error);
/* The image of machine/, from the measured configuration that is in the folder. */
MUST_USE bool local_machine_image(const struct local_setup *setup, struct measurement *ret_measurement, struct error *error);
/* Of the image that is there. */
MUST_USE bool local_machine_measure(const struct local_folder *folder, struct measurement *ret_measurement, struct error *error);
/* The member `machine` of host.json; the caller releases. NULL: qemu is not there. */
MUST_USE json_t *local_machine_json(const struct local_folder *folder, struct error *error);
/* Of these keys (JSON texts): how many have no history. */
MUST_USE bool local_machine_count_without(const struct local_folder *folder, json_t *keys, size_t *ret_count, struct error *error);

/* Where the enclave's control channel is on this side, whatever launches it; caller frees. */
char *local_control_address(const struct local_folder *folder, const struct local_settings *settings);
