/* SPDX-License-Identifier: Apache-2.0 */
/* Domains and signing roots (consensus-specs phase0 beacon-chain.md: compute_domain, compute_signing_root). */
#pragma once

#include "eth/network.h"

/* The request's fork_info. */
struct fork_info {
	uint8_t previous_version[FORK_VERSION_SIZE];
	uint8_t current_version[FORK_VERSION_SIZE];
	uint64_t epoch;
	uint8_t genesis_validators_root[ROOT_SIZE];
};

/* Domain types in serialisation order. */
extern const uint8_t DOMAIN_BEACON_PROPOSER[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_BEACON_ATTESTER[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_RANDAO[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_DEPOSIT[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_VOLUNTARY_EXIT[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_SELECTION_PROOF[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_AGGREGATE_AND_PROOF[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_SYNC_COMMITTEE[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_SYNC_COMMITTEE_SELECTION_PROOF[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_CONTRIBUTION_AND_PROOF[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_BLS_TO_EXECUTION_CHANGE[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_BEACON_BUILDER[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_PTC_ATTESTER[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_PROPOSER_PREFERENCES[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_APPLICATION_BUILDER[DOMAIN_TYPE_SIZE];
extern const uint8_t DOMAIN_BUILDER_REQUEST_AUTH[DOMAIN_TYPE_SIZE];

/* previous_version before fork.epoch, current_version from it on. */
const uint8_t *fork_info_version(const struct fork_info *info, uint64_t message_epoch);
void compute_domain(const uint8_t domain_type[DOMAIN_TYPE_SIZE], const uint8_t fork_version[FORK_VERSION_SIZE],
		    const uint8_t genesis_validators_root[ROOT_SIZE], uint8_t ret_domain[ROOT_SIZE]);
void compute_signing_root(const uint8_t object_root[ROOT_SIZE], const uint8_t domain[ROOT_SIZE],
			  uint8_t ret_signing_root[ROOT_SIZE]);
