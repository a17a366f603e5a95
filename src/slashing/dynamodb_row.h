/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row of the table SlashingProtection (store_dynamodb.h has its attributes) and the writes to it, each under a condition. Pure: JSON
 * in and out, no network.
 */
#pragma once

#include "aws/dynamodb.h"
#include "slashing/store.h"

struct dynamodb_row {
	bool has_root;
	uint8_t genesis_validators_root[ROOT_SIZE];
	struct watermark watermark;
	bool is_retired;
	bool is_begun;
	uint64_t begun_s; /* seconds since 1970 */
	enum history_origin origin;
	uint64_t edits; /* how often dynamodb_row_replace() was applied */
};

/* An item as it was found; NULL, none, is an empty row. ERROR_PEER when it is malformed: nothing may be signed by it. */
MUST_USE bool dynamodb_row_read(json_t *item, struct dynamodb_row *ret_row, struct error *error);
/* Whether anything is known of what the key signed. */
bool dynamodb_row_has_history(const struct dynamodb_row *row);

/* {"pubkey": {"S": …}} */
MUST_USE json_t *dynamodb_row_key(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);
/* The Update that makes the commit durable, under slashing/rules.h and what store.h says of commits as a condition. */
MUST_USE json_t *dynamodb_row_commit(const char *table, const struct store_commit *commit);
/*
 * The Update of `found` (NULL: there is none) to `row`, under the condition that it is still just what was found. Attributes that are
 * not ours stay. NULL: they are the same. It counts as an edit, so that a copy of the request that somebody kept is refused even where the row
 * has come back to just what was found.
 */
MUST_USE json_t *dynamodb_row_replace(const char *table, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], json_t *found,
				      const struct dynamodb_row *row);
