/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key table of a fleet: a table in DynamoDB, as the sample solution makes and fills it.
 *
 *   table ValidatorKeys, partition key web3signer_uuid (S), sort key pubkey (S)
 *   web3signer_uuid                      S     1 to 63 bytes
 *   pubkey                               S     96 hex digits, lower case, no 0x
 *   chain                                S     1 to 31 bytes
 *   active                               BOOL  as the sample writes it; S, true or false, is read too
 *   datetime                             S     or absent, as all that follow
 *   deposit_json_b64                     S
 *   encrypted_key_password_mnemonic_b64  S     or else the next two
 *   sealed_key_b64                       S
 *   data_key_b64                         S
 *
 * Other attributes are left alone. The table needs to allow dynamodb:Query and, for what is written, dynamodb:UpdateItem,
 * dynamodb:DeleteItem and dynamodb:ConditionCheckItem.
 *
 * What differs from key_table.h: up to KEY_TABLE_DYNAMODB_ALL_MAX rows are put all or none. More go in transactions of that many, in order of
 * their keys; every row is whole, and when a transaction fails, those before it stay and the message says how many rows they are. Without
 * `replace` all keys are looked for before the first is put, so that nothing is put when one is there, unless it comes meanwhile. A write that
 * fails otherwise than by ERROR_INPUT and ERROR_NOT_FOUND is in doubt: it may have been done, or may yet be. A list is read in pages, and not at
 * one time: what is put meanwhile may be in it or not, row by row.
 */
#pragma once

#include "aws/request.h"
#include "tables/key_table.h"

#define KEY_TABLE_DYNAMODB_TABLE "ValidatorKeys"
#define KEY_TABLE_DYNAMODB_ALL_MAX 100 /* a transaction of DynamoDB */

struct key_table_dynamodb_options {
	struct aws_endpoint endpoint; /* what it points to is borrowed for the table's life; timeout_ms 0: 5 s an attempt */
	const struct credentials *credentials; /* borrowed; may be given other contents while no call runs */
	const char *table;                     /* NULL: KEY_TABLE_DYNAMODB_TABLE */
	unsigned deadline_ms;                  /* of each page and transaction, attempts included; 0: 20 s */
};

/* Connects to nothing yet. NULL on failure. */
MUST_USE struct key_table *key_table_open_dynamodb(const struct key_table_dynamodb_options *options, struct error *error);
