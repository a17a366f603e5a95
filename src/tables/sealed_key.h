/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sealed form of one validator key: the 32-byte secret under AES-256-GCM (nonce ‖ ciphertext ‖ tag) with a data key that KMS
 * wrapped once for many rows. Additional data is pubkey ‖ chain (96 lower-case hex digits, then the chain's name), so a row
 * cannot be moved to another key or another network.
 */
#pragma once

#include "crypto/aead.h"
#include "crypto/bls.h"
#include "tables/key_table.h"

#define SEALED_KEY_SIZE (BLS_SECRET_KEY_SIZE + AEAD_OVERHEAD)

MUST_USE bool sealed_key_seal(struct view data_key, const char *pubkey, const char *chain, const struct secret *secret_key,
			      struct buffer *ret_sealed, struct error *error);
/* Opens, checks the size, derives the public key again and compares it with `pubkey`. */
MUST_USE bool sealed_key_open(struct view data_key, const char *pubkey, const char *chain, struct view sealed,
			      struct secret *ret_secret_key, struct error *error);
