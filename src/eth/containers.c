/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/containers.h"

#include "eth/ssz.h"

void uint64_root(uint64_t value, uint8_t ret_root[ROOT_SIZE])
{
	ssz_uint64_chunk(value, ret_root);
}

static void checkpoint_root(const struct checkpoint *checkpoint, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t epoch[ROOT_SIZE];

	ssz_uint64_chunk(checkpoint->epoch, epoch);
	ssz_hash_pair(epoch, checkpoint->root, ret_root);
}

void attestation_data_root(const struct attestation_data *data, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t fields[5][ROOT_SIZE];

	ssz_uint64_chunk(data->slot, fields[0]);
	ssz_uint64_chunk(data->index, fields[1]);
	memcpy(fields[2], data->beacon_block_root, ROOT_SIZE);
	checkpoint_root(&data->source, fields[3]);
	checkpoint_root(&data->target, fields[4]);
	ssz_merkleize(fields, ARRAY_SIZE(fields), ret_root);
}

void beacon_block_header_root(const struct beacon_block_header *header, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t fields[5][ROOT_SIZE];

	ssz_uint64_chunk(header->slot, fields[0]);
	ssz_uint64_chunk(header->proposer_index, fields[1]);
	memcpy(fields[2], header->parent_root, ROOT_SIZE);
	memcpy(fields[3], header->state_root, ROOT_SIZE);
	memcpy(fields[4], header->body_root, ROOT_SIZE);
	ssz_merkleize(fields, ARRAY_SIZE(fields), ret_root);
}
