/* SPDX-License-Identifier: Apache-2.0 */
/* EIP-2335 BLS keystores, version 4: scrypt or PBKDF2-HMAC-SHA256, AES-128-CTR, SHA-256 checksum. */
#pragma once

#include "base/json.h"
#include "crypto/bls.h"

/* A keystore is under 2 KiB; descriptions can be long. */
#define KEYSTORE_MAX_SIZE 65536
#define KEYSTORE_PASSWORD_MAX_SIZE 4096
/* scrypt memory is 128 * n * r bytes. The usual 262144 * 8 needs 256 MiB; four times that is the most anyone has reason for. */
#define KEYSTORE_SCRYPT_MEMORY_MAX (1024ull << 20)
/* The usual count is 262144; sixteen times that still takes only seconds. */
#define KEYSTORE_PBKDF2_COUNT_MAX (262144u * 16)

struct keystore_secret {
	struct secret secret_key;                /* 32 bytes, checked to be a valid BLS key */
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE]; /* derived from it, and equal to the file's `pubkey` when there is one */
};

void keystore_secret_done(struct keystore_secret *secret);
#define AUTO_KEYSTORE_SECRET CLEANUP(keystore_secret_done)

/*
 * Decrypt. `password` is UTF-8 as typed; it is normalised here (NFKD, then C0, C1 and DEL dropped). Errors: ERROR_INPUT for
 * a malformed, unsupported or too costly file (refused before time or memory is spent) and for a key that is no BLS key;
 * ERROR_CRYPTO "wrong password" when the checksum does not fit; ERROR_CRYPTO when `pubkey` is not that of the secret inside.
 */
MUST_USE bool keystore_decrypt(struct view json, struct view password, struct keystore_secret *ret_secret, struct error *error);

enum keystore_kdf { KEYSTORE_KDF_SCRYPT, KEYSTORE_KDF_PBKDF2 };

/*
 * Encrypt: scrypt n=2^kdf_cost_log2 r=8 p=1, or PBKDF2 with 2^kdf_cost_log2 rounds (18 is the usual cost of both; tests use
 * less). `path` is one of eth/derivation.h, or "" for unknown. Appends the JSON text.
 */
MUST_USE bool keystore_encrypt(const struct secret *secret_key, struct view password, enum keystore_kdf kdf, unsigned kdf_cost_log2,
			       const char *path, const char *description, struct buffer *ret_json, struct error *error);
/* The password's bytes as they go into the KDF (exposed for tests of the encoding rules). */
MUST_USE bool keystore_password_encode(struct view password, struct secret *ret_bytes, struct error *error);
