/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where watermarks become durable. A store holds one watermark a (public key, genesis validators root) and raises it by
 * compare-and-set under the rules of slashing/rules.h; it never lowers one. Only the ledger role uses it.
 */
#pragma once

#include "crypto/bls.h"
#include "slashing/rules.h"

enum store_duty { STORE_DUTY_BLOCK = 1, STORE_DUTY_ATTESTATION };

struct store_commit {
	enum store_duty duty;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t genesis_validators_root[ROOT_SIZE];
	uint64_t slot;         /* blocks */
	uint64_t source_epoch; /* attestations */
	uint64_t target_epoch;
	uint8_t signing_root[ROOT_SIZE];
};

enum store_outcome {
	STORE_DURABLE = 0,   /* written, or the very same message was written before */
	STORE_CONFLICT,      /* refused by what is stored */
	STORE_FAILED,        /* in doubt: nobody may sign on it */
	STORE_WRONG_NETWORK, /* of another genesis validators root than the store learned */
};

struct store_result {
	enum store_outcome outcome;
	struct watermark watermark;                 /* STORE_CONFLICT: what the store holds */
	uint8_t genesis_validators_root[ROOT_SIZE]; /* STORE_WRONG_NETWORK: the one that it learned */
};

struct slashing_store;

/*
 * The embedded store: SQLite, WAL, synchronous FULL, exclusive locking (a second enclave on the same file is refused, and no file
 * is opened after this call, so the ledger can be sandboxed). `folder_fd` is the store's folder; NULL on failure.
 */
MUST_USE struct slashing_store *slashing_store_open_sqlite(int folder_fd, struct error *error);
void slashing_store_free(struct slashing_store *store);

static inline void slashing_store_done(struct slashing_store **store)
{
	slashing_store_free(*store);
	*store = NULL;
}
#define AUTO_SLASHING_STORE CLEANUP(slashing_store_done)

/*
 * For networks whose genesis validators root is not configured: the root of the first commit that becomes durable is written with it,
 * and from then on, in this group and for ever, commits of another root are STORE_WRONG_NETWORK. Call it once, after opening.
 */
void slashing_store_learn_root(struct slashing_store *store);

/*
 * Group commit: all of them in one durable transaction, in order, so that a later one sees an earlier one of the same key.
 * Every result is set. When the transaction fails all are STORE_FAILED and *error says why (returns false).
 */
MUST_USE bool slashing_store_commit(struct slashing_store *store, const struct store_commit *commits, size_t count,
				    struct store_result *ret_results, struct error *error);
