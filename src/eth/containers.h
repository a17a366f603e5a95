/* SPDX-License-Identifier: Apache-2.0 */
/* Consensus containers that a validator signs, as plain structs, and their hash_tree_roots (consensus-specs phase0). */
#pragma once

#include "eth/network.h"

struct checkpoint {
	uint64_t epoch;
	uint8_t root[ROOT_SIZE];
};

struct attestation_data {
	uint64_t slot;
	uint64_t index;
	uint8_t beacon_block_root[ROOT_SIZE];
	struct checkpoint source;
	struct checkpoint target;
};

struct beacon_block_header {
	uint64_t slot;
	uint64_t proposer_index;
	uint8_t parent_root[ROOT_SIZE];
	uint8_t state_root[ROOT_SIZE];
	uint8_t body_root[ROOT_SIZE];
};

void attestation_data_root(const struct attestation_data *data, uint8_t ret_root[ROOT_SIZE]);
void beacon_block_header_root(const struct beacon_block_header *header, uint8_t ret_root[ROOT_SIZE]);
/* The root of a bare uint64 (an epoch for RANDAO_REVEAL, a slot for AGGREGATION_SLOT). */
void uint64_root(uint64_t value, uint8_t ret_root[ROOT_SIZE]);
