/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types whose sizes the preset decides, and the table of all types. Included once a preset, by a file that defines PRESET,
 * SYNC_COMMITTEE_SIZE and MAX_COMMITTEES_PER_SLOT; hence no guard.
 */
#include "eth/schemas_parts.h"

#define SYNC_COMMITTEE_SUBNET_COUNT 4

#define JOIN_EXPANDED(left, right) left##_##right
#define JOIN(left, right) JOIN_EXPANDED(left, right)
#define PRESET_NAME JOIN(schema, PRESET)
#define PRESET_TYPE(name) JOIN(PRESET_NAME, name)

const struct ssz_type PRESET_TYPE(sync_aggregate) = {
	SSZ_FIELDS({"sync_committee_bits", SSZ_BITVECTOR_OF(SYNC_COMMITTEE_SIZE)}, {"sync_committee_signature", &ssz_bytes96}),
};

const struct ssz_type PRESET_TYPE(beacon_block_body_altair) = {
	SSZ_FIELDS(BLOCK_BODY_MEMBERS_PHASE0, {"sync_aggregate", &PRESET_TYPE(sync_aggregate)}),
};

static const struct ssz_type beacon_block_altair = {BEACON_BLOCK_FIELDS(&PRESET_TYPE(beacon_block_body_altair))};

static const struct ssz_type sync_committee_contribution = {
	SSZ_FIELDS({"slot", &ssz_uint64}, {"beacon_block_root", &ssz_bytes32}, {"subcommittee_index", &ssz_uint64},
		   {"aggregation_bits", SSZ_BITVECTOR_OF(SYNC_COMMITTEE_SIZE / SYNC_COMMITTEE_SUBNET_COUNT)},
		   {"signature", &ssz_bytes96}),
};

const struct ssz_type PRESET_TYPE(contribution_and_proof) = {
	SSZ_FIELDS({"aggregator_index", &ssz_uint64}, {"contribution", &sync_committee_contribution},
		   {"selection_proof", &ssz_bytes96}),
};

static const struct ssz_type committee_bits = {.kind = SSZ_BITVECTOR, .size = MAX_COMMITTEES_PER_SLOT};

const struct ssz_type PRESET_TYPE(attestation_electra) = {
	SSZ_FIELDS(ATTESTATION_MEMBERS(SSZ_BITLIST_OF(MAX_VALIDATORS_PER_COMMITTEE * MAX_COMMITTEES_PER_SLOT)),
		   {"committee_bits", &committee_bits}),
};

const struct ssz_type PRESET_TYPE(aggregate_and_proof_electra) = {AGGREGATE_AND_PROOF_FIELDS(&PRESET_TYPE(attestation_electra))};

const struct ssz_type PRESET_TYPE(attestation_gloas) = {
	SSZ_PROGRESSIVE_FIELDS(ATTESTATION_MEMBERS(SSZ_PROGRESSIVE_BITLIST), {"committee_bits", &committee_bits}),
};

const struct ssz_type PRESET_TYPE(aggregate_and_proof_gloas) = {AGGREGATE_AND_PROOF_FIELDS(&PRESET_TYPE(attestation_gloas))};

// clang-format off
#define FROM_TO(first, last, type) [FORK_##first ... FORK_##last] = (type)
#define IN(fork, type) [FORK_##fork] = (type)
#define SINCE(first, type) FROM_TO(first, HEZE, type)

const struct schema_preset PRESET_NAME = {
	.sync_committee_size = SYNC_COMMITTEE_SIZE,
	.max_committees_per_slot = MAX_COMMITTEES_PER_SLOT,
	.types = {
		[SCHEMA_BEACON_BLOCK] = {
			IN(PHASE0, &schema_beacon_block_phase0),
			IN(ALTAIR, &beacon_block_altair),
		},
		[SCHEMA_BEACON_BLOCK_HEADER] = {SINCE(PHASE0, &schema_beacon_block_header)},
		[SCHEMA_ATTESTATION_DATA] = {SINCE(PHASE0, &schema_attestation_data)},
		[SCHEMA_ATTESTATION] = {
			FROM_TO(PHASE0, DENEB, &schema_attestation_phase0),
			FROM_TO(ELECTRA, FULU, &PRESET_TYPE(attestation_electra)),
			SINCE(GLOAS, &PRESET_TYPE(attestation_gloas)),
		},
		[SCHEMA_AGGREGATE_AND_PROOF] = {
			FROM_TO(PHASE0, DENEB, &schema_aggregate_and_proof_phase0),
			FROM_TO(ELECTRA, FULU, &PRESET_TYPE(aggregate_and_proof_electra)),
			SINCE(GLOAS, &PRESET_TYPE(aggregate_and_proof_gloas)),
		},
		[SCHEMA_DEPOSIT_MESSAGE] = {SINCE(PHASE0, &schema_deposit_message)},
		[SCHEMA_DEPOSIT_DATA] = {SINCE(PHASE0, &schema_deposit_data)},
		[SCHEMA_VOLUNTARY_EXIT] = {SINCE(PHASE0, &schema_voluntary_exit)},
		[SCHEMA_SYNC_AGGREGATOR_SELECTION_DATA] = {SINCE(ALTAIR, &schema_sync_aggregator_selection_data)},
		[SCHEMA_SYNC_COMMITTEE_CONTRIBUTION] = {SINCE(ALTAIR, &sync_committee_contribution)},
		[SCHEMA_CONTRIBUTION_AND_PROOF] = {SINCE(ALTAIR, &PRESET_TYPE(contribution_and_proof))},
		[SCHEMA_VALIDATOR_REGISTRATION] = {SINCE(PHASE0, &schema_validator_registration)},
		[SCHEMA_EXECUTION_PAYLOAD_BID] = {
			IN(GLOAS, &schema_execution_payload_bid_gloas),
			IN(HEZE, &schema_execution_payload_bid_heze),
		},
		[SCHEMA_EXECUTION_PAYLOAD_ENVELOPE] = {SINCE(GLOAS, &schema_execution_payload_envelope)},
		[SCHEMA_PAYLOAD_ATTESTATION_DATA] = {SINCE(GLOAS, &schema_payload_attestation_data)},
		[SCHEMA_PROPOSER_PREFERENCES] = {SINCE(GLOAS, &schema_proposer_preferences)},
		[SCHEMA_BUILDER_REQUEST_AUTH] = {SINCE(GLOAS, &schema_builder_request_auth)},
		[SCHEMA_INCLUSION_LIST] = {IN(HEZE, &schema_inclusion_list)},
	},
};
// clang-format on
