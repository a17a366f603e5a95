/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network in JSON: the name of a built-in one, or an object with all that is known of another. In the measured configuration and
 * in local.json.
 *
 *   {"name":"devnet-7", "genesis_validators_root":"0x…" or "learn", "slots_per_epoch":"32", "sync_committee_size":"512",
 *    "max_committees_per_slot":"64", "forks":[{"name":"PHASE0","version":"0x…","epoch":"0"}, …]}
 *
 * Forks are in order, the first is PHASE0 at epoch 0; "epoch":null is a fork whose version is chosen and whose epoch is not. A fork
 * that is not there is not scheduled. "learn": the first root that something slashable is signed for is recorded, and every other
 * is refused from then on. Every member must be given, and no other may be.
 */
#pragma once

#include "base/json.h"
#include "eth/network.h"

#define NETWORK_ROOT_LEARN "learn"

MUST_USE bool network_json_read(json_t *object, const char *name, struct network *ret_network, struct error *error);
/* Equal networks give equal text: what equals a built-in one is written as its name. */
MUST_USE json_t *network_json_new(const struct network *network);
/* "0x…" of 32 bytes, or "learn". ERROR_INPUT says which. */
MUST_USE bool network_root_parse(const char *text, struct network *network, struct error *error);
