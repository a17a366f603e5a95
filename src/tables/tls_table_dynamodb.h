/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS table of a fleet: a table in DynamoDB, as the sample solution makes and fills it.
 *
 *   table TLSKeys, partition key key_id (N), no sort key
 *   encrypted_tls_key_b64       S
 *   cert_pem                    S
 *   known_clients_sealed_b64    S     or absent, as all that follow
 *   known_clients_data_key_b64  S
 *   slashing_credentials_b64    S
 *
 * A row is put whole, but attributes that are not ours are left alone. The table needs to allow dynamodb:BatchGetItem and, for what is
 * written, dynamodb:UpdateItem. A row that cannot be read is ERROR_INPUT, which names key_id and column. A put that fails is in doubt: it may
 * have been done, or may yet be.
 */
#pragma once

#include "aws/request.h"
#include "tables/tls_table.h"

#define TLS_TABLE_DYNAMODB_TABLE "TLSKeys"
/* Of a text: the sealed list of clients in base64 is the largest, with 33 KiB. Five of them fit into an answer of dynamodb_read(). */
#define TLS_TABLE_DYNAMODB_TEXT_MAX_SIZE 49152

struct tls_table_dynamodb_options {
	struct aws_endpoint endpoint; /* what it points to is borrowed for the table's life; timeout_ms 0: 5 s an attempt */
	const struct credentials *credentials; /* borrowed; may be given other contents while no call runs */
	const char *table;                     /* NULL: TLS_TABLE_DYNAMODB_TABLE */
	unsigned deadline_ms;                  /* of each call, attempts included; 0: 20 s */
};

/* Connects to nothing yet. NULL on failure. */
MUST_USE struct tls_table *tls_table_open_dynamodb(const struct tls_table_dynamodb_options *options, struct error *error);
