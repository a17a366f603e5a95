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

/*
 * Derived keys of a batch. deposit-cli writes all keystores of a run with one salt, so one derivation (0.5 s and 256 MiB) opens them
 * all. Bounded: the oldest entry goes first; most batches have one password and one salt. Entries are in protected memory, and as secret as
 * the passwords, of which they hold a fast hash: call _done as soon as the batch is read. {0} is empty. Threads may share it: who wants what
 * another one derives just then waits for that.
 */
#define KEYSTORE_KDF_CACHE_SIZE 8
/*
 * Of the derivations that threads with one cache do at one time: four of the usual ones, which take 256 MiB and some blocks each; and no
 * more than half of what the machine has, for an enclave may be small. One that takes more by itself waits until it is alone.
 */
#define KEYSTORE_DERIVATION_MEMORY_MAX (1025ull << 20)

struct keystore_kdf_cache {
	struct secret entries[KEYSTORE_KDF_CACHE_SIZE];
	size_t next;                           /* the entry that the next derivation replaces */
	struct keystore_derivation *under_way; /* a list; each is on the stack of its thread */
};

/* Wipes; leaves an empty cache. Accepts NULL and {0}. No thread may use it any more. */
void keystore_kdf_cache_done(struct keystore_kdf_cache *cache);
#define AUTO_KEYSTORE_KDF_CACHE CLEANUP(keystore_kdf_cache_done)

/* As keystore_decrypt(); derives only what is not in the cache. What a wrong password derives is kept too. */
MUST_USE bool keystore_decrypt_cached(struct keystore_kdf_cache *cache, struct view json, struct view password,
				      struct keystore_secret *ret_secret, struct error *error);

enum keystore_kdf { KEYSTORE_KDF_SCRYPT, KEYSTORE_KDF_PBKDF2 };

/*
 * Encrypt: scrypt n=2^kdf_cost_log2 r=8 p=1, or PBKDF2 with 2^kdf_cost_log2 rounds (18 is the usual cost of both; tests use
 * less). `path` is one of eth/derivation.h, or "" for unknown. Appends the JSON text.
 */
MUST_USE bool keystore_encrypt(const struct secret *secret_key, struct view password, enum keystore_kdf kdf, unsigned kdf_cost_log2,
			       const char *path, const char *description, struct buffer *ret_json, struct error *error);

/*
 * For many keystores with one password: one salt and one derivation for all, an IV of its own for each, as deposit-cli does it. Who learns the
 * password of one keystore has that of all, batch or not; the salt still keeps them apart from everybody else's.
 */
struct keystore_batch;
/* Derives the key: as costly as one keystore_encrypt(). NULL on failure. */
MUST_USE struct keystore_batch *keystore_batch_new(struct view password, enum keystore_kdf kdf, unsigned kdf_cost_log2,
						   struct error *error);
/* One keystore of the batch; otherwise as keystore_encrypt(). */
MUST_USE bool keystore_batch_encrypt(const struct keystore_batch *batch, const struct secret *secret_key, const char *path,
				     const char *description, struct buffer *ret_json, struct error *error);
/* Wipes. Accepts NULL. */
void keystore_batch_free(struct keystore_batch *batch);

static inline void keystore_batch_cleanup(struct keystore_batch **batch)
{
	keystore_batch_free(*batch);
}

#define AUTO_KEYSTORE_BATCH CLEANUP(keystore_batch_cleanup)

/* The password's bytes as they go into the KDF (exposed for tests of the encoding rules). */
MUST_USE bool keystore_password_encode(struct view password, struct secret *ret_bytes, struct error *error);
