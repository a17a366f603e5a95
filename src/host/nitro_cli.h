/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `nitro-cli`, the program of AWS that runs enclaves on an EC2 instance: what ensign-host asks of it, and its answers (JSON on standard
 * output, progress and "[ Enn ] …" on standard error; aws-nitro-enclaves-cli, src/). What it says is not believed beyond what the parent
 * has to know anyway.
 */
#pragma once

#include <sys/types.h>

#include "attestation/nsm.h"
#include "base/json.h"

#define NITRO_ID_SIZE 96 /* i-0123456789abcdef0-enc0123456789abcde */
#define NITRO_NAME_SIZE 65
/* An instance has four enclaves at most; with all that can be said of them that is a few kilobytes. */
#define NITRO_OUTPUT_MAX_SIZE 65536

/* How to run one; texts are borrowed. */
struct nitro_options {
	const char *nitro_cli; /* path of the program */
	const char *eif;       /* path of the image */
	const char *name;      /* of the enclave, by which it is found again */
	unsigned cpu_count;
	unsigned memory_mib; /* at least four times the image's size */
	unsigned cid;        /* of its vsock, 4 or more */
	bool is_debug;       /* PCRs are zero and the console can be read */
};

struct nitro_enclave {
	char id[NITRO_ID_SIZE];
	char name[NITRO_NAME_SIZE];
	pid_t process_id; /* of nitro-cli's own process that holds the enclave; it ends with it. 0: not said */
	uint32_t cid;
	bool is_running; /* "RUNNING": neither "TERMINATING" nor "EMPTY" */
	bool is_debug;
	char pcr0[NSM_PCR_TEXT_SIZE]; /* "": not said */
};

/* The answer of run-enclave, and the one enclave of this name in that of describe-enclaves. ERROR_PEER says which member is wrong. */
MUST_USE bool nitro_enclave_parse(struct view json, struct nitro_enclave *ret_enclave, struct error *error);
MUST_USE bool nitro_enclaves_find(struct view json, const char *name, bool *ret_found, struct nitro_enclave *ret_enclave,
				  struct error *error);
/*
 * What "[ Enn ]" in its messages means for an operator, into the error. Of several the first is named that is not E39: that one only says that
 * nitro-cli lost its own process, whatever the reason.
 */
bool nitro_messages_to_error(struct view messages, const char *command, int status, struct error *error);

/* These run the program and wait for it; cancel_fd readable gives up (-1: none). */
MUST_USE bool nitro_cli_run(const struct nitro_options *options, int cancel_fd, struct nitro_enclave *ret_enclave,
			    struct error *error);
MUST_USE bool nitro_cli_find(const struct nitro_options *options, bool *ret_found, struct nitro_enclave *ret_enclave,
			     struct error *error);
MUST_USE bool nitro_cli_terminate(const struct nitro_options *options, const struct nitro_enclave *enclave, struct error *error);
