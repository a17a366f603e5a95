/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated attestation authority: what signs attestation documents on a laptop. Its chain has AWS's profile (root,
 * regional, zonal, instance, leaf; P-384 with SHA-384; the same path lengths, key usages and lifetimes), so the one verifier of
 * attestation/document.h checks real and simulated documents alike; only the pinned root differs.
 *
 * The root lies in the simulator's folder: attestation-root.pem (the certificate) and attestation-root.key (PKCS#8 PEM, mode
 * 0600). The intermediates and leaves live in memory and are made anew before they expire. Thread-safe. Needs the secret heap.
 */
#pragma once

#include "attestation/document.h"

#define AUTHORITY_ROOT_FILE "attestation-root.pem"
#define AUTHORITY_ROOT_KEY_FILE "attestation-root.key"
/* A leaf signs documents for up to 3 hours, like the NSM's; its certificate lives a moment longer. */
#define AUTHORITY_LEAF_LIFETIME_S (3 * 3600 + 3)

struct authority;

/* Load the root from `folder`, or make it when there is none. NULL on failure. */
MUST_USE struct authority *authority_open(const char *folder, const char *region, const char *instance_id, struct error *error);
void authority_free(struct authority *authority);
/* The root certificate, to be pinned by verifiers. Borrowed. */
X509 *authority_root(const struct authority *authority);

static inline void authority_done(struct authority **authority)
{
	authority_free(*authority);
	*authority = NULL;
}
#define AUTO_AUTHORITY CLEANUP(authority_done)

/*
 * Sign a document with the given module_id ("i-…-enc" and 16 hex digits), timestamp_ms (the time of issue), PCRs (the ones in
 * pcr_mask), public_key, user_data and nonce, appended to ret_document. Certificate and cabundle of `claims` are not
 * looked at: those are the authority's.
 */
MUST_USE bool authority_issue(struct authority *authority, const struct attestation_document *claims, struct buffer *ret_document,
			      struct error *error);
