/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's keys: secrets in protected memory, in chunks so that ten keys do not cost the memory of a hundred thousand;
 * public keys, watermarks and the index beside them on the ordinary heap. Filled once, then only read, but for the
 * watermarks, which belong to the keeper's main thread.
 */
#pragma once

#include "enclave/messages.h"

/* What the keeper's secret heap holds with room to spare; a hundred thousand keys is the largest operator in the load tables. */
#define KEEPER_KEYS_MAX 100000
/* 128 KiB of protected memory at a time. */
#define KEEPER_KEYS_PER_CHUNK 4096

struct keeper_keys;

struct keeper_keys *keeper_keys_new(void);
void keeper_keys_free(struct keeper_keys *keys);
/*
 * Add a key: derives the public key from the secret and compares it with the one expected. A key that is there already is
 * refused as ERROR_INPUT, a wrong one as ERROR_CRYPTO, one too many as ERROR_POLICY.
 */
MUST_USE bool keeper_keys_add(struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
			      const uint8_t secret_key[BLS_SECRET_KEY_SIZE], struct error *error);
size_t keeper_keys_count(const struct keeper_keys *keys);
/* Index of a public key; false when it is not there. */
MUST_USE bool keeper_keys_find(const struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], size_t *ret_index);
/* The index must be below the count. Pointers stay valid as long as nothing is added. */
const uint8_t *keeper_keys_public(const struct keeper_keys *keys, size_t index);
const uint8_t *keeper_keys_secret(const struct keeper_keys *keys, size_t index);
struct watermark *keeper_keys_watermark(struct keeper_keys *keys, size_t index);
