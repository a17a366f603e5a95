/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of a CiphertextForRecipient (private to cms.c, its tests and its fuzz target). Read with OpenSSL's ASN.1 decoder
 * from a template of just the one shape that KMS writes: EnvelopedData (RFC 5652 section 6) for one KeyTransRecipientInfo named by
 * subjectKeyIdentifier, RSAES-OAEP with SHA-256 throughout and no label, content under AES-256-CBC. Every other choice
 * of the standard (originator certificates, other recipients, other algorithms, attributes) is refused before any
 * key is used.
 */
#pragma once

#include "base/bytes.h"

#define CMS_KEY_IDENTIFIER_SIZE 32 /* SHA-256 of the SubjectPublicKeyInfo */
#define CMS_IV_SIZE 16

struct cms_fields {
	uint8_t key_identifier[CMS_KEY_IDENTIFIER_SIZE];
	uint8_t iv[CMS_IV_SIZE];
	struct buffer encrypted_key;
	struct buffer ciphertext; /* whole blocks, at least one; chunks joined */
};

void cms_fields_done(struct cms_fields *fields);
#define AUTO_CMS_FIELDS CLEANUP(cms_fields_done)

/* BER or DER. ERROR_INPUT when the blob is larger than CMS_MAX_SIZE or of another shape. */
MUST_USE bool cms_parse_fields(struct view blob, struct cms_fields *ret_fields, struct error *error);

/* The DER AlgorithmIdentifier of RSAES-OAEP as KMS writes it: SHA-256, MGF1 with SHA-256, the default (empty) label. */
extern const uint8_t CMS_RSAES_OAEP_SHA256[];
extern const size_t CMS_RSAES_OAEP_SHA256_SIZE;
