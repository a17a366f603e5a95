/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/ssz_stream.h"

#include <pthread.h>

/* zero_roots[i]: root of 2^i zero leaves. */
static uint8_t zero_roots[SSZ_STREAM_DEPTH_MAX + 1][ROOT_SIZE];
static pthread_once_t zero_roots_once = PTHREAD_ONCE_INIT;

static void compute_zero_roots(void)
{
	for (size_t i = 0; i < SSZ_STREAM_DEPTH_MAX; i++)
		ssz_hash_pair(zero_roots[i], zero_roots[i], zero_roots[i + 1]);
}

static void init_empty(struct ssz_stream *stream, bool progressive, unsigned depth)
{
	if (pthread_once(&zero_roots_once, compute_zero_roots) != 0 || depth > SSZ_STREAM_DEPTH_MAX)
		abort();
	/* Nodes and subtrees are written before they are read; clearing two KiB for every list would cost more than short lists do. */
	stream->progressive = progressive;
	stream->depth = depth;
	stream->count = 0;
	stream->subtree_count = 0;
}

void ssz_stream_init(struct ssz_stream *stream, uint64_t leaf_limit)
{
	unsigned depth = 0;

	while (depth < SSZ_STREAM_DEPTH_MAX && UINT64_C(1) << depth < leaf_limit)
		depth++;
	if (UINT64_C(1) << depth < leaf_limit)
		abort();
	init_empty(stream, false, depth);
}

void ssz_stream_init_progressive(struct ssz_stream *stream)
{
	init_empty(stream, true, 0);
}

/* Root of the tree under way, with zero leaves where none were added. */
static void tree_root(const struct ssz_stream *stream, uint8_t ret_root[ROOT_SIZE])
{
	unsigned level;

	if (stream->count == 0) {
		memcpy(ret_root, zero_roots[stream->depth], ROOT_SIZE);
		return;
	}
	/* From the last complete subtree up: what waits at a level is its left neighbour, else zeros are its right one. */
	level = (unsigned)__builtin_ctzll(stream->count);
	memcpy(ret_root, stream->nodes[level], ROOT_SIZE);
	if (level == stream->depth)
		return;
	ssz_hash_pair(ret_root, zero_roots[level], ret_root);
	for (level++; level < stream->depth; level++) {
		bool left_waits = stream->count >> level & 1;

		ssz_hash_pair(left_waits ? stream->nodes[level] : ret_root, left_waits ? ret_root : zero_roots[level], ret_root);
	}
}

static void start_next_subtree(struct ssz_stream *stream)
{
	if (!stream->progressive || stream->subtree_count == SSZ_STREAM_SUBTREES_MAX - 1)
		abort();
	tree_root(stream, stream->subtrees[stream->subtree_count++]);
	stream->depth += 2;
	stream->count = 0;
}

void ssz_stream_add(struct ssz_stream *stream, const uint8_t leaf[ROOT_SIZE])
{
	uint8_t node[ROOT_SIZE];
	unsigned level = 0;

	if (stream->count == UINT64_C(1) << stream->depth)
		start_next_subtree(stream);
	memcpy(node, leaf, ROOT_SIZE);
	for (; stream->count >> level & 1; level++)
		ssz_hash_pair(stream->nodes[level], node, node);
	memcpy(stream->nodes[level], node, ROOT_SIZE);
	stream->count++;
}

void ssz_stream_root(struct ssz_stream *stream, uint8_t ret_root[ROOT_SIZE])
{
	if (!stream->progressive) {
		tree_root(stream, ret_root);
		return;
	}
	if (stream->count > 0)
		tree_root(stream, stream->subtrees[stream->subtree_count++]);
	memset(ret_root, 0, ROOT_SIZE);
	while (stream->subtree_count > 0)
		ssz_hash_pair(stream->subtrees[--stream->subtree_count], ret_root, ret_root);
}

void ssz_mix_in(const uint8_t root[ROOT_SIZE], uint64_t value, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t chunk[ROOT_SIZE];

	ssz_uint64_chunk(value, chunk);
	ssz_hash_pair(root, chunk, ret_root);
}
