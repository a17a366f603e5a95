/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas_unsigned.h"

#include "eth/schemas_parts.h"

/* Limits of the mainnet preset. */
#define MAX_VALIDATORS_PER_SLOT (64 * MAX_VALIDATORS_PER_COMMITTEE)
#define MAX_ATTESTER_SLASHINGS_ELECTRA 1
#define MAX_ATTESTATIONS_ELECTRA 8
#define MAX_BLS_TO_EXECUTION_CHANGES 16
#define MAX_BLOB_COMMITMENTS_PER_BLOCK 4096
#define MAX_WITHDRAWALS_PER_PAYLOAD 16
#define MAX_TRANSACTIONS_PER_PAYLOAD 1048576
#define MAX_BYTES_PER_TRANSACTION 1073741824
#define MAX_DEPOSIT_REQUESTS_PER_PAYLOAD 8192
#define MAX_WITHDRAWAL_REQUESTS_PER_PAYLOAD 16
#define MAX_CONSOLIDATION_REQUESTS_PER_PAYLOAD 2
#define PTC_SIZE 512

/* PHASE0 to CAPELLA, what is no part of a block */

static const struct ssz_type fork_container = {
	SSZ_FIELDS({"previous_version", &ssz_bytes4}, {"current_version", &ssz_bytes4}, {"epoch", &ssz_uint64})};

static const struct ssz_type fork_data = {SSZ_FIELDS({"current_version", &ssz_bytes4}, {"genesis_validators_root", &ssz_bytes32})};

static const struct ssz_type signing_data = {SSZ_FIELDS({"object_root", &ssz_bytes32}, {"domain", &ssz_bytes32})};

static const struct ssz_type signed_aggregate_and_proof_phase0 = {SIGNED_FIELDS(&schema_aggregate_and_proof_phase0)};

static const struct ssz_type sync_committee_message = {SSZ_FIELDS({"slot", &ssz_uint64}, {"beacon_block_root", &ssz_bytes32},
								  {"validator_index", &ssz_uint64}, {"signature", &ssz_bytes96})};

static const struct ssz_type signed_contribution_and_proof = {SIGNED_FIELDS(&schema_mainnet_contribution_and_proof)};

static const struct ssz_type signed_validator_registration = {SIGNED_FIELDS(&schema_validator_registration)};

static const struct ssz_type bls_to_execution_change = {
	SSZ_FIELDS({"validator_index", &ssz_uint64}, {"from_bls_pubkey", &ssz_bytes48}, {"to_execution_address", &ssz_bytes20})};

static const struct ssz_type signed_bls_to_execution_change = {SIGNED_FIELDS(&bls_to_execution_change)};

/* Execution payloads and their headers */

static const struct ssz_type transactions = {
	.kind = SSZ_LIST,
	.element = SSZ_BYTE_LIST_OF(MAX_BYTES_PER_TRANSACTION),
	.size = MAX_TRANSACTIONS_PER_PAYLOAD,
};

#define PAYLOAD_MEMBERS_BELLATRIX EXECUTION_PAYLOAD_MEMBERS, SSZ_FIELD("transactions", &transactions)
#define PAYLOAD_MEMBERS_CAPELLA                                                                                                    \
	PAYLOAD_MEMBERS_BELLATRIX, SSZ_FIELD("withdrawals", SSZ_LIST_OF(&schema_withdrawal, MAX_WITHDRAWALS_PER_PAYLOAD))
#define HEADER_MEMBERS_BELLATRIX EXECUTION_PAYLOAD_MEMBERS, SSZ_FIELD("transactions_root", &ssz_bytes32)
#define HEADER_MEMBERS_CAPELLA HEADER_MEMBERS_BELLATRIX, SSZ_FIELD("withdrawals_root", &ssz_bytes32)
#define BLOB_GAS_MEMBERS SSZ_FIELD("blob_gas_used", &ssz_uint64), SSZ_FIELD("excess_blob_gas", &ssz_uint64)

static const struct ssz_type execution_payload_bellatrix = {SSZ_FIELDS(PAYLOAD_MEMBERS_BELLATRIX)};

static const struct ssz_type execution_payload_header_bellatrix = {SSZ_FIELDS(HEADER_MEMBERS_BELLATRIX)};

static const struct ssz_type execution_payload_capella = {SSZ_FIELDS(PAYLOAD_MEMBERS_CAPELLA)};

static const struct ssz_type execution_payload_header_capella = {SSZ_FIELDS(HEADER_MEMBERS_CAPELLA)};

static const struct ssz_type execution_payload_deneb = {SSZ_FIELDS(PAYLOAD_MEMBERS_CAPELLA, BLOB_GAS_MEMBERS)};

static const struct ssz_type execution_payload_header_deneb = {SSZ_FIELDS(HEADER_MEMBERS_CAPELLA, BLOB_GAS_MEMBERS)};

static const struct ssz_type execution_requests = {
	SSZ_FIELDS({"deposits", SSZ_LIST_OF(&schema_deposit_request, MAX_DEPOSIT_REQUESTS_PER_PAYLOAD)},
		   {"withdrawals", SSZ_LIST_OF(&schema_withdrawal_request, MAX_WITHDRAWAL_REQUESTS_PER_PAYLOAD)},
		   {"consolidations", SSZ_LIST_OF(&schema_consolidation_request, MAX_CONSOLIDATION_REQUESTS_PER_PAYLOAD)})};

static const struct ssz_type blob_kzg_commitments = {
	.kind = SSZ_LIST, .element = &ssz_bytes48, .size = MAX_BLOB_COMMITMENTS_PER_BLOCK};

#define BID_END_MEMBERS SSZ_FIELD("value", &ssz_uint256), SSZ_FIELD("pubkey", &ssz_bytes48)

static const struct ssz_type builder_bid_bellatrix = {SSZ_FIELDS({"header", &execution_payload_header_bellatrix}, BID_END_MEMBERS)};

static const struct ssz_type builder_bid_capella = {SSZ_FIELDS({"header", &execution_payload_header_capella}, BID_END_MEMBERS)};

static const struct ssz_type builder_bid_deneb = {
	SSZ_FIELDS({"header", &execution_payload_header_deneb}, {"blob_kzg_commitments", &blob_kzg_commitments}, BID_END_MEMBERS)};

static const struct ssz_type builder_bid_electra = {SSZ_FIELDS({"header", &execution_payload_header_deneb},
							       {"blob_kzg_commitments", &blob_kzg_commitments},
							       {"execution_requests", &execution_requests}, BID_END_MEMBERS)};

/* Attestations of ELECTRA and GLOAS */

static const struct ssz_type indexed_attestation_electra = {
	SSZ_FIELDS(INDEXED_ATTESTATION_MEMBERS(SSZ_LIST_OF(&ssz_uint64, MAX_VALIDATORS_PER_SLOT)))};

static const struct ssz_type attester_slashing_electra = {ATTESTER_SLASHING_FIELDS(&indexed_attestation_electra)};

static const struct ssz_type signed_aggregate_and_proof_electra = {SIGNED_FIELDS(&schema_mainnet_aggregate_and_proof_electra)};

static const struct ssz_type single_attestation = {SSZ_FIELDS({"committee_index", &ssz_uint64}, {"attester_index", &ssz_uint64},
							      {"data", &schema_attestation_data}, {"signature", &ssz_bytes96})};

static const struct ssz_type indexed_attestation_gloas = {
	SSZ_PROGRESSIVE_FIELDS(INDEXED_ATTESTATION_MEMBERS(SSZ_PROGRESSIVE_LIST_OF(&ssz_uint64)))};

static const struct ssz_type attester_slashing_gloas = {ATTESTER_SLASHING_FIELDS(&indexed_attestation_gloas)};

static const struct ssz_type signed_aggregate_and_proof_gloas = {SIGNED_FIELDS(&schema_mainnet_aggregate_and_proof_gloas)};

static const struct ssz_type payload_attestation = {SSZ_PROGRESSIVE_FIELDS(
	{"aggregation_bits", SSZ_BITVECTOR_OF(PTC_SIZE)}, {"data", &schema_payload_attestation_data}, {"signature", &ssz_bytes96})};

static const struct ssz_type payload_attestation_message = {
	SSZ_FIELDS({"validator_index", &ssz_uint64}, {"data", &schema_payload_attestation_data}, {"signature", &ssz_bytes96})};

static const struct ssz_type indexed_payload_attestation = {
	SSZ_PROGRESSIVE_FIELDS({"attesting_indices", SSZ_LIST_OF(&ssz_uint64, PTC_SIZE)},
			       {"data", &schema_payload_attestation_data}, {"signature", &ssz_bytes96})};

/* Blocks, whole and blinded */

#define BODY_MEMBERS_ALTAIR BLOCK_BODY_MEMBERS_PHASE0, SSZ_FIELD("sync_aggregate", &schema_mainnet_sync_aggregate)
#define BODY_MEMBERS_ELECTRA                                                                                                       \
	BLOCK_BODY_MEMBERS(SSZ_LIST_OF(&attester_slashing_electra, MAX_ATTESTER_SLASHINGS_ELECTRA),                                \
			   SSZ_LIST_OF(&schema_mainnet_attestation_electra, MAX_ATTESTATIONS_ELECTRA)),                            \
		SSZ_FIELD("sync_aggregate", &schema_mainnet_sync_aggregate)
#define PAYLOAD_MEMBER(type) SSZ_FIELD("execution_payload", (type))
#define HEADER_MEMBER(type) SSZ_FIELD("execution_payload_header", (type))
#define BODY_END_CAPELLA                                                                                                           \
	SSZ_FIELD("bls_to_execution_changes", SSZ_LIST_OF(&signed_bls_to_execution_change, MAX_BLS_TO_EXECUTION_CHANGES))
#define BODY_END_DENEB BODY_END_CAPELLA, SSZ_FIELD("blob_kzg_commitments", &blob_kzg_commitments)
#define BODY_END_ELECTRA BODY_END_DENEB, SSZ_FIELD("execution_requests", &execution_requests)

static const struct ssz_type body_bellatrix = {SSZ_FIELDS(BODY_MEMBERS_ALTAIR, PAYLOAD_MEMBER(&execution_payload_bellatrix))};

static const struct ssz_type block_bellatrix = {BEACON_BLOCK_FIELDS(&body_bellatrix)};

static const struct ssz_type body_capella = {
	SSZ_FIELDS(BODY_MEMBERS_ALTAIR, PAYLOAD_MEMBER(&execution_payload_capella), BODY_END_CAPELLA)};

static const struct ssz_type block_capella = {BEACON_BLOCK_FIELDS(&body_capella)};

static const struct ssz_type body_deneb = {
	SSZ_FIELDS(BODY_MEMBERS_ALTAIR, PAYLOAD_MEMBER(&execution_payload_deneb), BODY_END_DENEB)};

static const struct ssz_type block_deneb = {BEACON_BLOCK_FIELDS(&body_deneb)};

static const struct ssz_type body_electra = {
	SSZ_FIELDS(BODY_MEMBERS_ELECTRA, PAYLOAD_MEMBER(&execution_payload_deneb), BODY_END_ELECTRA)};

static const struct ssz_type block_electra = {BEACON_BLOCK_FIELDS(&body_electra)};

static const struct ssz_type blinded_body_bellatrix = {
	SSZ_FIELDS(BODY_MEMBERS_ALTAIR, HEADER_MEMBER(&execution_payload_header_bellatrix))};

static const struct ssz_type blinded_block_bellatrix = {BEACON_BLOCK_FIELDS(&blinded_body_bellatrix)};

static const struct ssz_type blinded_body_capella = {
	SSZ_FIELDS(BODY_MEMBERS_ALTAIR, HEADER_MEMBER(&execution_payload_header_capella), BODY_END_CAPELLA)};

static const struct ssz_type blinded_block_capella = {BEACON_BLOCK_FIELDS(&blinded_body_capella)};

static const struct ssz_type blinded_body_deneb = {
	SSZ_FIELDS(BODY_MEMBERS_ALTAIR, HEADER_MEMBER(&execution_payload_header_deneb), BODY_END_DENEB)};

static const struct ssz_type blinded_block_deneb = {BEACON_BLOCK_FIELDS(&blinded_body_deneb)};

static const struct ssz_type blinded_body_electra = {
	SSZ_FIELDS(BODY_MEMBERS_ELECTRA, HEADER_MEMBER(&execution_payload_header_deneb), BODY_END_ELECTRA)};

static const struct ssz_type blinded_block_electra = {BEACON_BLOCK_FIELDS(&blinded_body_electra)};

#define BODY_FIELDS_GLOAS(bid_type)                                                                                                \
	SSZ_PROGRESSIVE_FIELDS({"randao_reveal", &ssz_bytes96}, {"eth1_data", &schema_eth1_data}, {"graffiti", &ssz_bytes32},      \
			       {"proposer_slashings", SSZ_PROGRESSIVE_LIST_OF(&schema_proposer_slashing)},                         \
			       {"attester_slashings", SSZ_PROGRESSIVE_LIST_OF(&attester_slashing_gloas)},                          \
			       {"attestations", SSZ_PROGRESSIVE_LIST_OF(&schema_mainnet_attestation_gloas)},                       \
			       {"deposits", SSZ_PROGRESSIVE_LIST_OF(&schema_deposit)},                                             \
			       {"voluntary_exits", SSZ_PROGRESSIVE_LIST_OF(&schema_signed_voluntary_exit)},                        \
			       {"sync_aggregate", &schema_mainnet_sync_aggregate},                                                 \
			       {"bls_to_execution_changes", SSZ_PROGRESSIVE_LIST_OF(&signed_bls_to_execution_change)},             \
			       {"signed_execution_payload_bid", (bid_type)},                                                       \
			       {"payload_attestations", SSZ_PROGRESSIVE_LIST_OF(&payload_attestation)},                            \
			       {"parent_execution_requests", &schema_execution_requests_gloas})

static const struct ssz_type signed_bid_gloas = {SIGNED_FIELDS(&schema_execution_payload_bid_gloas)};

static const struct ssz_type body_gloas = {BODY_FIELDS_GLOAS(&signed_bid_gloas)};

static const struct ssz_type block_gloas = {BEACON_BLOCK_FIELDS(&body_gloas)};

static const struct ssz_type signed_bid_heze = {SIGNED_FIELDS(&schema_execution_payload_bid_heze)};

static const struct ssz_type body_heze = {BODY_FIELDS_GLOAS(&signed_bid_heze)};

static const struct ssz_type block_heze = {BEACON_BLOCK_FIELDS(&body_heze)};

/* By fork: a type is in force from its fork on, until the next one of its name. */
static const struct {
	const char *name;
	enum fork fork;
	const struct ssz_type *type;
} types[] = {
	{"Slot", FORK_PHASE0, &ssz_uint64},
	{"Epoch", FORK_PHASE0, &ssz_uint64},
	{"Checkpoint", FORK_PHASE0, &schema_checkpoint},
	{"Fork", FORK_PHASE0, &fork_container},
	{"ForkData", FORK_PHASE0, &fork_data},
	{"SigningData", FORK_PHASE0, &signing_data},
	{"Eth1Data", FORK_PHASE0, &schema_eth1_data},
	{"ProposerSlashing", FORK_PHASE0, &schema_proposer_slashing},
	{"AttesterSlashing", FORK_PHASE0, &schema_attester_slashing_phase0},
	{"SignedVoluntaryExit", FORK_PHASE0, &schema_signed_voluntary_exit},
	{"SignedAggregateAndProof", FORK_PHASE0, &signed_aggregate_and_proof_phase0},
	{"BeaconBlockBody", FORK_PHASE0, &schema_beacon_block_body_phase0},
	{"BeaconBlockBody", FORK_ALTAIR, &schema_mainnet_beacon_block_body_altair},
	{"SyncAggregate", FORK_ALTAIR, &schema_mainnet_sync_aggregate},
	{"SyncCommitteeMessage", FORK_ALTAIR, &sync_committee_message},
	{"SignedContributionAndProof", FORK_ALTAIR, &signed_contribution_and_proof},
	{"ExecutionPayload", FORK_BELLATRIX, &execution_payload_bellatrix},
	{"ExecutionPayloadHeader", FORK_BELLATRIX, &execution_payload_header_bellatrix},
	{"BuilderBid", FORK_BELLATRIX, &builder_bid_bellatrix},
	{"BeaconBlockBody", FORK_BELLATRIX, &body_bellatrix},
	{"BeaconBlock", FORK_BELLATRIX, &block_bellatrix},
	{"BlindedBeaconBlock", FORK_BELLATRIX, &blinded_block_bellatrix},
	{"SignedValidatorRegistrationV1", FORK_BELLATRIX, &signed_validator_registration},
	{"ExecutionPayload", FORK_CAPELLA, &execution_payload_capella},
	{"ExecutionPayloadHeader", FORK_CAPELLA, &execution_payload_header_capella},
	{"BuilderBid", FORK_CAPELLA, &builder_bid_capella},
	{"BeaconBlockBody", FORK_CAPELLA, &body_capella},
	{"BeaconBlock", FORK_CAPELLA, &block_capella},
	{"BlindedBeaconBlock", FORK_CAPELLA, &blinded_block_capella},
	{"Withdrawal", FORK_CAPELLA, &schema_withdrawal},
	{"BLSToExecutionChange", FORK_CAPELLA, &bls_to_execution_change},
	{"SignedBLSToExecutionChange", FORK_CAPELLA, &signed_bls_to_execution_change},
	{"ExecutionPayload", FORK_DENEB, &execution_payload_deneb},
	{"ExecutionPayloadHeader", FORK_DENEB, &execution_payload_header_deneb},
	{"BuilderBid", FORK_DENEB, &builder_bid_deneb},
	{"BeaconBlockBody", FORK_DENEB, &body_deneb},
	{"BeaconBlock", FORK_DENEB, &block_deneb},
	{"BlindedBeaconBlock", FORK_DENEB, &blinded_block_deneb},
	{"BuilderBid", FORK_ELECTRA, &builder_bid_electra},
	{"BeaconBlockBody", FORK_ELECTRA, &body_electra},
	{"BeaconBlock", FORK_ELECTRA, &block_electra},
	{"BlindedBeaconBlock", FORK_ELECTRA, &blinded_block_electra},
	{"DepositRequest", FORK_ELECTRA, &schema_deposit_request},
	{"WithdrawalRequest", FORK_ELECTRA, &schema_withdrawal_request},
	{"ConsolidationRequest", FORK_ELECTRA, &schema_consolidation_request},
	{"ExecutionRequests", FORK_ELECTRA, &execution_requests},
	{"IndexedAttestation", FORK_ELECTRA, &indexed_attestation_electra},
	{"AttesterSlashing", FORK_ELECTRA, &attester_slashing_electra},
	{"SingleAttestation", FORK_ELECTRA, &single_attestation},
	{"SignedAggregateAndProof", FORK_ELECTRA, &signed_aggregate_and_proof_electra},
	{"ExecutionPayload", FORK_GLOAS, &schema_execution_payload_gloas},
	{"ExecutionRequests", FORK_GLOAS, &schema_execution_requests_gloas},
	{"BuilderDepositRequest", FORK_GLOAS, &schema_deposit_data},
	{"BuilderExitRequest", FORK_GLOAS, &schema_builder_exit_request},
	{"IndexedAttestation", FORK_GLOAS, &indexed_attestation_gloas},
	{"SignedAggregateAndProof", FORK_GLOAS, &signed_aggregate_and_proof_gloas},
	{"PayloadAttestation", FORK_GLOAS, &payload_attestation},
	{"PayloadAttestationMessage", FORK_GLOAS, &payload_attestation_message},
	{"IndexedPayloadAttestation", FORK_GLOAS, &indexed_payload_attestation},
	{"BeaconBlockBody", FORK_GLOAS, &body_gloas},
	{"BeaconBlock", FORK_GLOAS, &block_gloas},
	{"BeaconBlock", FORK_HEZE, &block_heze},
};

const struct ssz_type *schema_find_unsigned(const char *name, enum fork fork)
{
	for (size_t i = ARRAY_SIZE(types); i-- > 0;)
		if (types[i].fork <= fork && strcmp(types[i].name, name) == 0)
			return types[i].type;
	return NULL;
}
