/* SPDX-License-Identifier: Apache-2.0 */
/* What schemas*.c share. */
#pragma once

#include "eth/schemas.h"

/* Limits from the specs' presets; these are the same in all of them. */
#define MAX_VALIDATORS_PER_COMMITTEE 2048
#define MAX_PROPOSER_SLASHINGS 16
#define MAX_ATTESTER_SLASHINGS 2
#define MAX_ATTESTATIONS 128
#define MAX_DEPOSITS 16
#define MAX_VOLUNTARY_EXITS 16
#define BYTES_PER_LOGS_BLOOM 256
#define MAX_EXTRA_DATA_BYTES 32

/* Containers whose members differ from fork to fork in type only. */
#define SIGNED_FIELDS(type) SSZ_FIELDS({"message", (type)}, {"signature", &ssz_bytes96})
#define BEACON_BLOCK_FIELDS(body_type)                                                                                             \
	SSZ_FIELDS({"slot", &ssz_uint64}, {"proposer_index", &ssz_uint64}, {"parent_root", &ssz_bytes32},                          \
		   {"state_root", &ssz_bytes32}, {"body", (body_type)})
#define AGGREGATE_AND_PROOF_FIELDS(attestation_type)                                                                               \
	SSZ_FIELDS({"aggregator_index", &ssz_uint64}, {"aggregate", (attestation_type)}, {"selection_proof", &ssz_bytes96})
#define ATTESTER_SLASHING_FIELDS(attestation_type)                                                                                 \
	SSZ_FIELDS({"attestation_1", (attestation_type)}, {"attestation_2", (attestation_type)})

/* Members that several containers begin with or consist of. */
#define ATTESTATION_MEMBERS(bits_type)                                                                                             \
	SSZ_FIELD("aggregation_bits", bits_type), SSZ_FIELD("data", &schema_attestation_data), SSZ_FIELD("signature", &ssz_bytes96)
#define INDEXED_ATTESTATION_MEMBERS(indices_type)                                                                                  \
	SSZ_FIELD("attesting_indices", indices_type), SSZ_FIELD("data", &schema_attestation_data),                                 \
		SSZ_FIELD("signature", &ssz_bytes96)
#define BLOCK_BODY_MEMBERS(attester_slashings_type, attestations_type)                                                             \
	SSZ_FIELD("randao_reveal", &ssz_bytes96), SSZ_FIELD("eth1_data", &schema_eth1_data), SSZ_FIELD("graffiti", &ssz_bytes32),  \
		SSZ_FIELD("proposer_slashings", SSZ_LIST_OF(&schema_proposer_slashing, MAX_PROPOSER_SLASHINGS)),                   \
		SSZ_FIELD("attester_slashings", attester_slashings_type), SSZ_FIELD("attestations", attestations_type),            \
		SSZ_FIELD("deposits", SSZ_LIST_OF(&schema_deposit, MAX_DEPOSITS)),                                                 \
		SSZ_FIELD("voluntary_exits", SSZ_LIST_OF(&schema_signed_voluntary_exit, MAX_VOLUNTARY_EXITS))
#define BLOCK_BODY_MEMBERS_PHASE0                                                                                                  \
	BLOCK_BODY_MEMBERS(SSZ_LIST_OF(&schema_attester_slashing_phase0, MAX_ATTESTER_SLASHINGS),                                  \
			   SSZ_LIST_OF(&schema_attestation_phase0, MAX_ATTESTATIONS))
#define EXECUTION_PAYLOAD_MEMBERS                                                                                                  \
	SSZ_FIELD("parent_hash", &ssz_bytes32), SSZ_FIELD("fee_recipient", &ssz_bytes20), SSZ_FIELD("state_root", &ssz_bytes32),   \
		SSZ_FIELD("receipts_root", &ssz_bytes32), SSZ_FIELD("logs_bloom", SSZ_BYTES_OF(BYTES_PER_LOGS_BLOOM)),             \
		SSZ_FIELD("prev_randao", &ssz_bytes32), SSZ_FIELD("block_number", &ssz_uint64),                                    \
		SSZ_FIELD("gas_limit", &ssz_uint64), SSZ_FIELD("gas_used", &ssz_uint64), SSZ_FIELD("timestamp", &ssz_uint64),      \
		SSZ_FIELD("extra_data", SSZ_BYTE_LIST_OF(MAX_EXTRA_DATA_BYTES)), SSZ_FIELD("base_fee_per_gas", &ssz_uint256),      \
		SSZ_FIELD("block_hash", &ssz_bytes32)

/* The same on every network (schemas_common.c). */
extern const struct ssz_type schema_checkpoint;
extern const struct ssz_type schema_attestation_data;
extern const struct ssz_type schema_attestation_phase0;
extern const struct ssz_type schema_aggregate_and_proof_phase0;
extern const struct ssz_type schema_attester_slashing_phase0;
extern const struct ssz_type schema_beacon_block_header;
extern const struct ssz_type schema_beacon_block_body_phase0;
extern const struct ssz_type schema_beacon_block_phase0;
extern const struct ssz_type schema_eth1_data;
extern const struct ssz_type schema_proposer_slashing;
extern const struct ssz_type schema_deposit;
extern const struct ssz_type schema_deposit_data;
extern const struct ssz_type schema_deposit_message;
extern const struct ssz_type schema_voluntary_exit;
extern const struct ssz_type schema_signed_voluntary_exit;
extern const struct ssz_type schema_sync_aggregator_selection_data;
extern const struct ssz_type schema_validator_registration;

/* The same on every network, new in the drafts (schemas_gloas.c). */
extern const struct ssz_type schema_withdrawal;
extern const struct ssz_type schema_deposit_request;
extern const struct ssz_type schema_withdrawal_request;
extern const struct ssz_type schema_consolidation_request;
extern const struct ssz_type schema_builder_exit_request;
extern const struct ssz_type schema_execution_requests_gloas;
extern const struct ssz_type schema_execution_payload_gloas;
extern const struct ssz_type schema_execution_payload_bid_gloas;
extern const struct ssz_type schema_execution_payload_bid_heze;
extern const struct ssz_type schema_execution_payload_envelope;
extern const struct ssz_type schema_payload_attestation_data;
extern const struct ssz_type schema_proposer_preferences;
extern const struct ssz_type schema_builder_request_auth;
extern const struct ssz_type schema_inclusion_list;

/* What the preset decides: each name once a preset, schema_mainnet_… and schema_minimal_… (schemas_preset.h). */
#define DECLARE_PRESET_TYPES(preset)                                                                                               \
	extern const struct ssz_type schema_##preset##_sync_aggregate;                                                             \
	extern const struct ssz_type schema_##preset##_beacon_block_body_altair;                                                   \
	extern const struct ssz_type schema_##preset##_attestation_electra;                                                        \
	extern const struct ssz_type schema_##preset##_attestation_gloas;                                                          \
	extern const struct ssz_type schema_##preset##_aggregate_and_proof_electra;                                                \
	extern const struct ssz_type schema_##preset##_aggregate_and_proof_gloas;                                                  \
	extern const struct ssz_type schema_##preset##_contribution_and_proof
DECLARE_PRESET_TYPES(mainnet);
DECLARE_PRESET_TYPES(minimal);

/* All types of a preset, and the sizes by which it is known. */
struct schema_preset {
	uint64_t sync_committee_size;
	uint64_t max_committees_per_slot;
	const struct ssz_type *types[SCHEMA_COUNT][FORK_COUNT]; /* NULL: the fork does not have it */
};

extern const struct schema_preset schema_mainnet;
extern const struct schema_preset schema_minimal;
