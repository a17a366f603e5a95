/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS identity that was made outside the enclave, sealed for the TLS table with KMS Encrypt. */
#pragma once

#include "aws/kms.h"
#include "crypto/tls_identity.h"
#include "tables/tls_table.h"

/* What a row of the TLS table has of an identity, both in base64. */
struct tls_sealed {
	char *encrypted_tls_key_b64; /* owned, like the next one */
	char *cert_pem;
};

void tls_sealed_done(struct tls_sealed *sealed);
#define AUTO_TLS_SEALED CLEANUP(tls_sealed_done)

/* As PKCS#12 under a random password, which is how the sample solution has it; or `as_pem`, which keeps what an operator has. */
MUST_USE bool tls_seal(const struct tls_identity *identity, bool as_pem, const struct kms_client *kms, const char *kms_key_arn,
		       struct tls_sealed *ret_sealed, struct error *error);
/* tls_table_put_identity() and tls_table_add_identity() of it. */
MUST_USE bool tls_sealed_put(struct tls_table *table, uint64_t key_id, const struct tls_sealed *sealed, struct error *error);
MUST_USE bool tls_sealed_add(struct tls_table *table, uint64_t key_id, const struct tls_sealed *sealed, bool *ret_added,
			     struct error *error);
