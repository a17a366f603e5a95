/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/schemas.h"

#include <inttypes.h>

#include "eth/schemas_parts.h"

static const struct schema_preset *const presets[] = {&schema_mainnet, &schema_minimal};

static const char *const names[SCHEMA_COUNT] = {
	[SCHEMA_BEACON_BLOCK] = "BeaconBlock",
	[SCHEMA_BEACON_BLOCK_HEADER] = "BeaconBlockHeader",
	[SCHEMA_ATTESTATION_DATA] = "AttestationData",
	[SCHEMA_ATTESTATION] = "Attestation",
	[SCHEMA_AGGREGATE_AND_PROOF] = "AggregateAndProof",
	[SCHEMA_DEPOSIT_MESSAGE] = "DepositMessage",
	[SCHEMA_DEPOSIT_DATA] = "DepositData",
	[SCHEMA_VOLUNTARY_EXIT] = "VoluntaryExit",
	[SCHEMA_SYNC_AGGREGATOR_SELECTION_DATA] = "SyncAggregatorSelectionData",
	[SCHEMA_SYNC_COMMITTEE_CONTRIBUTION] = "SyncCommitteeContribution",
	[SCHEMA_CONTRIBUTION_AND_PROOF] = "ContributionAndProof",
	[SCHEMA_VALIDATOR_REGISTRATION] = "ValidatorRegistrationV1",
	[SCHEMA_EXECUTION_PAYLOAD_BID] = "ExecutionPayloadBid",
	[SCHEMA_EXECUTION_PAYLOAD_ENVELOPE] = "ExecutionPayloadEnvelope",
	[SCHEMA_PAYLOAD_ATTESTATION_DATA] = "PayloadAttestationData",
	[SCHEMA_PROPOSER_PREFERENCES] = "ProposerPreferences",
	[SCHEMA_BUILDER_REQUEST_AUTH] = "BuilderRequestAuth",
	[SCHEMA_INCLUSION_LIST] = "InclusionList",
};

const char *schema_name(enum schema schema)
{
	return (unsigned)schema < SCHEMA_COUNT ? names[schema] : "unknown type";
}

static const struct schema_preset *find_preset(const struct network *network, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(presets); i++)
		if (presets[i]->sync_committee_size == network->sync_committee_size &&
		    presets[i]->max_committees_per_slot == network->max_committees_per_slot)
			return presets[i];
	return error_set(error, ERROR_INPUT,
			 "network %.*s: a sync committee of %" PRIu64 " and %" PRIu64 " committees a slot are of no known preset",
			 NETWORK_NAME_SIZE, network->name, network->sync_committee_size, network->max_committees_per_slot),
	       NULL;
}

const struct ssz_type *schema_find(enum schema schema, const struct network *network, enum fork fork, struct error *error)
{
	const struct schema_preset *preset = find_preset(network, error);
	const struct ssz_type *type = NULL;

	if (!preset)
		return NULL;
	if ((unsigned)schema < SCHEMA_COUNT && (unsigned)fork < FORK_COUNT)
		type = preset->types[schema][fork];
	if (!type)
		return error_set(error, ERROR_INPUT, "%s: not in %s", schema_name(schema), fork_name(fork)), NULL;
	return type;
}
