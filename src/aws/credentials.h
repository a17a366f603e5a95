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

/*
 * A profile of the AWS CLI's: AWS_PROFILE, or "default", of AWS_SHARED_CREDENTIALS_FILE, or ~/.aws/credentials. Keys only, no roles to assume, no sign-on.
 * ERROR_NOT_FOUND when there is no such file, or when it has no "default" and nobody asked for another.
 */
MUST_USE bool credentials_from_profile(struct credentials *ret_credentials, struct error *error);
/*
 * Of a container (ECS, EKS, CodeBuild): AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, with AWS_CONTAINER_AUTHORIZATION_TOKEN or _TOKEN_FILE.
 * Plain HTTP only to the hosts that AWS's tools allow. ERROR_NOT_FOUND when neither of the first two is set.
 */
MUST_USE bool credentials_from_container(struct credentials *ret_credentials, struct error *error);
/*
 * credentials_from_imds() of AWS_EC2_METADATA_SERVICE_ENDPOINT, or of the address that instances have it at. ERROR_NOT_FOUND when nothing answers there, or
 * AWS_EC2_METADATA_DISABLED is true.
 */
MUST_USE bool credentials_from_instance(struct credentials *ret_credentials, struct error *error);
/* The first of the environment's, the profile's, the container's and the instance's, in the order of AWS's own tools. ERROR_NOT_FOUND when there are none. */
MUST_USE bool credentials_find(struct credentials *ret_credentials, struct error *error);
