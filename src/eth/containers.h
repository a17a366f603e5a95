/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consensus containers that a validator signs, as plain structs, and their hash_tree_roots (consensus-specs phase0 to
 * gloas, builder-specs). What is too large for a struct has a schema instead (eth/schemas.h).
 */
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

#define EXECUTION_ADDRESS_SIZE 20
/* A compressed BLS public key and a signature, as members of a container. */
#define SSZ_PUBLIC_KEY_SIZE 48
#define SSZ_SIGNATURE_SIZE 96

struct voluntary_exit {
	uint64_t epoch;
	uint64_t validator_index;
};

/* What SYNC_COMMITTEE_MESSAGE names: the block root is itself the object root, the slot picks the fork. */
struct sync_committee_vote {
	uint8_t beacon_block_root[ROOT_SIZE];
	uint64_t slot;
};

struct sync_aggregator_selection_data {
	uint64_t slot;
	uint64_t subcommittee_index;
};

struct deposit_message {
	uint8_t pubkey[SSZ_PUBLIC_KEY_SIZE];
	uint8_t withdrawal_credentials[ROOT_SIZE];
	uint64_t amount; /* Gwei */
};

/* DepositData: what the deposit contract takes. */
struct deposit_data {
	struct deposit_message message; /* its members are DepositData's own, in this order */
	uint8_t signature[SSZ_SIGNATURE_SIZE];
};

/* capella: withdrawals of a validator go to an execution address from then on. */
struct bls_to_execution_change {
	uint64_t validator_index;
	uint8_t from_bls_pubkey[SSZ_PUBLIC_KEY_SIZE];
	uint8_t to_execution_address[EXECUTION_ADDRESS_SIZE];
};

/* ValidatorRegistrationV1 of builder-specs. */
struct validator_registration {
	uint8_t fee_recipient[EXECUTION_ADDRESS_SIZE];
	uint64_t gas_limit;
	uint64_t timestamp; /* Unix time in seconds */
	uint8_t pubkey[SSZ_PUBLIC_KEY_SIZE];
};

/* Draft, gloas. */
struct payload_attestation_data {
	uint8_t beacon_block_root[ROOT_SIZE];
	uint64_t slot;
	uint8_t payload_present;     /* 0 or 1; any other value counts as 1 */
	uint8_t blob_data_available; /* likewise */
};

/* Draft, gloas. */
struct proposer_preferences {
	uint8_t dependent_root[ROOT_SIZE];
	uint64_t proposal_slot;
	uint64_t validator_index;
	uint8_t fee_recipient[EXECUTION_ADDRESS_SIZE];
	uint64_t target_gas_limit;
};

void attestation_data_root(const struct attestation_data *data, uint8_t ret_root[ROOT_SIZE]);
void beacon_block_header_root(const struct beacon_block_header *header, uint8_t ret_root[ROOT_SIZE]);
/* The root of a bare uint64 (an epoch for RANDAO_REVEAL, a slot for AGGREGATION_SLOT). */
void uint64_root(uint64_t value, uint8_t ret_root[ROOT_SIZE]);
void voluntary_exit_root(const struct voluntary_exit *message, uint8_t ret_root[ROOT_SIZE]);
void sync_aggregator_selection_data_root(const struct sync_aggregator_selection_data *data, uint8_t ret_root[ROOT_SIZE]);
void deposit_message_root(const struct deposit_message *message, uint8_t ret_root[ROOT_SIZE]);
void deposit_data_root(const struct deposit_data *data, uint8_t ret_root[ROOT_SIZE]);
void bls_to_execution_change_root(const struct bls_to_execution_change *message, uint8_t ret_root[ROOT_SIZE]);
void validator_registration_root(const struct validator_registration *registration, uint8_t ret_root[ROOT_SIZE]);
void payload_attestation_data_root(const struct payload_attestation_data *data, uint8_t ret_root[ROOT_SIZE]);
void proposer_preferences_root(const struct proposer_preferences *preferences, uint8_t ret_root[ROOT_SIZE]);
