/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an enclave says of validator keys that were born in it. Its attestation document's user_data is the digest of the keys, of where
 * their stake goes back to, and of who can recover them; so whoever has the document and the statement can check that exactly these keys
 * were made by exactly that image, that nobody put in an address of his own, and that nobody else was given the mnemonic.
 */
#pragma once

#include "attestation/document.h"
#include "crypto/bls.h"

#define BIRTH_CREDENTIALS_SIZE 32
#define BIRTH_DIGEST_SIZE 32

struct birth_statement {
	const uint8_t (*public_keys)[BLS_PUBLIC_KEY_SIZE]; /* in the order of their indices */
	size_t count;                                      /* below 2^32 */
	uint8_t withdrawal_credentials[BIRTH_CREDENTIALS_SIZE];
	struct view recovery_spki; /* SubjectPublicKeyInfo (DER) that the mnemonic was encrypted to; empty: it never left */
};

/*
 * SHA-256 of "ensign birth 1" ‖ count (4 bytes, big endian) ‖ public keys ‖ withdrawal credentials ‖ SHA-256 of the SubjectPublicKeyInfo,
 * or 32 zero bytes where there is none.
 */
void birth_statement_digest(const struct birth_statement *statement, uint8_t ret_digest[BIRTH_DIGEST_SIZE]);
/*
 * Whether `document` is an attestation of it: verified up to `root` at the time that it names, for its certificates are valid for hours only.
 * ERROR_CRYPTO when it is not. Whose PCRs *ret_document has is the caller's to judge. It borrows from `document`.
 */
MUST_USE bool birth_statement_verify(const struct birth_statement *statement, struct view document, X509 *root,
				     struct attestation_document *ret_document, struct error *error);
