/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/ssz.h"

#include <blst.h>
#include <blst_aux.h>

void sha256(struct view bytes, uint8_t ret_digest[32])
{
	blst_sha256(ret_digest, bytes.data, bytes.size);
}

void ssz_uint64_chunk(uint64_t value, uint8_t ret_chunk[ROOT_SIZE])
{
	memset(ret_chunk, 0, ROOT_SIZE);
	store_le64(ret_chunk, value);
}

void ssz_hash_pair(const uint8_t left[ROOT_SIZE], const uint8_t right[ROOT_SIZE], uint8_t ret_root[ROOT_SIZE])
{
	uint8_t pair[2 * ROOT_SIZE];

	memcpy(pair, left, ROOT_SIZE);
	memcpy(pair + ROOT_SIZE, right, ROOT_SIZE);
	sha256(view_of(pair, sizeof pair), ret_root);
}

void ssz_merkleize(uint8_t (*chunks)[ROOT_SIZE], size_t count, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t padding[ROOT_SIZE] = {0}; /* root of a subtree of zero leaves, one level higher each round */

	while (count > 1) {
		size_t pairs = count / 2;

		for (size_t i = 0; i < pairs; i++)
			ssz_hash_pair(chunks[2 * i], chunks[2 * i + 1], chunks[i]);
		if (count % 2)
			ssz_hash_pair(chunks[count - 1], padding, chunks[pairs]);
		ssz_hash_pair(padding, padding, padding);
		count = pairs + count % 2;
	}
	memcpy(ret_root, chunks[0], ROOT_SIZE);
}
