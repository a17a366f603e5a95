/* SPDX-License-Identifier: Apache-2.0 */
/* What can be signed, and how the remote-signing API (Web3Signer's dialect) names it in `type`. */
#pragma once

#include "base/error.h"

enum artifact_type {
	ARTIFACT_ATTESTATION = 1,
	ARTIFACT_BLOCK, /* any fork, by its header: equal to the root of the full block */
	ARTIFACT_RANDAO_REVEAL,
	ARTIFACT_AGGREGATION_SLOT,
	ARTIFACT_AGGREGATE_AND_PROOF,
	ARTIFACT_DEPOSIT,
	ARTIFACT_VOLUNTARY_EXIT,
	ARTIFACT_SYNC_COMMITTEE_MESSAGE,
	ARTIFACT_SYNC_COMMITTEE_SELECTION_PROOF,
	ARTIFACT_CONTRIBUTION_AND_PROOF,
	ARTIFACT_VALIDATOR_REGISTRATION,
	ARTIFACT_EXECUTION_PAYLOAD_BID,
	ARTIFACT_EXECUTION_PAYLOAD_ENVELOPE,
	ARTIFACT_PAYLOAD_ATTESTATION,
	ARTIFACT_PROPOSER_PREFERENCES,
	ARTIFACT_BUILDER_REQUEST_AUTH,
	ARTIFACT_TYPE_COUNT,
};

/* A set of types: one bit each. */
#define ARTIFACT_BIT(type) (UINT32_C(1) << (type))
#define ARTIFACT_ALL (ARTIFACT_BIT(ARTIFACT_TYPE_COUNT) - ARTIFACT_BIT(ARTIFACT_ATTESTATION))

/* The one name of each that lists and messages use. "UNKNOWN" for what is no type. */
const char *artifact_type_name(uint32_t type);
/* Any name that a request may use, in any letter case: BLOCK and BLOCK_V2 are one type. False when unknown. */
MUST_USE bool artifact_type_parse(const char *name, enum artifact_type *ret_type);
