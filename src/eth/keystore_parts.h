/* SPDX-License-Identifier: Apache-2.0 */
/* What keystore.c is made of: the JSON, the password's bytes, the key derivation and its cache. */
#pragma once

#include "eth/keystore.h"

#define KEYSTORE_VERSION 4
#define KEYSTORE_CHECKSUM_SIZE 32
#define KEYSTORE_IV_SIZE 16
/* Of the derived key: 16 bytes for the cipher and 16 for the checksum. More may be asked for (`dklen`); they are not used. */
#define KEYSTORE_DERIVED_KEY_SIZE 32
#define KEYSTORE_CIPHER_KEY_SIZE 16
/* Time of scrypt goes with n * r * p: so much is four times the costliest legal run with p = 1, some ten seconds. */
#define KEYSTORE_SCRYPT_WORK_MAX (4 * KEYSTORE_SCRYPT_MEMORY_MAX)

struct keystore_kdf_parameters {
	enum keystore_kdf function;
	uint64_t n; /* scrypt */
	uint64_t r;
	uint64_t p;
	uint64_t count; /* PBKDF2 */
	struct buffer salt;
};

struct keystore_file {
	struct keystore_kdf_parameters kdf;
	uint8_t checksum[KEYSTORE_CHECKSUM_SIZE];
	uint8_t iv[KEYSTORE_IV_SIZE];
	struct buffer ciphertext;
	bool has_public_key;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
};

void keystore_file_done(struct keystore_file *file);
#define AUTO_KEYSTORE_FILE CLEANUP(keystore_file_done)

/* All checks that need no password, the costs included. */
MUST_USE bool keystore_file_parse(struct view json, struct keystore_file *ret_file, struct error *error);
/* `path` and `description` as in keystore_encrypt(); makes the uuid. Appends. */
MUST_USE bool keystore_file_write(const struct keystore_file *file, const char *path, const char *description,
				  struct buffer *ret_json, struct error *error);

/* ERROR_INPUT with the member's name when the parameters are not legal or too costly. */
MUST_USE bool keystore_kdf_check(const struct keystore_kdf_parameters *kdf, struct error *error);
/* Bytes that the derivation takes; 0 for PBKDF2. Parameters must have been checked. */
uint64_t keystore_kdf_memory(const struct keystore_kdf_parameters *kdf);
/* Parameters must have been checked. `password` is encoded already. ret_key is KEYSTORE_DERIVED_KEY_SIZE bytes. */
MUST_USE bool keystore_kdf_derive(const struct keystore_kdf_parameters *kdf, const struct secret *password, struct secret *ret_key,
				  struct error *error);
/* The same, from the cache when it was derived before. */
MUST_USE bool keystore_kdf_derive_cached(struct keystore_kdf_cache *cache, const struct keystore_kdf_parameters *kdf,
					 const struct secret *password, struct secret *ret_key, struct error *error);
