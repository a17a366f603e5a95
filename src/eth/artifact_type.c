/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/artifact_type.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

/* The first name of a type is the one that it is written with. */
static const struct type_name {
	const char *name;
	enum artifact_type type;
} type_names[] = {
	{"ATTESTATION", ARTIFACT_ATTESTATION},
	{"BLOCK_V2", ARTIFACT_BLOCK},
	{"BLOCK", ARTIFACT_BLOCK},
	{"RANDAO_REVEAL", ARTIFACT_RANDAO_REVEAL},
	{"AGGREGATION_SLOT", ARTIFACT_AGGREGATION_SLOT},
	{"AGGREGATE_AND_PROOF_V2", ARTIFACT_AGGREGATE_AND_PROOF},
	{"AGGREGATE_AND_PROOF", ARTIFACT_AGGREGATE_AND_PROOF},
	{"DEPOSIT", ARTIFACT_DEPOSIT},
	{"VOLUNTARY_EXIT", ARTIFACT_VOLUNTARY_EXIT},
	{"SYNC_COMMITTEE_MESSAGE", ARTIFACT_SYNC_COMMITTEE_MESSAGE},
	{"SYNC_COMMITTEE_SELECTION_PROOF", ARTIFACT_SYNC_COMMITTEE_SELECTION_PROOF},
	{"SYNC_COMMITTEE_CONTRIBUTION_AND_PROOF", ARTIFACT_CONTRIBUTION_AND_PROOF},
	{"VALIDATOR_REGISTRATION", ARTIFACT_VALIDATOR_REGISTRATION},
	{"EXECUTION_PAYLOAD_BID", ARTIFACT_EXECUTION_PAYLOAD_BID},
	{"EXECUTION_PAYLOAD_ENVELOPE", ARTIFACT_EXECUTION_PAYLOAD_ENVELOPE},
	{"PAYLOAD_ATTESTATION_MESSAGE", ARTIFACT_PAYLOAD_ATTESTATION},
	{"PAYLOAD_ATTESTATION", ARTIFACT_PAYLOAD_ATTESTATION},
	{"PROPOSER_PREFERENCES", ARTIFACT_PROPOSER_PREFERENCES},
	{"BUILDER_REQUEST_AUTH", ARTIFACT_BUILDER_REQUEST_AUTH},
	{"REQUEST_AUTH", ARTIFACT_BUILDER_REQUEST_AUTH},
};

const char *artifact_type_name(uint32_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_names); i++) {
		if (type_names[i].type == type)
			return type_names[i].name;
	}
	return "UNKNOWN";
}

bool artifact_type_parse(const char *name, enum artifact_type *ret_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_names); i++) {
		if (strcasecmp(type_names[i].name, name) == 0) {
			*ret_type = type_names[i].type;
			return true;
		}
	}
	return false;
}
