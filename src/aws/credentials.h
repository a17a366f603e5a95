/* SPDX-License-Identifier: Apache-2.0 */
/* AWS credentials and where they come from. Never in argv, never logged; the secret parts are struct secret. */
#pragma once

#include "base/json.h"
#include "net/address.h"

#define CREDENTIALS_KEY_ID_SIZE 129 /* AWS: access key ids have 16 to 128 characters */

struct credentials {
	char access_key_id[CREDENTIALS_KEY_ID_SIZE];
	struct secret secret_access_key;
	struct secret session_token; /* empty for long-lived keys */
	uint64_t expiration_ms;      /* realtime; 0: does not expire */
};

void credentials_done(struct credentials *credentials);
#define AUTO_CREDENTIALS CLEANUP(credentials_done)

/* From {"access_key_id","secret_access_key","token"} as the control channel carries them ("token" optional). */
MUST_USE bool credentials_from_json(json_t *object, struct credentials *ret_credentials, struct error *error);
/* The same object, for sending. Caller releases it; it is made of wiping memory when json_use_wiping_memory() was called. */
MUST_USE json_t *credentials_to_json(const struct credentials *credentials, struct error *error);
/* From a JSON file of that form (what `ensign-sim` writes for the operator); refuses a file that others can read. */
MUST_USE bool credentials_from_file(const char *path, struct credentials *ret_credentials, struct error *error);
/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. ERROR_NOT_FOUND when the first is not set. */
MUST_USE bool credentials_from_environment(struct credentials *ret_credentials, struct error *error);
/*
 * The instance role's credentials from the metadata service, IMDSv2 only: PUT /latest/api/token, then GET
 * /latest/meta-data/iam/security-credentials/ROLE. `endpoint` is "http://169.254.169.254" on EC2.
 */
MUST_USE bool credentials_from_imds(const char *endpoint, struct credentials *ret_credentials, struct error *error);
