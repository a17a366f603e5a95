/* SPDX-License-Identifier: Apache-2.0 */
/* Through the rows of all keys of a slashing table, page by page, in DynamoDB's own order, which is the same every time. */
#pragma once

#include "aws/dynamodb.h"
#include "crypto/bls.h"

struct dynamodb_walk {
	struct dynamodb *client; /* borrowed, as is the table's name */
	const char *table;
	json_t *page;                      /* owned; NULL: none was read */
	size_t place;                      /* in the page */
	uint8_t last[BLS_PUBLIC_KEY_SIZE]; /* whose item was the last */
};

void dynamodb_walk_done(struct dynamodb_walk *walk); /* accepts {0} */
/*
 * The item after that of `after` (all zero: the first), borrowed until the next call, and its public key; *ret_item is NULL when there is none.
 * Asked for the one after the last one it needs a call only for a new page.
 */
MUST_USE bool dynamodb_walk_next(struct dynamodb_walk *walk, const uint8_t after[BLS_PUBLIC_KEY_SIZE], uint64_t deadline_ms,
				 json_t **ret_item, uint8_t ret_public_key[BLS_PUBLIC_KEY_SIZE], struct error *error);
