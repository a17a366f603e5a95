/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signature section of an enclave image: who made it, as PCR8. A COSE_Sign1 (ES384) over PCR0, and the certificate of its key.
 *
 *   [{"signing_certificate": [bytes of the PEM text], "signature": [bytes of the COSE_Sign1]}]
 *   payload of the COSE_Sign1: {"register_index": 0, "register_value": [48 bytes of PCR0]}
 *
 * Bytes are written as arrays of small numbers, which is how AWS's tools write and read them. PCR8 says which certificate the hypervisor checked the
 * signature with; nobody has to trust a CA for that, so who issued the certificate is not looked at, and a self-signed one will do.
 */
#pragma once

#include "crypto/x509_cleanup.h"
#include "image/eif.h"
#include "image/measurement.h"

struct eif_signature {
	X509 *certificate;
	struct buffer certificate_der; /* what PCR8 is of */
	struct buffer cose;
};

void eif_signature_done(struct eif_signature *signature);
#define AUTO_EIF_SIGNATURE CLEANUP(eif_signature_done)

/* Read a section without believing it: exactly one signature; of its PEM text the first certificate counts. ERROR_INPUT names the field. */
MUST_USE bool eif_signature_read(struct view section, struct eif_signature *ret_signature, struct error *error);
/*
 * As the hypervisor's side does: the certificate's key made the signature, it is over this PCR0, and at_ms is within the certificate's dates.
 * ERROR_CRYPTO when not. Other algorithms than ES384 are refused: ERROR_INPUT.
 */
MUST_USE bool eif_signature_verify(const struct eif_signature *signature, const uint8_t pcr0[NSM_PCR_SIZE], uint64_t at_ms,
				   struct error *error);
/* Write a section, appended. The key must be the certificate's, on P-384, and at_ms within its dates (ERROR_INPUT). */
MUST_USE bool eif_signature_write(const uint8_t pcr0[NSM_PCR_SIZE], X509 *certificate, EVP_PKEY *key, uint64_t at_ms,
				  struct buffer *ret_section, struct error *error);
