/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One parser a kind of object that can be signed: from the JSON of a request to the object of the message. Used by sign_request.c's
 * table only. Small objects travel as they are; of large ones (aggregates, contributions, bids, envelopes, request auths) the
 * parser computes the root, and of full blocks the body's root.
 */
#pragma once

#include "base/json.h"
#include "enclave/messages.h"

struct artifact_source {
	json_t *request; /* the whole body */
	json_t *object;  /* what is signed, out of {"version", "data"} where it was wrapped in that */
	const struct network *network;
	bool has_version;
	enum fork version; /* the wrapper's */
};

/* Fills message->object. ERROR_INPUT that begins with the place in source->object. */
typedef bool artifact_parser(const struct artifact_source *source, struct message_sign *message, struct error *error);

artifact_parser artifact_parse_attestation;
artifact_parser artifact_parse_block_phase0; /* BLOCK */
artifact_parser artifact_parse_block;        /* BLOCK_V2 */
artifact_parser artifact_parse_randao_reveal;
artifact_parser artifact_parse_aggregation_slot;
artifact_parser artifact_parse_aggregate;
artifact_parser artifact_parse_deposit;
artifact_parser artifact_parse_voluntary_exit;
artifact_parser artifact_parse_sync_committee_message;
artifact_parser artifact_parse_sync_selection;
artifact_parser artifact_parse_contribution;
artifact_parser artifact_parse_registration;
artifact_parser artifact_parse_bid;
artifact_parser artifact_parse_envelope;
artifact_parser artifact_parse_payload_attestation;
artifact_parser artifact_parse_preferences;
artifact_parser artifact_parse_request_auth;

/* The request's fork_info; `error` begins with "fork_info". */
MUST_USE bool artifact_read_fork_info(json_t *request, struct fork_info *ret_info, struct error *error);
