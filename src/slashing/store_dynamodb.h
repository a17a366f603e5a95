/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slashing store of a fleet: a table in DynamoDB, for any number of enclaves at one time. Every write has a condition (compare and
 * set), so of two that contradict each other one is refused, whoever sends them.
 *
 *   table SlashingProtection, partition key pubkey (S), no sort key
 *   pubkey                   S     96 hex digits, lower case, no 0x
 *   genesis_validators_root  S     64 hex digits; the network that the key belongs to: one key, one network
 *   block_slot               N     0 to 2^64-1, as all numbers here
 *   block_root               S     64 hex digits, the signing root; zeros: unknown
 *   source_epoch             N
 *   target_epoch             N
 *   attestation_root         S     as block_root
 *   retired                  BOOL
 *   begun_at                 N     seconds since 1970: since when there is a history, however empty
 *   origin                   S     how it began: fresh, imported, quiet
 *   edits                    N     how often anything but a duty was written: a request that was held back cannot be applied twice
 *
 * An item of its own holds the high watermark (slashing/dynamodb_high.h).
 * Attributes that are not known are absent, and others than these are left alone. The table needs to allow dynamodb:UpdateItem,
 * dynamodb:BatchGetItem and dynamodb:Scan. It must not be a global table with writers in several regions: conditions hold within a region.
 *
 * What was sent is in doubt until an answer says what became of it, and is sent again until then; at the deadline of its group it is
 * STORE_FAILED. That it was applied all the same is no danger: it raised a watermark, retired a key, or changed just what was read.
 * Why it is so: docs/decisions/0009-dynamodb-store.md.
 */
#pragma once

#include "aws/request.h"
#include "slashing/store.h"

#define STORE_DYNAMODB_TABLE "SlashingProtection"
/* A block is worthless about 4 s into its slot, and what waits behind a group wants some of that. */
#define STORE_DYNAMODB_DEADLINE_MS 3000
/* One attempt: far more than DynamoDB takes (tens of milliseconds), and three of them fit into the deadline. */
#define STORE_DYNAMODB_ATTEMPT_MS 1000
/*
 * Past this age the high watermark is read again before a group is judged by it, and if it cannot be, the group fails. Whoever has the store
 * reads it sooner, between two groups, so that a burst does not pay for it.
 */
#define STORE_DYNAMODB_HIGH_AGE_MAX_MS 30000

struct store_dynamodb_options {
	struct aws_endpoint
		endpoint; /* what it points to is borrowed for the store's life; timeout_ms 0: STORE_DYNAMODB_ATTEMPT_MS */
	const struct credentials *credentials; /* borrowed; may be given other contents while no call runs */
	const char *table;                     /* NULL: STORE_DYNAMODB_TABLE */
	unsigned deadline_ms;                  /* 0: STORE_DYNAMODB_DEADLINE_MS */
};

/*
 * Connects to nothing yet. NULL on failure. Results are as store.h says, and a row of another network than the one that is asked for
 * is STORE_WRONG_NETWORK for all but RETIRE and ENABLE, with the row's network in the result.
 */
MUST_USE struct slashing_store *slashing_store_open_dynamodb(const struct store_dynamodb_options *options, struct error *error);
