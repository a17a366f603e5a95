/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/signing_root.h"

#include "eth/ssz.h"

const uint8_t DOMAIN_BEACON_PROPOSER[DOMAIN_TYPE_SIZE] = {0, 0, 0, 0};
const uint8_t DOMAIN_BEACON_ATTESTER[DOMAIN_TYPE_SIZE] = {1, 0, 0, 0};
const uint8_t DOMAIN_RANDAO[DOMAIN_TYPE_SIZE] = {2, 0, 0, 0};
const uint8_t DOMAIN_DEPOSIT[DOMAIN_TYPE_SIZE] = {3, 0, 0, 0};
const uint8_t DOMAIN_VOLUNTARY_EXIT[DOMAIN_TYPE_SIZE] = {4, 0, 0, 0};
const uint8_t DOMAIN_SELECTION_PROOF[DOMAIN_TYPE_SIZE] = {5, 0, 0, 0};
const uint8_t DOMAIN_AGGREGATE_AND_PROOF[DOMAIN_TYPE_SIZE] = {6, 0, 0, 0};
const uint8_t DOMAIN_SYNC_COMMITTEE[DOMAIN_TYPE_SIZE] = {7, 0, 0, 0};
const uint8_t DOMAIN_SYNC_COMMITTEE_SELECTION_PROOF[DOMAIN_TYPE_SIZE] = {8, 0, 0, 0};
const uint8_t DOMAIN_CONTRIBUTION_AND_PROOF[DOMAIN_TYPE_SIZE] = {9, 0, 0, 0};
const uint8_t DOMAIN_BLS_TO_EXECUTION_CHANGE[DOMAIN_TYPE_SIZE] = {0x0a, 0, 0, 0};
const uint8_t DOMAIN_BEACON_BUILDER[DOMAIN_TYPE_SIZE] = {0x0b, 0, 0, 0};
const uint8_t DOMAIN_PTC_ATTESTER[DOMAIN_TYPE_SIZE] = {0x0c, 0, 0, 0};
const uint8_t DOMAIN_PROPOSER_PREFERENCES[DOMAIN_TYPE_SIZE] = {0x0d, 0, 0, 0};
const uint8_t DOMAIN_APPLICATION_BUILDER[DOMAIN_TYPE_SIZE] = {0, 0, 0, 1};
const uint8_t DOMAIN_BUILDER_REQUEST_AUTH[DOMAIN_TYPE_SIZE] = {0x0b, 0, 0, 1};

const uint8_t *fork_info_version(const struct fork_info *info, uint64_t message_epoch)
{
	return message_epoch < info->epoch ? info->previous_version : info->current_version;
}

void compute_domain(const uint8_t domain_type[DOMAIN_TYPE_SIZE], const uint8_t fork_version[FORK_VERSION_SIZE],
		    const uint8_t genesis_validators_root[ROOT_SIZE], uint8_t ret_domain[ROOT_SIZE])
{
	uint8_t version_chunk[ROOT_SIZE] = {0};
	uint8_t fork_data_root[ROOT_SIZE];

	memcpy(version_chunk, fork_version, FORK_VERSION_SIZE);
	ssz_hash_pair(version_chunk, genesis_validators_root, fork_data_root);
	memcpy(ret_domain, domain_type, DOMAIN_TYPE_SIZE);
	memcpy(ret_domain + DOMAIN_TYPE_SIZE, fork_data_root, ROOT_SIZE - DOMAIN_TYPE_SIZE);
}

void compute_signing_root(const uint8_t object_root[ROOT_SIZE], const uint8_t domain[ROOT_SIZE],
			  uint8_t ret_signing_root[ROOT_SIZE])
{
	ssz_hash_pair(object_root, domain, ret_signing_root);
}
