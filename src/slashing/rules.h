/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slashing protection by watermarks: EIP-3076's minimal strategy, as pure functions. A key has one watermark; a block is signed
 * only above its slot, an attestation only with source >= the last source and target > the last target. The same signing
 * root at the same place again is allowed (a client that lost our answer asks again), so the last root is kept too.
 */
#pragma once

#include "eth/network.h"

struct watermark {
	bool has_block;
	bool has_attestation;
	uint64_t block_slot;
	uint8_t block_root[ROOT_SIZE]; /* signing root; all zero: unknown, equals nothing */
	uint64_t source_epoch;
	uint64_t target_epoch;
	uint8_t attestation_root[ROOT_SIZE];
};

/*
 * From where on nothing is signed by any key, whatever its own watermark says: an operator sets it, so that of two signers one
 * ends where the other begins. {0}: there is none.
 */
struct high_watermark {
	uint8_t has_slot; /* 0 or 1, as has_epoch; no bool, for it crosses walls as it is */
	uint8_t has_epoch;
	uint64_t slot;  /* blocks of this slot and above are refused */
	uint64_t epoch; /* attestations whose source or target is this epoch or above are refused */
};

/* How a key's history began here. */
enum history_origin {
	ORIGIN_UNKNOWN = 0, /* before Ensign wrote it down */
	ORIGIN_FRESH,       /* somebody who may said that it never signed anything */
	ORIGIN_IMPORTED,    /* with what it had signed elsewhere */
	ORIGIN_QUIET,       /* it was loaded and quiet for the quiet period */
	ORIGIN_COUNT,
};

/* "unknown", "fresh", "imported", "quiet"; "unknown" for what is none. And back. */
const char *history_origin_name(uint32_t origin);
enum history_origin history_origin_parse(const char *name);

enum slashing_verdict {
	SLASHING_SAFE,          /* sign, and raise the watermark first */
	SLASHING_REPEAT,        /* the very same message as last time: sign again, nothing to record */
	SLASHING_BLOCK_TOO_LOW, /* slot <= the last signed slot: a double proposal or an unprovable one */
	SLASHING_SOURCE_AFTER_TARGET,
	SLASHING_SOURCE_TOO_LOW,   /* source below the last source: could be surrounded */
	SLASHING_TARGET_TOO_LOW,   /* target at or below the last target: a double vote or a surround */
	SLASHING_BLOCK_ABOVE_HIGH, /* at or above the high watermark: said by those who know it, not by the checks of a watermark */
	SLASHING_ATTESTATION_ABOVE_HIGH, /* likewise */
	SLASHING_VERDICT_COUNT,
};

enum slashing_verdict slashing_check_block(const struct watermark *watermark, uint64_t slot, const uint8_t signing_root[ROOT_SIZE]);
enum slashing_verdict slashing_check_attestation(const struct watermark *watermark, uint64_t source_epoch, uint64_t target_epoch,
						 const uint8_t signing_root[ROOT_SIZE]);
/* Whether a duty is at or above the high watermark. */
bool slashing_is_block_above(const struct high_watermark *high, uint64_t slot);
bool slashing_is_attestation_above(const struct high_watermark *high, uint64_t source_epoch, uint64_t target_epoch);
/* Record what a SAFE verdict allowed. */
void slashing_record_block(struct watermark *watermark, uint64_t slot, const uint8_t signing_root[ROOT_SIZE]);
void slashing_record_attestation(struct watermark *watermark, uint64_t source_epoch, uint64_t target_epoch,
				 const uint8_t signing_root[ROOT_SIZE]);
/*
 * Take over what was signed elsewhere: slot, source and target each become the larger of the two, whatever the other says, so nothing is
 * lowered and source may pass target. A root stays with its maximum only where it is unambiguous: no entry of the same slot (target)
 * has another root or an unknown one, and for attestations the largest source and the largest target are those of one message.
 * The order in which histories are taken over does not matter.
 */
void slashing_raise(struct watermark *watermark, const struct watermark *other);
