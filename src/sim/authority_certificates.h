/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of the simulated attestation authority, in the profile of AWS's (all P-384, ECDSA with SHA-384, X.509 v3). */
#pragma once

#include <openssl/x509.h>

#include "base/bytes.h"

enum authority_level {
	AUTHORITY_ROOT,
	AUTHORITY_REGIONAL,
	AUTHORITY_ZONAL,
	AUTHORITY_INSTANCE,
	AUTHORITY_LEAF,
	AUTHORITY_LEVEL_COUNT,
};

/* A key with its certificate. {0} is empty. */
struct certified_key {
	EVP_PKEY *key;
	X509 *certificate;
};

void certified_key_done(struct certified_key *certified);
/* Move out of a scoped variable. */
static inline struct certified_key certified_key_take(struct certified_key *certified)
{
	struct certified_key taken = *certified;

	*certified = (struct certified_key){0};
	return taken;
}

/* How long a certificate of this level is valid, in seconds. */
uint64_t authority_lifetime_s(enum authority_level level);
/*
 * A fresh key and a certificate for it, signed by `issuer` (NULL: by itself), valid from not_before_s for the level's lifetime.
 * `serial` is a positive big-endian number; empty for a random one.
 */
MUST_USE bool certified_key_make(enum authority_level level, const char *common_name, uint64_t not_before_s, struct view serial,
				 const struct certified_key *issuer, struct certified_key *ret_certified, struct error *error);
/* DER, appended. */
MUST_USE bool certificate_encode(X509 *certificate, struct buffer *ret_der, struct error *error);
