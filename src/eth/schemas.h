/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SSZ types that validators sign, by fork and by preset (consensus-specs, builder-specs). GLOAS and HEZE are drafts, as of
 * v1.7.0-alpha.13 of the specs: check them again when those move.
 */
#pragma once

#include "eth/ssz_schema.h"

enum schema {
	SCHEMA_BEACON_BLOCK, /* PHASE0 and ALTAIR; a later block is signed by its header, which has the same root */
	SCHEMA_BEACON_BLOCK_HEADER,
	SCHEMA_ATTESTATION_DATA,
	SCHEMA_ATTESTATION,
	SCHEMA_AGGREGATE_AND_PROOF,
	SCHEMA_DEPOSIT_MESSAGE,
	SCHEMA_DEPOSIT_DATA,
	SCHEMA_VOLUNTARY_EXIT,
	SCHEMA_SYNC_AGGREGATOR_SELECTION_DATA,
	SCHEMA_SYNC_COMMITTEE_CONTRIBUTION,
	SCHEMA_CONTRIBUTION_AND_PROOF,
	SCHEMA_VALIDATOR_REGISTRATION,
	SCHEMA_EXECUTION_PAYLOAD_BID,
	SCHEMA_EXECUTION_PAYLOAD_ENVELOPE,
	SCHEMA_PAYLOAD_ATTESTATION_DATA,
	SCHEMA_PROPOSER_PREFERENCES,
	SCHEMA_BUILDER_REQUEST_AUTH,
	SCHEMA_INCLUSION_LIST,
	SCHEMA_COUNT,
};

/* As the specification spells it: "AggregateAndProof". */
const char *schema_name(enum schema schema);
/*
 * The type as it is on `network` in `fork`. NULL with ERROR_INPUT when that fork does not have it, or when the network's sizes
 * (committees a slot, sync committee) are those of no preset.
 */
MUST_USE const struct ssz_type *schema_find(enum schema schema, const struct network *network, enum fork fork, struct error *error);
