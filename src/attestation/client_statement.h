/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an enclave attests to a client that is connected to it (GET /api/v1/enclave/attestation): the document's user_data has the digest of
 * the TLS server key, so the client can compare it with the key of the very session that the document came over, and of the keys that sign;
 * the document's nonce is the client's own.
 */
#pragma once

#include "attestation/document.h"
#include "crypto/bls.h"

#define CLIENT_DIGEST_SIZE 32
#define CLIENT_NONCE_MAX_SIZE 64
/* "ensign client 1" and the two digests */
#define CLIENT_STATEMENT_SIZE (15 + 2 * CLIENT_DIGEST_SIZE)

struct client_statement {
	uint8_t tls_digest[CLIENT_DIGEST_SIZE];  /* SHA-256 of the server key's SubjectPublicKeyInfo */
	uint8_t keys_digest[CLIENT_DIGEST_SIZE]; /* client_statement_digest_keys() */
};

/* SHA-256 of the public keys in ascending order, 48 bytes each. Sorts them in place. */
void client_statement_digest_keys(uint8_t (*public_keys)[BLS_PUBLIC_KEY_SIZE], size_t count,
				  uint8_t ret_digest[CLIENT_DIGEST_SIZE]);
/* user_data: "ensign client 1" ‖ tls_digest ‖ keys_digest. */
void client_statement_write(const struct client_statement *statement, uint8_t ret_user_data[CLIENT_STATEMENT_SIZE]);
/* ERROR_CRYPTO when it is not of that form. */
MUST_USE bool client_statement_read(struct view user_data, struct client_statement *ret_statement, struct error *error);
