/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/schemas_parts.h"

/* builder-specs, gloas. */
#define MAX_BUILDER_AUTH_DATA_SIZE 4096
/* consensus-specs, heze; the same in every preset. */
#define INCLUSION_LIST_COMMITTEE_SIZE 16

static const struct ssz_type transactions = {
	.kind = SSZ_LIST,
	.progressive = true,
	.element = SSZ_PROGRESSIVE_BYTE_LIST,
};

const struct ssz_type schema_withdrawal = {
	SSZ_FIELDS({"index", &ssz_uint64}, {"validator_index", &ssz_uint64}, {"address", &ssz_bytes20}, {"amount", &ssz_uint64}),
};

const struct ssz_type schema_execution_payload_gloas = {
	SSZ_PROGRESSIVE_FIELDS(EXECUTION_PAYLOAD_MEMBERS, {"transactions", &transactions},
			       {"withdrawals", SSZ_PROGRESSIVE_LIST_OF(&schema_withdrawal)}, {"blob_gas_used", &ssz_uint64},
			       {"excess_blob_gas", &ssz_uint64}, {"block_access_list", SSZ_PROGRESSIVE_BYTE_LIST},
			       {"slot_number", &ssz_uint64}),
};

const struct ssz_type schema_deposit_request = {
	SSZ_FIELDS({"pubkey", &ssz_bytes48}, {"withdrawal_credentials", &ssz_bytes32}, {"amount", &ssz_uint64},
		   {"signature", &ssz_bytes96}, {"index", &ssz_uint64}),
};

const struct ssz_type schema_withdrawal_request = {
	SSZ_FIELDS({"source_address", &ssz_bytes20}, {"validator_pubkey", &ssz_bytes48}, {"amount", &ssz_uint64}),
};

const struct ssz_type schema_consolidation_request = {
	SSZ_FIELDS({"source_address", &ssz_bytes20}, {"source_pubkey", &ssz_bytes48}, {"target_pubkey", &ssz_bytes48}),
};

const struct ssz_type schema_builder_exit_request = {
	SSZ_FIELDS({"source_address", &ssz_bytes20}, {"pubkey", &ssz_bytes48}),
};

/* A builder's deposit has the members of a validator's. */
const struct ssz_type schema_execution_requests_gloas = {
	SSZ_PROGRESSIVE_FIELDS({"deposits", SSZ_PROGRESSIVE_LIST_OF(&schema_deposit_request)},
			       {"withdrawals", SSZ_PROGRESSIVE_LIST_OF(&schema_withdrawal_request)},
			       {"consolidations", SSZ_PROGRESSIVE_LIST_OF(&schema_consolidation_request)},
			       {"builder_deposits", SSZ_PROGRESSIVE_LIST_OF(&schema_deposit_data)},
			       {"builder_exits", SSZ_PROGRESSIVE_LIST_OF(&schema_builder_exit_request)}),
};

#define BID_MEMBERS                                                                                                                \
	SSZ_FIELD("parent_block_hash", &ssz_bytes32), SSZ_FIELD("parent_block_root", &ssz_bytes32),                                \
		SSZ_FIELD("block_hash", &ssz_bytes32), SSZ_FIELD("prev_randao", &ssz_bytes32),                                     \
		SSZ_FIELD("fee_recipient", &ssz_bytes20), SSZ_FIELD("gas_limit", &ssz_uint64),                                     \
		SSZ_FIELD("builder_index", &ssz_uint64), SSZ_FIELD("slot", &ssz_uint64), SSZ_FIELD("value", &ssz_uint64),          \
		SSZ_FIELD("execution_payment", &ssz_uint64),                                                                       \
		SSZ_FIELD("blob_kzg_commitments", SSZ_PROGRESSIVE_LIST_OF(&ssz_bytes48)),                                          \
		SSZ_FIELD("execution_requests_root", &ssz_bytes32)

const struct ssz_type schema_execution_payload_bid_gloas = {SSZ_PROGRESSIVE_FIELDS(BID_MEMBERS)};

const struct ssz_type schema_execution_payload_bid_heze = {
	SSZ_PROGRESSIVE_FIELDS(BID_MEMBERS, {"inclusion_list_bits", SSZ_BITVECTOR_OF(INCLUSION_LIST_COMMITTEE_SIZE)}),
};

const struct ssz_type schema_execution_payload_envelope = {
	SSZ_PROGRESSIVE_FIELDS({"payload", &schema_execution_payload_gloas},
			       {"execution_requests", &schema_execution_requests_gloas}, {"builder_index", &ssz_uint64},
			       {"beacon_block_root", &ssz_bytes32}, {"parent_beacon_block_root", &ssz_bytes32}),
};

const struct ssz_type schema_payload_attestation_data = {
	SSZ_FIELDS({"beacon_block_root", &ssz_bytes32}, {"slot", &ssz_uint64}, {"payload_present", &ssz_boolean},
		   {"blob_data_available", &ssz_boolean}),
};

const struct ssz_type schema_proposer_preferences = {
	SSZ_FIELDS({"dependent_root", &ssz_bytes32}, {"proposal_slot", &ssz_uint64}, {"validator_index", &ssz_uint64},
		   {"fee_recipient", &ssz_bytes20}, {"target_gas_limit", &ssz_uint64}),
};

const struct ssz_type schema_builder_request_auth = {
	SSZ_FIELDS({"data", SSZ_BYTE_LIST_OF(MAX_BUILDER_AUTH_DATA_SIZE)}, {"slot", &ssz_uint64}),
};

const struct ssz_type schema_inclusion_list = {
	SSZ_FIELDS({"slot", &ssz_uint64}, {"validator_index", &ssz_uint64}, {"dependent_root", &ssz_bytes32},
		   {"transactions", &transactions}),
};
