/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of `ensign local up` between the simulator's start and the host's. Each is idempotent, changes only its own files of
 * the folder and keeps what it must remember in the settings, which the caller writes.
 */
#pragma once

#include "cli/key_import.h"
#include "cli/local_folder.h"
#include "cli/local_settings.h"
#include "cli/local_simulator.h"
#include "image/client_settings.h"
#include "image/signing_policy.h"

struct local_setup {
	const struct local_folder *folder;
	const struct local_endpoints *endpoints;
	const struct local_kms *kms;
	struct local_settings *settings;
	const struct signing_policy *policy;
	const struct client_settings *clients;
	const struct network *network_before; /* of the last `up`; NULL: none */
};

struct local_import_result {
	size_t added;
	size_t already_present;
};

/* The KMS key, made once; written to local.json at once, for everything sealed hangs on it. */
MUST_USE bool local_setup_kms_key(const struct local_setup *setup, struct error *error);
/* Import `source`, or (NULL) make one key when the table is empty. All rows or none. Keys that are there must be of this network. */
MUST_USE bool local_setup_keys(const struct local_setup *setup, const struct key_source *source,
			       const struct key_import_progress *progress, struct local_import_result *ret_result,
			       struct error *error);
/* Whether every keystore of the folder names (`pubkey`) a key that the table has. ERROR_INPUT names the first that does not. */
MUST_USE bool local_setup_keys_present(const struct local_folder *folder, const char *keystores, struct error *error);
/* image/enclave.json and image/ensign-enclave, or the image of a machine, and what they measure. */
MUST_USE bool local_setup_image(const struct local_setup *setup, struct measurement *ret_measurement, struct error *error);
/* The key policy for this measurement. *ret_changed: it was pinned to another one before. */
MUST_USE bool local_setup_policy(const struct local_setup *setup, const struct measurement *measurement, bool *ret_changed,
				 struct error *error);
/* A new data key of the local fleet: in the clear, and wrapped, in base64. */
MUST_USE bool local_setup_data_key(const struct local_setup *setup, struct secret *ret_data_key, struct buffer *ret_wrapped_b64,
				   struct error *error);
MUST_USE bool local_setup_host(const struct local_setup *setup, struct error *error);

/*
 * The policy's text: the operator may administer the key and seal with it, but not decrypt; the role may decrypt, only for an
 * enclave of this measurement that runs under this role (PCR3). `measurement` NULL: nobody may decrypt.
 */
char *local_key_policy(const char *operator_arn, const char *role_arn, const struct measurement *measurement);
