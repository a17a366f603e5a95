/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BLS12-381 signatures, public keys in G1, as consensus uses them: ciphersuite
 * BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_ (draft-irtf-cfrg-bls-signature, consensus-specs phase0). A thin, typed layer over
 * blst, which is constant time in the secret. Secret keys are 32 bytes big endian (EIP-2335's order).
 */
#pragma once

#include "base/secret.h"
#include "crypto/g2_comb.h"

#define BLS_SECRET_KEY_SIZE 32
#define BLS_PUBLIC_KEY_SIZE 48
#define BLS_SIGNATURE_SIZE 96

/* 0 < key < r. */
MUST_USE bool bls_secret_key_valid(const uint8_t secret_key[BLS_SECRET_KEY_SIZE]);
/* A new key: HKDF of 32 bytes of the system's randomness (draft, section 2.3). */
MUST_USE bool bls_secret_key_generate(struct secret *ret_secret_key, struct error *error);
/* ERROR_INPUT when the secret key is 0 or not below r. */
MUST_USE bool bls_public_key_derive(const uint8_t secret_key[BLS_SECRET_KEY_SIZE], uint8_t ret_public_key[BLS_PUBLIC_KEY_SIZE],
				    struct error *error);
/*
 * Whether it is what the secret key gives; false for a key that is none, too. Half the time of deriving it (crypto/g1_base.h). Who is told no
 * derives it, which decides.
 */
MUST_USE bool bls_public_key_matches(const uint8_t secret_key[BLS_SECRET_KEY_SIZE], const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);
/* Signs a 32-byte signing root. The key must be valid (checked at load). */
void bls_sign(const uint8_t secret_key[BLS_SECRET_KEY_SIZE], const uint8_t signing_root[32],
	      uint8_t ret_signature[BLS_SIGNATURE_SIZE]);
/* The same in two steps, for a root that many keys sign: its point, and what a key makes of it, from a table of the point's if there is one. */
void bls_hash_root(const uint8_t signing_root[32], blst_p2 *ret_point);
void bls_sign_point(const uint8_t secret_key[BLS_SECRET_KEY_SIZE], const blst_p2 *point, uint8_t ret_signature[BLS_SIGNATURE_SIZE]);

/* One signature of several. */
struct bls_signing {
	const uint8_t *secret_key; /* BLS_SECRET_KEY_SIZE */
	uint8_t *ret_signature;    /* BLS_SIGNATURE_SIZE */
};

/* 1 to G2_COMB_BATCH_MAX signatures; together they cost less than one by one. */
void bls_sign_comb(const struct g2_comb *comb, const struct bls_signing *signings, size_t count);
/* KeyValidate of the draft, section 2.5: a point of the subgroup that is not infinity. */
MUST_USE bool bls_public_key_valid(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);
/* KeyValidate + verify: false for any malformed, infinite or out-of-subgroup point too. */
MUST_USE bool bls_verify(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], struct view message,
			 const uint8_t signature[BLS_SIGNATURE_SIZE]);
