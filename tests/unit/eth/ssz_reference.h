/* SPDX-License-Identifier: Apache-2.0 */
/* The definitions of simple-serialize.md and EIP-7916 taken literally, with another SHA-256: recursive, with all leaves at hand. */
#pragma once

#include <openssl/sha.h>

#include "eth/network.h"

static inline void reference_pair(const uint8_t left[ROOT_SIZE], const uint8_t right[ROOT_SIZE], uint8_t ret_root[ROOT_SIZE])
{
	uint8_t pair[2 * ROOT_SIZE];

	memcpy(pair, left, ROOT_SIZE);
	memcpy(pair + ROOT_SIZE, right, ROOT_SIZE);
	(void)SHA256(pair, sizeof pair, ret_root);
}

/* merkleize(leaves, limit = width), width a power of two. */
static inline void reference_tree(const uint8_t (*leaves)[ROOT_SIZE], size_t count, uint64_t width, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t left[ROOT_SIZE];
	uint8_t right[ROOT_SIZE];
	uint64_t half = width / 2;

	if (width == 1) {
		memset(ret_root, 0, ROOT_SIZE);
		if (count)
			memcpy(ret_root, leaves[0], ROOT_SIZE);
		return;
	}
	reference_tree(leaves, count < half ? count : (size_t)half, half, left);
	/* A wide tree is empty for the most part, and both halves of what is empty are equal. */
	if (count == 0)
		memcpy(right, left, ROOT_SIZE);
	else
		reference_tree(leaves + (count > half ? half : 0), count > half ? count - (size_t)half : 0, half, right);
	reference_pair(left, right, ret_root);
}

/* merkleize_progressive(leaves, cap). */
static inline void reference_progressive(const uint8_t (*leaves)[ROOT_SIZE], size_t count, size_t cap, uint8_t ret_root[ROOT_SIZE])
{
	size_t first = count < cap ? count : cap;
	uint8_t subtree[ROOT_SIZE];
	uint8_t rest[ROOT_SIZE];

	memset(ret_root, 0, ROOT_SIZE);
	if (count == 0)
		return;
	reference_tree(leaves, first, cap, subtree);
	reference_progressive(leaves + first, count - first, cap * 4, rest);
	reference_pair(subtree, rest, ret_root);
}

/* mix_in_length and mix_in_active_fields. */
static inline void reference_mix_in(const uint8_t root[ROOT_SIZE], uint64_t value, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t chunk[ROOT_SIZE] = {0};

	for (size_t i = 0; i < 8; i++)
		chunk[i] = (uint8_t)(value >> (8 * i));
	reference_pair(root, chunk, ret_root);
}

static inline uint64_t reference_power_of_two(uint64_t at_least)
{
	uint64_t width = 1;

	while (width < at_least)
		width *= 2;
	return width;
}
