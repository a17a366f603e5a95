/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/artifacts.h"

static uint64_t attestation_epoch(const struct message_sign *request, const struct network *network)
{
	(void)network;
	return request->object.attestation.target.epoch;
}

static void attestation_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	attestation_data_root(&request->object.attestation, ret_root);
}

static uint64_t block_epoch(const struct message_sign *request, const struct network *network)
{
	return request->object.block.slot / network->slots_per_epoch;
}

static void block_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	beacon_block_header_root(&request->object.block, ret_root);
}

static uint64_t randao_epoch(const struct message_sign *request, const struct network *network)
{
	(void)network;
	return request->object.epoch;
}

static void randao_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	uint64_root(request->object.epoch, ret_root);
}

static uint64_t aggregation_epoch(const struct message_sign *request, const struct network *network)
{
	return request->object.slot / network->slots_per_epoch;
}

static void aggregation_root(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE])
{
	uint64_root(request->object.slot, ret_root);
}

static const struct keeper_artifact artifacts[ARTIFACT_TYPE_COUNT] = {
	[ARTIFACT_ATTESTATION] = {DOMAIN_BEACON_ATTESTER, attestation_epoch, attestation_root, DUTY_ATTESTATION, false},
	[ARTIFACT_BLOCK] = {DOMAIN_BEACON_PROPOSER, block_epoch, block_root, DUTY_BLOCK, true},
	[ARTIFACT_RANDAO_REVEAL] = {DOMAIN_RANDAO, randao_epoch, randao_root, 0, true},
	[ARTIFACT_AGGREGATION_SLOT] = {DOMAIN_SELECTION_PROOF, aggregation_epoch, aggregation_root, 0, false},
};

const struct keeper_artifact *keeper_artifact_find(uint32_t artifact_type)
{
	if (artifact_type >= ARTIFACT_TYPE_COUNT || !artifacts[artifact_type].object_root)
		return NULL;
	return &artifacts[artifact_type];
}

void keeper_signing_root(const struct keeper_artifact *artifact, const struct message_sign *request, const struct network *network,
			 uint8_t ret_signing_root[ROOT_SIZE])
{
	const uint8_t *version = fork_info_version(&request->fork_info, artifact->epoch(request, network));
	uint8_t object_root[ROOT_SIZE];
	uint8_t domain[ROOT_SIZE];

	artifact->object_root(request, object_root);
	compute_domain(artifact->domain_type, version, request->fork_info.genesis_validators_root, domain);
	compute_signing_root(object_root, domain, ret_signing_root);
}
