/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an enclave says of a TLS identity whose key is in it: its attestation document's user_data is the digest of the certificate chain. So
 * whoever asked through a parent that is not trusted can check that the chain is of a key that this image holds, and not of the parent's own.
 */
#pragma once

#include "attestation/document.h"

#define TLS_STATEMENT_DIGEST_SIZE 32

/* SHA-256 of "ensign tls 1" ‖ the chain in PEM, leaf first. */
void tls_statement_digest(struct view chain_pem, uint8_t ret_digest[TLS_STATEMENT_DIGEST_SIZE]);
/* As birth_statement_verify(): whose PCRs *ret_document has is the caller's to judge; it borrows from `document`. */
MUST_USE bool tls_statement_verify(struct view chain_pem, struct view document, X509 *root,
				   struct attestation_document *ret_document, struct error *error);
