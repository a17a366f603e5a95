/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/lane.h"

/* The bits of the types; what is in neither is the rest. */
#define PROPOSALS (ARTIFACT_BIT(ARTIFACT_BLOCK) | ARTIFACT_BIT(ARTIFACT_RANDAO_REVEAL))
#define VOTES                                                                                                                      \
	(ARTIFACT_BIT(ARTIFACT_ATTESTATION) | ARTIFACT_BIT(ARTIFACT_AGGREGATE_AND_PROOF) |                                         \
	 ARTIFACT_BIT(ARTIFACT_SYNC_COMMITTEE_MESSAGE) | ARTIFACT_BIT(ARTIFACT_CONTRIBUTION_AND_PROOF) |                           \
	 ARTIFACT_BIT(ARTIFACT_EXECUTION_PAYLOAD_BID) | ARTIFACT_BIT(ARTIFACT_EXECUTION_PAYLOAD_ENVELOPE) |                        \
	 ARTIFACT_BIT(ARTIFACT_PAYLOAD_ATTESTATION))

enum lane lane_of_artifact(uint32_t artifact_type)
{
	uint32_t bit = artifact_type < ARTIFACT_TYPE_COUNT ? ARTIFACT_BIT(artifact_type) : 0;

	if (bit & PROPOSALS)
		return LANE_PROPOSALS;
	return bit & VOTES ? LANE_VOTES : LANE_REST;
}
