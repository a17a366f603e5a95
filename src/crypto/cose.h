/* SPDX-License-Identifier: Apache-2.0 */
/* COSE_Sign1 (RFC 9052) with ES384, the envelope of attestation documents. CBOR through libcbor. */
#pragma once

#include <openssl/evp.h>

#include "base/bytes.h"

#define COSE_ES384_SIGNATURE_SIZE 96 /* r ‖ s, 48 bytes each, big endian */
/* The specification's bound on an attestation payload, with the envelope around it. */
#define COSE_MAX_SIZE 20480

struct cose_sign1 {
	struct view protected_header; /* exactly as received: it is signed as received */
	struct view payload;
	struct view signature; /* 96 bytes */
};

/*
 * Parse an untagged or 18-tagged COSE_Sign1 whose protected header is exactly {1: -35} and whose unprotected header is
 * empty. Views borrow from `bytes`. Trailing bytes, indefinite lengths in the envelope, other algorithms: ERROR_INPUT.
 */
MUST_USE bool cose_sign1_parse(struct view bytes, struct cose_sign1 *ret_message, struct error *error);
/* ERROR_CRYPTO when the signature is not by `key` (P-384). High s is legal. */
MUST_USE bool cose_sign1_verify(const struct cose_sign1 *message, EVP_PKEY *key, struct error *error);
/* Append an untagged COSE_Sign1 over `payload`, in AWS's byte layout. */
MUST_USE bool cose_sign1_sign(struct view payload, EVP_PKEY *key, struct buffer *ret_bytes, struct error *error);
