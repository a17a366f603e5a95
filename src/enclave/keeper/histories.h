/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about what a key has signed, on their way to the ledger and back: the key manager's from the frontend, the operator's from the
 * opener, which may neither retire nor enable. What concerns memory is done here: a retired key signs no more from the moment that it is asked for, and what the ledger knows of a key is merged into its
 * watermark.
 */
#pragma once

#include "enclave/keeper/keys.h"
#include "enclave/keeper/retired.h"

/* With the ledger at one time; together with the commits they fit the sockets (COMMITS_IN_FLIGHT_MAX). */
#define KEEPER_HISTORIES_MAX 16

struct keeper_history {
	bool is_busy;
	int asker_fd;
	uint64_t id; /* the asker's */
	uint32_t action;
	bool was_loaded;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
};

struct keeper_histories {
	struct keeper_keys *keys;
	struct keeper_retired *retired;
	const struct network *network;
	bool slashing_protection; /* without it there is no ledger: what is asked is answered here */
	struct keeper_history under_way[KEEPER_HISTORIES_MAX];
};

/* Whether who is at this descriptor may ask for this action (enum history_action). */
bool keeper_histories_allows(int asker_fd, uint32_t action);
/*
 * A request that is allowed. True: *ret_to_ledger is to be sent to the ledger. False: *ret_result is the answer already.
 */
MUST_USE bool keeper_histories_ask(struct keeper_histories *histories, int asker_fd, const struct message_history *request,
				   struct message_history *ret_to_ledger, struct message_history_result *ret_result);
/* An answer of the ledger, made the asker's. ERROR_PEER: nobody asked. */
MUST_USE bool keeper_histories_answer(struct keeper_histories *histories, const struct message_history_result *answer,
				      int *ret_asker_fd, struct message_history_result *ret_result, struct error *error);
