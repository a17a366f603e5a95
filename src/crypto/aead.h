/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce in front: nonce ‖ ciphertext ‖ 16-byte tag. */
#pragma once

#include "base/secret.h"

#define AEAD_KEY_SIZE 32
#define AEAD_NONCE_SIZE 12
#define AEAD_TAG_SIZE 16
#define AEAD_OVERHEAD (AEAD_NONCE_SIZE + AEAD_TAG_SIZE)

/* Appends plaintext.size + AEAD_OVERHEAD bytes. One key may seal 2^32 messages at most. */
MUST_USE bool aead_seal(struct view key, struct view additional_data, struct view plaintext, struct buffer *ret_sealed,
			struct error *error);
/* ERROR_CRYPTO, with nothing said about why, when key, data or additional data are not those of the sealing. */
MUST_USE bool aead_open(struct view key, struct view additional_data, struct view sealed, struct secret *ret_plaintext,
			struct error *error);
