/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which store the ledger has: the embedded one, in its folder, or the table of a fleet, which it reaches over the parent's relay with TLS that
 * ends here. A table cannot be read before the opener has brought credentials: until then every group fails.
 */
#pragma once

#include "aws/credentials.h"
#include "enclave/role_outside.h"
#include "slashing/store.h"

struct ledger_stores {
	bool is_remote;
	struct slashing_store *store;
	/* Of a table. */
	struct configuration configuration;
	struct address relay;
	struct credentials credentials; /* that the store has; empty before the first */
	bool tells_retired;             /* the keeper is to hear of retired keys, */
	bool has_told;                  /* and has */
	struct high_watermark told;     /* the high watermark that it knows; none at first */
};

/*
 * How often the high watermark of a table is read between two groups; another enclave or a tool can set it. A read each costs less
 * than a dollar a year, and an operator who sets one can wait so long.
 */
#define LEDGER_HIGH_AGE_MS 10000

/* Before the sandbox: opens files, connects to nothing. */
MUST_USE bool ledger_stores_open(struct ledger_stores *stores, int argc, char **argv, const struct message_start *start,
				 struct error *error);
void ledger_stores_done(struct ledger_stores *stores);
/* At the start: the keys that are retired, as far as they can be read yet, for the keeper. */
MUST_USE bool ledger_stores_tell_retired(struct ledger_stores *stores, struct error *error);
/*
 * Have the keeper know the high watermark, if it is another than it was told. What cannot be read is not told: what is judged by it fails then,
 * with the reason. False: the keeper is gone.
 */
MUST_USE bool ledger_stores_tell_high(struct ledger_stores *stores, uint64_t max_age_ms, struct error *error);
/*
 * Use these from now on. False: the table cannot be read with them, and *error says why; they are used all the same, for it may have been
 * the table's fault, and the ones before are older. The first that work bring the list of retired keys, for the keeper.
 */
MUST_USE bool ledger_stores_take_credentials(struct ledger_stores *stores, const struct message_store_credentials *message,
					     struct error *error);
