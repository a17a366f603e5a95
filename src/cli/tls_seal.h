/* SPDX-License-Identifier: Apache-2.0 */
/* TLS identities that come from outside the enclave: an operator's files, or made here; sealed for the TLS table with KMS Encrypt. */
#pragma once

#include "aws/kms.h"
#include "crypto/tls_identity.h"
#include "tables/tls_table.h"

/* Where the operator's own identity is: the first two or the last two; all NULL: not given. */
struct tls_source {
	const char *keystore; /* PKCS#12; TLS_SOURCE_NONE: back to one that `up` makes */
	const char *password_file;
	const char *certificate; /* PEM, with its chain in any order */
	const char *key;         /* PEM, not encrypted */
};

#define TLS_SOURCE_NONE "none"

/* ERROR_INPUT names the option. *ret_identity is {0} when none is given, or NONE. */
MUST_USE bool tls_source_read(const struct tls_source *source, struct tls_identity *ret_identity, struct error *error);
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
/* Into the row of `key_id`, which is made where there is none; what else is in it stays. */
MUST_USE bool tls_sealed_put(struct tls_table *table, uint64_t key_id, const struct tls_sealed *sealed, struct error *error);
