/* SPDX-License-Identifier: Apache-2.0 */
/* Attestation documents of the Nitro hypervisor: parse, verify, and (for the simulator's authority) build. */
#pragma once

#include <openssl/x509.h>

#include "attestation/nsm.h"

/* Real bundles have 4 certificates. */
#define ATTESTATION_CABUNDLE_MAX 8
/* AWS's own limit of a document is 16 KiB. */
#define ATTESTATION_DOCUMENT_MAX_SIZE 16384
#define ATTESTATION_CERTIFICATE_MAX_SIZE 1024
#define ATTESTATION_MODULE_ID_SIZE 128

struct attestation_document {
	char module_id[ATTESTATION_MODULE_ID_SIZE];
	uint64_t timestamp_ms; /* UTC, since 1970 */
	uint32_t pcr_mask;     /* bit n: pcrs[n] is present */
	uint8_t pcrs[NSM_PCR_COUNT][NSM_PCR_SIZE];
	struct view certificate;                        /* leaf, DER; this and the views below borrow from the parsed bytes */
	struct view cabundle[ATTESTATION_CABUNDLE_MAX]; /* root first */
	size_t cabundle_count;
	bool has_public_key, has_user_data, has_nonce; /* false: null or absent in the document */
	struct view public_key, user_data, nonce;
};

/*
 * Parse the COSE_Sign1 and its payload without believing it: every size of the specification is enforced, both map
 * encodings are taken, duplicate keys, unknown types and trailing bytes are refused (ERROR_INPUT).
 */
MUST_USE bool attestation_parse(struct view bytes, struct attestation_document *ret_document, struct error *error);
/*
 * Parse and verify: signature by the leaf, the chain up to `root` (pinned; cabundle[0] is only compared with it), validity
 * at at_ms, CA flags, path lengths, key usage. ERROR_CRYPTO when it does not hold. Does not judge PCRs, nonce or age.
 */
MUST_USE bool attestation_verify(struct view bytes, X509 *root, uint64_t at_ms, struct attestation_document *ret_document,
				 struct error *error);
/* Whether that is why attestation_verify() failed: the document leads to another root than the pinned one. */
bool attestation_is_other_root(const struct error *error);
/* A measurement as people pass it on: 96 hex digits of either case. ERROR_INPUT, which begins with `name`. */
MUST_USE bool attestation_parse_pcr(const char *name, const char *hex, uint8_t ret_pcr[NSM_PCR_SIZE], struct error *error);
/* Whether the document's PCR `index` is this one (hex). ERROR_INPUT when `hex` is none, else ERROR_CRYPTO says which it is. */
MUST_USE bool attestation_check_pcr(const struct attestation_document *document, unsigned index, const char *hex,
				    struct error *error);
/* All of PCR0, 1 and 2 are zero: a debug-mode enclave, which proves nothing. */
bool attestation_is_debug(const struct attestation_document *document);
/* The payload's CBOR in AWS's order and encoding, to be signed with cose_sign1_sign(). */
MUST_USE bool attestation_build_payload(const struct attestation_document *document, struct buffer *ret_payload,
					struct error *error);
/* AWS Nitro Enclaves Root G1 (commercial partition), pinned by its published SHA-256. Caller frees. */
MUST_USE X509 *attestation_aws_root(struct error *error);
