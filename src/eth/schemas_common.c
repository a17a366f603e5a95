/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/schemas_parts.h"

/* The branch of the deposit tree (depth 32) and its length. */
#define DEPOSIT_PROOF_SIZE 33

const struct ssz_type schema_checkpoint = {
	SSZ_FIELDS({"epoch", &ssz_uint64}, {"root", &ssz_bytes32}),
};

const struct ssz_type schema_attestation_data = {
	SSZ_FIELDS({"slot", &ssz_uint64}, {"index", &ssz_uint64}, {"beacon_block_root", &ssz_bytes32},
		   {"source", &schema_checkpoint}, {"target", &schema_checkpoint}),
};

const struct ssz_type schema_attestation_phase0 = {
	SSZ_FIELDS(ATTESTATION_MEMBERS(SSZ_BITLIST_OF(MAX_VALIDATORS_PER_COMMITTEE))),
};

const struct ssz_type schema_aggregate_and_proof_phase0 = {AGGREGATE_AND_PROOF_FIELDS(&schema_attestation_phase0)};

static const struct ssz_type indexed_attestation = {
	SSZ_FIELDS(INDEXED_ATTESTATION_MEMBERS(SSZ_LIST_OF(&ssz_uint64, MAX_VALIDATORS_PER_COMMITTEE))),
};

const struct ssz_type schema_attester_slashing_phase0 = {ATTESTER_SLASHING_FIELDS(&indexed_attestation)};

const struct ssz_type schema_beacon_block_header = {
	SSZ_FIELDS({"slot", &ssz_uint64}, {"proposer_index", &ssz_uint64}, {"parent_root", &ssz_bytes32},
		   {"state_root", &ssz_bytes32}, {"body_root", &ssz_bytes32}),
};

static const struct ssz_type signed_beacon_block_header = {SIGNED_FIELDS(&schema_beacon_block_header)};

const struct ssz_type schema_proposer_slashing = {
	SSZ_FIELDS({"signed_header_1", &signed_beacon_block_header}, {"signed_header_2", &signed_beacon_block_header}),
};

const struct ssz_type schema_eth1_data = {
	SSZ_FIELDS({"deposit_root", &ssz_bytes32}, {"deposit_count", &ssz_uint64}, {"block_hash", &ssz_bytes32}),
};

const struct ssz_type schema_deposit_message = {
	SSZ_FIELDS({"pubkey", &ssz_bytes48}, {"withdrawal_credentials", &ssz_bytes32}, {"amount", &ssz_uint64}),
};

const struct ssz_type schema_deposit_data = {
	SSZ_FIELDS({"pubkey", &ssz_bytes48}, {"withdrawal_credentials", &ssz_bytes32}, {"amount", &ssz_uint64},
		   {"signature", &ssz_bytes96}),
};

const struct ssz_type schema_deposit = {
	SSZ_FIELDS({"proof", SSZ_VECTOR_OF(&ssz_bytes32, DEPOSIT_PROOF_SIZE)}, {"data", &schema_deposit_data}),
};

const struct ssz_type schema_voluntary_exit = {
	SSZ_FIELDS({"epoch", &ssz_uint64}, {"validator_index", &ssz_uint64}),
};

const struct ssz_type schema_signed_voluntary_exit = {SIGNED_FIELDS(&schema_voluntary_exit)};

const struct ssz_type schema_beacon_block_body_phase0 = {SSZ_FIELDS(BLOCK_BODY_MEMBERS_PHASE0)};

const struct ssz_type schema_beacon_block_phase0 = {BEACON_BLOCK_FIELDS(&schema_beacon_block_body_phase0)};

const struct ssz_type schema_sync_aggregator_selection_data = {
	SSZ_FIELDS({"slot", &ssz_uint64}, {"subcommittee_index", &ssz_uint64}),
};

const struct ssz_type schema_validator_registration = {
	SSZ_FIELDS({"fee_recipient", &ssz_bytes20}, {"gas_limit", &ssz_uint64}, {"timestamp", &ssz_uint64},
		   {"pubkey", &ssz_bytes48}),
};
