/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/artifacts.h"

/* ---- object roots ---- */

static void attestation_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	attestation_data_root(&request->object.attestation, ret_root);
}

static void block_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	beacon_block_header_root(&request->object.block, ret_root);
}

static void randao_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	uint64_root(request->object.epoch, ret_root);
}

static void slot_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	uint64_root(request->object.slot, ret_root);
}

static void deposit_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	deposit_message_root(&request->object.deposit.message, ret_root);
}

static void exit_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	voluntary_exit_root(&request->object.voluntary_exit, ret_root);
}

static void sync_committee_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	memcpy(ret_root, request->object.sync_committee.beacon_block_root, ROOT_SIZE);
}

static void sync_selection_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	sync_aggregator_selection_data_root(&request->object.sync_selection, ret_root);
}

static void registration_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	validator_registration_root(&request->object.registration, ret_root);
}

static void payload_attestation_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	payload_attestation_data_root(&request->object.payload_attestation, ret_root);
}

static void preferences_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	proposer_preferences_root(&request->object.preferences, ret_root);
}

static void merkleized_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	memcpy(ret_root, request->object.merkleized.root, ROOT_SIZE);
}

/* ---- epochs ---- */

static uint64_t attestation_epoch(const struct message_sign *request, const struct network *network)
{
	(void)network;
	return request->object.attestation.target.epoch;
}

static uint64_t block_epoch(const struct message_sign *request, const struct network *network)
{
	return request->object.block.slot / network->slots_per_epoch;
}

static uint64_t randao_epoch(const struct message_sign *request, const struct network *network)
{
	(void)network;
	return request->object.epoch;
}

static uint64_t slot_epoch(const struct message_sign *request, const struct network *network)
{
	return request->object.slot / network->slots_per_epoch;
}

static uint64_t exit_epoch(const struct message_sign *request, const struct network *network)
{
	(void)network;
	return request->object.voluntary_exit.epoch;
}

static uint64_t sync_committee_epoch(const struct message_sign *request, const struct network *network)
{
	return request->object.sync_committee.slot / network->slots_per_epoch;
}

static uint64_t sync_selection_epoch(const struct message_sign *request, const struct network *network)
{
	return request->object.sync_selection.slot / network->slots_per_epoch;
}

static uint64_t payload_attestation_epoch(const struct message_sign *request, const struct network *network)
{
	return request->object.payload_attestation.slot / network->slots_per_epoch;
}

static uint64_t preferences_epoch(const struct message_sign *request, const struct network *network)
{
	return request->object.preferences.proposal_slot / network->slots_per_epoch;
}

static uint64_t merkleized_epoch(const struct message_sign *request, const struct network *network)
{
	return request->object.merkleized.slot / network->slots_per_epoch;
}

/* ---- fork versions ---- */

static const uint8_t *by_fork_info(const struct message_sign *request, const struct network *network, uint64_t epoch)
{
	(void)network;
	return fork_info_version(&request->fork_info, epoch);
}

static const uint8_t *by_eip7044(const struct message_sign *request, const struct network *network, uint64_t epoch)
{
	if (network_fork_at(network, epoch) >= FORK_DENEB)
		return network->forks[FORK_CAPELLA].version;
	return fork_info_version(&request->fork_info, epoch);
}

static const uint8_t *genesis_of_network(const struct message_sign *request, const struct network *network, uint64_t epoch)
{
	(void)request;
	(void)epoch;
	return network->forks[FORK_PHASE0].version;
}

static const uint8_t *genesis_of_request(const struct message_sign *request, const struct network *network, uint64_t epoch)
{
	(void)network;
	(void)epoch;
	return request->object.deposit.genesis_fork_version;
}

/* ---- the table ---- */

/* A slashable row computes its root from a typed object: never merkleized_root. */
// clang-format off
static const struct keeper_artifact artifacts[ARTIFACT_TYPE_COUNT] = {
	[ARTIFACT_ATTESTATION] = {
		DOMAIN_BEACON_ATTESTER, attestation_epoch, by_fork_info, attestation_root, DUTY_ATTESTATION},
	[ARTIFACT_BLOCK] = {
		DOMAIN_BEACON_PROPOSER, block_epoch, by_fork_info, block_root, DUTY_BLOCK},
	[ARTIFACT_RANDAO_REVEAL] = {
		DOMAIN_RANDAO, randao_epoch, by_fork_info, randao_root, 0},
	[ARTIFACT_AGGREGATION_SLOT] = {
		DOMAIN_SELECTION_PROOF, slot_epoch, by_fork_info, slot_root, 0},
	[ARTIFACT_AGGREGATE_AND_PROOF] = {
		DOMAIN_AGGREGATE_AND_PROOF, merkleized_epoch, by_fork_info, merkleized_root, 0},
	[ARTIFACT_DEPOSIT] = {
		DOMAIN_DEPOSIT, NULL, genesis_of_request, deposit_root, 0},
	[ARTIFACT_VOLUNTARY_EXIT] = {
		DOMAIN_VOLUNTARY_EXIT, exit_epoch, by_eip7044, exit_root, 0},
	[ARTIFACT_SYNC_COMMITTEE_MESSAGE] = {
		DOMAIN_SYNC_COMMITTEE, sync_committee_epoch, by_fork_info, sync_committee_root, 0},
	[ARTIFACT_SYNC_COMMITTEE_SELECTION_PROOF] = {
		DOMAIN_SYNC_COMMITTEE_SELECTION_PROOF, sync_selection_epoch, by_fork_info, sync_selection_root, 0},
	[ARTIFACT_CONTRIBUTION_AND_PROOF] = {
		DOMAIN_CONTRIBUTION_AND_PROOF, merkleized_epoch, by_fork_info, merkleized_root, 0},
	[ARTIFACT_VALIDATOR_REGISTRATION] = {
		DOMAIN_APPLICATION_BUILDER, NULL, genesis_of_network, registration_root, 0},
	[ARTIFACT_EXECUTION_PAYLOAD_BID] = {
		DOMAIN_BEACON_BUILDER, merkleized_epoch, by_fork_info, merkleized_root, 0},
	[ARTIFACT_EXECUTION_PAYLOAD_ENVELOPE] = {
		DOMAIN_BEACON_BUILDER, merkleized_epoch, by_fork_info, merkleized_root, 0},
	[ARTIFACT_PAYLOAD_ATTESTATION] = {
		DOMAIN_PTC_ATTESTER, payload_attestation_epoch, by_fork_info, payload_attestation_root, 0},
	[ARTIFACT_PROPOSER_PREFERENCES] = {
		DOMAIN_PROPOSER_PREFERENCES, preferences_epoch, by_fork_info, preferences_root, 0},
	[ARTIFACT_BUILDER_REQUEST_AUTH] = {
		DOMAIN_BUILDER_REQUEST_AUTH, NULL, genesis_of_network, merkleized_root, 0},
};
// clang-format on

const struct keeper_artifact *keeper_artifact_find(uint32_t artifact_type)
{
	if (artifact_type >= ARTIFACT_TYPE_COUNT || !artifacts[artifact_type].object_root)
		return NULL;
	return &artifacts[artifact_type];
}

void keeper_signing_root(const struct keeper_artifact *artifact, const struct message_sign *request, const struct network *network,
			 uint8_t ret_signing_root[ROOT_SIZE])
{
	static const uint8_t no_chain[ROOT_SIZE];
	uint64_t epoch = artifact->epoch ? artifact->epoch(request, network) : 0;
	const uint8_t *version = artifact->fork_version(request, network, epoch);
	uint8_t object_root[ROOT_SIZE];
	uint8_t domain[ROOT_SIZE];

	artifact->object_root(request, object_root);
	/* What a genesis version signs is good before the chain exists, and so has no root of it. */
	compute_domain(artifact->domain_type, version, artifact->epoch ? request->fork_info.genesis_validators_root : no_chain,
		       domain);
	compute_signing_root(object_root, domain, ret_signing_root);
}
