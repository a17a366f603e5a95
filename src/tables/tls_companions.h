/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies sealed beside an identity in a row of the TLS table (tables/tls_table.h): the list of known clients, and the slashing table's own
 * credentials. Only the row in memory is changed; tls_table_put_companions() writes it.
 */
#pragma once

#include "aws/kms.h"
#include "tables/known_clients.h"
#include "tables/tls_table.h"

/* The list is gone afterwards. */
void tls_row_drop_clients(struct tls_row *row);
/*
 * Takes the place of the row's list. `data_key` is one of the fleet's, and `wrapped_b64` the same as KMS wrapped it, in base64. ERROR_CRYPTO, and
 * the row as it was.
 */
MUST_USE bool tls_row_seal_clients(struct tls_row *row, struct view data_key, const char *wrapped_b64, const char *fleet,
				   const struct known_clients *clients, struct error *error);
/* The credentials are gone afterwards. */
void tls_row_drop_credentials(struct tls_row *row);
/* Takes the place of the row's: KMS Encrypt of {"access_key_id","secret_access_key","token"}. KMS's errors (aws/kms.h), and the row as it was. */
MUST_USE bool tls_row_seal_credentials(struct tls_row *row, const struct credentials *credentials, const struct kms_client *kms,
				       const char *kms_key_arn, struct error *error);
