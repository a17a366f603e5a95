/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CiphertextBlob of the simulated KMS (KMS's own format is not public): one version byte, the 36 characters of the key's id, then
 * crypto/aead.h under the key's material. The additional data is everything before, and the EncryptionContext in a canonical form:
 * its pairs sorted by name (bytes), each name and value with a 4-byte big-endian length in front.
 */
#pragma once

#include "base/json.h"
#include "sim/store.h"

/* False when it is no blob of ours. Pure: says nothing about whether it opens. */
MUST_USE bool kms_blob_read_key_id(struct view blob, char ret_id[SIM_KEY_ID_SIZE]);
/* `context`: JSON object of strings, or NULL. */
MUST_USE bool kms_blob_seal(const struct sim_key *key, json_t *context, struct view plaintext, struct buffer *ret_blob,
			    struct error *error);
/* ERROR_CRYPTO when blob, key and context do not belong together. */
MUST_USE bool kms_blob_open(const struct sim_key *key, json_t *context, struct view blob, struct secret *ret_plaintext,
			    struct error *error);
