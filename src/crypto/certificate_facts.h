/* SPDX-License-Identifier: Apache-2.0 */
/* What people want to know of a server's certificate chain. */
#pragma once

#include "crypto/tls_identity.h"

#define CERTIFICATE_DIGEST_SIZE 32

struct certificate_facts {
	char *names[TLS_IDENTITY_NAMES_MAX]; /* subject alternative names, DNS names and addresses; owned */
	size_t name_count;                   /* of more, the first so many */
	char *issuer;                        /* RFC 2253; owned */
	int64_t not_before_s;                /* seconds since 1970 */
	int64_t not_after_s;
	uint8_t certificate_sha256[CERTIFICATE_DIGEST_SIZE];
	uint8_t public_key_sha256[CERTIFICATE_DIGEST_SIZE]; /* of SubjectPublicKeyInfo, as pins are (RFC 7469) */
};

void certificate_facts_done(struct certificate_facts *facts);
#define AUTO_CERTIFICATE_FACTS CLEANUP(certificate_facts_done)

/* Of the first certificate in it. ERROR_INPUT when there is none. */
MUST_USE bool certificate_facts_read(struct view chain_pem, struct certificate_facts *ret_facts, struct error *error);
