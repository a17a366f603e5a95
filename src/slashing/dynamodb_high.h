/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The high watermark of a network in a slashing table: an item of its own, whose pubkey is high_watermark_ and the genesis validators root,
 * with the numbers high_slot and high_epoch. Any enclave or tool may set it, and the last one wins. It is not part of the condition of
 * a commit, for all commits of a fleet would be in each other's way then; each enclave reads it now and again.
 */
#pragma once

#include "aws/dynamodb.h"
#include "slashing/rules.h"

struct dynamodb_high {
	struct dynamodb *client; /* borrowed, as is the table's name */
	const char *table;
	bool has_root;
	uint8_t genesis_validators_root[ROOT_SIZE];
	/* What was read last, and when. */
	bool is_known;
	uint64_t known_ms;
	struct high_watermark known;
};

/* From what is known if it is younger than max_age_ms; else by a consistent read. Without a root there is none. */
MUST_USE bool dynamodb_high_read(struct dynamodb_high *high, uint64_t max_age_ms, uint64_t deadline_ms,
				 struct high_watermark *ret_high, struct error *error);
/* ERROR_INPUT without a root. */
MUST_USE bool dynamodb_high_write(struct dynamodb_high *high, const struct high_watermark *wanted, uint64_t deadline_ms,
				  struct error *error);
/* Whether it is such an item, and no key's row. */
bool dynamodb_high_is_item(json_t *item);
