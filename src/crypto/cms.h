/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KMS's CiphertextForRecipient: CMS EnvelopedData (RFC 5652) in BER, one RSA recipient named by the SHA-256 of its
 * SubjectPublicKeyInfo, RSAES-OAEP SHA-256, AES-256-CBC. Read with OpenSSL's ASN.1 decoder (cms_fields.h) and opened with EVP
 * rather than with CMS_decrypt(), so that content key and plaintext are nowhere but on the secure heap. Sealed by the simulator,
 * and where a mnemonic leaves the enclave.
 */
#pragma once

#include <openssl/evp.h>

#include "base/secret.h"

/* KMS answers up to a 4 KiB plaintext; the wrapping adds under 1 KiB. Everything above is refused unread. */
#define CMS_MAX_SIZE 16384

static inline void evp_pkey_done(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
	*key = NULL;
}

#define AUTO_PKEY CLEANUP(evp_pkey_done)

/* A fresh RSA-2048 key: one for each attestation document. NULL on failure. */
MUST_USE EVP_PKEY *cms_recipient_key_generate(struct error *error);
/* DER SubjectPublicKeyInfo (294 bytes for RSA-2048), appended: goes into the attestation document's public_key. */
MUST_USE bool cms_recipient_key_spki(EVP_PKEY *key, struct buffer *ret_der, struct error *error);
/*
 * Open a blob. ERROR_INPUT when its structure is another; one and the same ERROR_CRYPTO message for every fault after the
 * structure was read (key identifier, padding, content): an attacker who feeds blobs learns nothing.
 */
MUST_USE bool cms_open(EVP_PKEY *recipient_key, struct view blob, struct secret *ret_plaintext, struct error *error);
/* What KMS does (the simulator): seal to the RSA SubjectPublicKeyInfo `spki`, in the byte layout KMS uses (indefinite lengths). */
MUST_USE bool cms_seal(struct view spki, struct view plaintext, struct buffer *ret_blob, struct error *error);
