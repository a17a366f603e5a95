/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys that were deleted through the key manager and not imported again since: nothing of any type is signed with one, whatever the key
 * table brings. The ledger, which has them durably, says which they are when it starts; whatever changes after that goes
 * through the keeper, so to ask here is enough.
 */
#pragma once

#include "enclave/messages.h"

struct keeper_retired {
	struct buffer keys; /* one after the other, in ascending order */
};

/* What the ledger says at its start, in pages; waits for them. ERROR_PEER: it says something else. */
MUST_USE bool keeper_retired_receive(struct keeper_retired *retired, struct error *error);
bool keeper_retired_has(const struct keeper_retired *retired, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);
/* False: there are RETIRED_KEYS_MAX already. One that is there is added well. */
MUST_USE bool keeper_retired_add(struct keeper_retired *retired, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);
/* One that is not there changes nothing. */
void keeper_retired_remove(struct keeper_retired *retired, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);
