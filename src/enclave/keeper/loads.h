/* SPDX-License-Identifier: Apache-2.0 */
/* The opener's loads: what it says is judged at the end of each, when it listens. */
#pragma once

#include "enclave/keeper/keys.h"

struct keeper_loads {
	struct keeper_keys *keys;
	bool is_open;                       /* between BEGIN and END */
	uint64_t count;                     /* of keys that were named */
	uint64_t left_out;                  /* of those: deleted since the opener was told which there are */
	struct message_load_result failure; /* the first fault; status LOAD_OK: none */
	uint64_t failed_count;              /* rows that the load in service was to have and has not */
};

void keeper_loads_begin(struct keeper_loads *loads);
void keeper_loads_key(struct keeper_loads *loads, const struct message_load_key *message);
void keeper_loads_keep(struct keeper_loads *loads, const struct message_load_keep *message);
/* All of the load signs from now on, or nothing has changed. */
void keeper_loads_end(struct keeper_loads *loads, const struct message_load_end *message, struct message_load_result *ret_result);
