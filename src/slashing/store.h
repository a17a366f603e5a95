/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where watermarks become durable. A store holds one watermark a (public key, genesis validators root) and raises it by
 * compare-and-set under the rules of slashing/rules.h; it never lowers one. It also holds which keys it knows (nothing is committed for others)
 * and which are retired: whatever the network, nothing is committed for them. The ledger role uses it, and the operator's tools on a
 * store that no enclave has open.
 *
 * Two kinds: SQLite, here, for one enclave with a file of its own; DynamoDB, slashing/store_dynamodb.h, for many enclaves.
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
	bool may_begin; /* a key without history begins one (ORIGIN_QUIET) */
};

enum store_outcome {
	STORE_DURABLE = 0,   /* written, or the very same message was written before */
	STORE_CONFLICT,      /* refused by what is stored */
	STORE_FAILED,        /* in doubt: nobody may sign on it */
	STORE_WRONG_NETWORK, /* of another genesis validators root than the network's */
	STORE_RETIRED,       /* commits: the key is retired */
	STORE_NO_HISTORY,    /* commits: the key is not known, and may not begin */
	STORE_ABOVE_HIGH,    /* commits: at or above the high watermark */
	STORE_UNKNOWN,       /* histories: there is none of this key, or no further one */
};

struct store_result {
	enum store_outcome outcome;
	struct watermark watermark;                 /* STORE_CONFLICT: what the store holds */
	uint8_t genesis_validators_root[ROOT_SIZE]; /* STORE_WRONG_NETWORK: the network's */
};

enum store_action {
	STORE_READ = 1,
	STORE_RAISE, /* slashing_raise() by the watermark, which may be empty; begins a history (ORIGIN_IMPORTED); a retired key stays retired */
	STORE_RETIRE, /* with or without any history */
	STORE_ENABLE, /* undoes RETIRE, and BEGINs unless known_only */
	STORE_BEGIN,  /* it never signed: begins a history (ORIGIN_FRESH) if there is none, else changes nothing */
	STORE_NEXT, /* READ of the next known key after public_key (all zero: of the first), in the store's own order, which is fixed */
	STORE_READ_HIGH, /* the high watermark, which is not of one key */
	STORE_SET_HIGH,  /* puts it where `high` says, or takes it away; that it is above every low one is the caller's to see to */
};

struct store_history {
	enum store_action action;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t genesis_validators_root[ROOT_SIZE]; /* RAISE: of the watermark */
	struct watermark watermark;                 /* RAISE */
	bool known_only;                            /* RETIRE, ENABLE: leave a key without any history so (STORE_UNKNOWN) */
	struct high_watermark high;                 /* SET_HIGH */
};

struct store_history_result {
	enum store_outcome outcome; /* DURABLE, UNKNOWN (READ, RETIRE, ENABLE, NEXT), WRONG_NETWORK (RAISE) or FAILED */
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	bool is_new;                /* RAISE, ENABLE, BEGIN: there was no history before */
	bool is_retired;            /* after the action */
	enum history_origin origin; /* likewise */
	uint64_t begun_s;           /* seconds since 1970 by this machine's clock; 0: unknown */
	bool has_root;              /* whether the network's root is known, */
	uint8_t genesis_validators_root[ROOT_SIZE];
	struct watermark watermark; /* after the action, under the network's root, or where that is not known RAISE's; else empty */
	struct high_watermark high; /* READ_HIGH, SET_HIGH: after the action; nothing else is set then */
};

struct slashing_store;

/*
 * The embedded store: SQLite, WAL, synchronous FULL, exclusive locking (a second enclave on the same file is refused, and no file
 * is opened after this call, so the ledger can be sandboxed). `folder_fd` is the store's folder; NULL on failure.
 */
MUST_USE struct slashing_store *slashing_store_open_sqlite(int folder_fd, struct error *error);
void slashing_store_free(struct slashing_store *store); /* accepts NULL */

static inline void slashing_store_done(struct slashing_store **store)
{
	slashing_store_free(*store);
	*store = NULL;
}
#define AUTO_SLASHING_STORE CLEANUP(slashing_store_done)

/*
 * Which network the store is for; call one of them, or for a preset without a network none, once, after opening. What is of another root
 * is STORE_WRONG_NETWORK.
 * Where the root is not configured: that of the first commit that becomes durable is written with it, and from then on, in this group and
 * for ever, it is the network's. RAISE does not teach it, for an imported document of another network would then forbid this one for
 * ever; its watermark is kept under its own root, and is in force if that turns out to be the network's.
 * Only the embedded store learns (ERROR_INPUT): a table that a fleet shares is of networks that are known.
 */
void slashing_store_use_root(struct slashing_store *store, const uint8_t genesis_validators_root[ROOT_SIZE]);
MUST_USE bool slashing_store_learn_root(struct slashing_store *store, struct error *error);

/*
 * Group commit, in order, so that a later one sees an earlier one of the same key. Every result is set. False when one or more are
 * STORE_FAILED, and *error says why. SQLite: all of them in one durable transaction, which fails as a whole. DynamoDB: each for itself.
 */
MUST_USE bool slashing_store_commit(struct slashing_store *store, const struct store_commit *commits, size_t count,
				    struct store_result *ret_results, struct error *error);

/* The same for what the key manager asks about histories. */
MUST_USE bool slashing_store_history(struct slashing_store *store, const struct store_history *histories, size_t count,
				     struct store_history_result *ret_results, struct error *error);

/*
 * The high watermark that commits are judged by, read again when what is known of it is older than max_age_ms, which matters only where somebody
 * else can set it.
 */
MUST_USE bool slashing_store_high(struct slashing_store *store, uint64_t max_age_ms, struct high_watermark *ret_high,
				  struct error *error);

/*
 * Drops histories under another root than the network's where that is known, and gives unused space back. *ret_removed: how many
 * watermarks. ERROR_INPUT: this kind of store has nothing to prune.
 */
MUST_USE bool slashing_store_prune(struct slashing_store *store, size_t *ret_removed, struct error *error);

/*
 * The public keys that are retired, one after the other in ascending order, appended. More than `max` are ERROR_POLICY.
 */
MUST_USE bool slashing_store_list_retired(struct slashing_store *store, size_t max, struct buffer *ret_keys, struct error *error);
