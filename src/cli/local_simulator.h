/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator of a local signer: starting it, its endpoints, and its KMS as the operator sees it. */
#pragma once

#include "aws/kms.h"
#include "base/json.h"
#include "cli/local_folder.h"

/* SIM/endpoints.json; the texts borrow from `json`. */
struct local_endpoints {
	json_t *json;
	const char *region;
	const char *kms_url;
	const char *kms_address;
	const char *kms_ca_file;
	const char *kms_host;
	const char *imds_url;
	const char *nsm_address;
	const char *operator_credentials_file;
	const char *operator_arn;
	const char *role_arn;
	uint64_t pid;
};

void local_endpoints_done(struct local_endpoints *endpoints);
#define AUTO_LOCAL_ENDPOINTS CLEANUP(local_endpoints_done)

MUST_USE bool local_endpoints_read(const char *path, struct local_endpoints *ret_endpoints, struct error *error);

/* Starts the simulator unless it runs, with an NSM for the folder's machine or without; waits until it serves. *ret_started tells whether this call started it (set on failure too). */
MUST_USE bool local_simulator_start(const struct local_folder *folder, bool with_machine, bool *ret_started,
				    struct local_endpoints *ret_endpoints, struct error *error);

/* KMS with the operator's credentials. Not to be copied: `kms` points into it. */
struct local_kms {
	struct credentials credentials;
	struct buffer ca_pem;
	struct kms_client kms;
};

void local_kms_done(struct local_kms *local);
#define AUTO_LOCAL_KMS CLEANUP(local_kms_done)

MUST_USE bool local_kms_init(struct local_kms *local, const struct local_endpoints *endpoints, struct error *error);
