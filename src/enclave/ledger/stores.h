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
};

/* Before the sandbox: opens files, connects to nothing. */
MUST_USE bool ledger_stores_open(struct ledger_stores *stores, int argc, char **argv, const struct message_start *start,
				 struct error *error);
void ledger_stores_done(struct ledger_stores *stores);
/* At the start: the keys that are retired, as far as they can be read yet, for the keeper. */
MUST_USE bool ledger_stores_tell_retired(struct ledger_stores *stores, struct error *error);
/*
 * Use these from now on. False: the table cannot be read with them, and *error says why; they are used all the same, for it may have been
 * the table's fault, and the ones before are older. The first that work bring the list of retired keys, for the keeper.
 */
MUST_USE bool ledger_stores_take_credentials(struct ledger_stores *stores, const struct message_store_credentials *message,
					     struct error *error);
