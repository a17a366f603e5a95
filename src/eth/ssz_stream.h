/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merkleization of leaves that come one at a time: one node a level is kept, never the leaves. Both trees of SSZ: the one whose
 * size a limit fixes (simple-serialize.md, merkleize) and the progressive one (EIP-7916), a chain of subtrees of 1, 4, 16, …
 * leaves where every link is sha256(root of the subtree ‖ rest) and the end of the chain is zero.
 */
#pragma once

#include "eth/ssz.h"

/* The largest limit in Ethereum is 2^40 leaves (VALIDATOR_REGISTRY_LIMIT). */
#define SSZ_STREAM_DEPTH_MAX 40
/* The last of twenty subtrees has 4^19 leaves, so that all of them hold eleven terabytes: more than there is memory for JSON. */
#define SSZ_STREAM_SUBTREES_MAX 20

struct ssz_stream {
	bool progressive;
	unsigned depth; /* of the tree under way */
	uint64_t count; /* leaves in it */
	uint8_t nodes[SSZ_STREAM_DEPTH_MAX + 1]
		     [ROOT_SIZE]; /* at bit i of `count`: root of 2^i leaves that waits for its neighbour */
	unsigned subtree_count;   /* progressive: subtrees that are full */
	uint8_t subtrees[SSZ_STREAM_SUBTREES_MAX][ROOT_SIZE]; /* and their roots */
};

/* A tree with room for `leaf_limit` leaves, at most 2^SSZ_STREAM_DEPTH_MAX. */
void ssz_stream_init(struct ssz_stream *stream, uint64_t leaf_limit);
void ssz_stream_init_progressive(struct ssz_stream *stream);
/* A leaf beyond the limit ends the process: the caller has checked. */
void ssz_stream_add(struct ssz_stream *stream, const uint8_t leaf[ROOT_SIZE]);
/* The root over what was added. The stream is used up. */
void ssz_stream_root(struct ssz_stream *stream, uint8_t ret_root[ROOT_SIZE]);
/* sha256(root ‖ value): mix_in_length, and mix_in_active_fields for up to 64 fields. May be in place. */
void ssz_mix_in(const uint8_t root[ROOT_SIZE], uint64_t value, uint8_t ret_root[ROOT_SIZE]);
