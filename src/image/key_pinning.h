/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The KMS key policy that pins a key to enclave images: who administers it, whose enclaves may use it and which images they have to be, who may
 * seal new keys. Pure: JSON in and out.
 *
 * Statements have Sids that begin with "Ensign"; others that a policy has are somebody else's, and are kept. Besides the Allow there is a Deny of
 * kms:Decrypt for everybody whose request is not of such an image: an Allow elsewhere, in the policy or in IAM, does not get past it.
 *
 * Source: KMS Developer Guide, "Condition keys for AWS Nitro Enclaves"; IAM User Guide, "Condition operators": a negated operator holds also
 * where the key is missing.
 */
#pragma once

#include "attestation/nsm.h"
#include "base/json.h"

/* Old, new, and a few that are tried out. */
#define KEY_PINNING_IMAGES_MAX 16

struct key_pinning {
	const char *admin_arn;      /* NULL: nobody is added who could change the policy */
	const char *role_arn;       /* of the instances; its digest is PCR3 of their enclaves */
	const char *keygen_arn;     /* may seal new keys; NULL: nobody is added */
	const char *tls_sealer_arn; /* may seal TLS keys, of a stack its Lambda's role; NULL: nobody is added */
	char pcr0[KEY_PINNING_IMAGES_MAX][NSM_PCR_TEXT_SIZE]; /* lower case */
	size_t pcr0_count;
	char pcr8[NSM_PCR_TEXT_SIZE]; /* of who signs the images; "": images are pinned by PCR0 */
};

/* A measurement in hex. ERROR_INPUT, ERROR_POLICY when it is all zero: that is a debug enclave's, whose memory its parent can read. */
MUST_USE bool key_pinning_add_pcr0(struct key_pinning *pinning, const char *hex, struct error *error);
MUST_USE bool key_pinning_set_pcr8(struct key_pinning *pinning, const char *hex, struct error *error);
/*
 * The whole policy: these statements, and those of `before` (NULL: none) that are not ours. A new reference. ERROR_INPUT: no image, no role, or
 * `before` is no policy.
 */
MUST_USE json_t *key_pinning_to_policy(const struct key_pinning *pinning, json_t *before, struct error *error);
/* The images of a policy that key_pinning_to_policy() made. ERROR_NOT_FOUND: it pins none. */
MUST_USE bool key_pinning_of_policy(json_t *policy, struct key_pinning *ret_pinning, struct error *error);
/*
 * What is wrong with statements that are not ours, as texts in a new array: who may decrypt or make data keys without attestation, who may
 * change the policy. And who is gone: KMS puts an id in the place of a role or user that was deleted, and refuses a policy that has one.
 */
json_t *key_pinning_review(json_t *policy);
