/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/sign_request.h"

#include "enclave/frontend/artifact_parsers.h"

/* The longest name in the field has 37 letters; a longer text is not echoed. */
#define TYPE_TEXT_MAX_SIZE 64

/* More names than this no payload has in the field. */
#define PAYLOAD_NAMES_MAX 2

enum wrapping {
	BARE,
	WRAPPED_OR_BARE, /* {"version": …, "data": the object}, or the object */
};

/*
 * What can be asked for: docs/artifacts.md. The domain, the fork-version rule and the slashing rule of each are the keeper's affair
 * (enclave/keeper/artifacts.c).
 */
// clang-format off
static const struct artifact {
	const char *type;
	const char *payloads[PAYLOAD_NAMES_MAX]; /* member that holds the object; some clients use another name */
	enum wrapping wrapping;
	artifact_parser *parse;
	enum artifact_type artifact_type;
	bool needs_fork_info;
} artifacts[] = {
	{"ATTESTATION", {"attestation"}, BARE, artifact_parse_attestation, ARTIFACT_ATTESTATION, true},
	{"BLOCK_V2", {"beacon_block"}, BARE, artifact_parse_block, ARTIFACT_BLOCK, true},
	{"BLOCK", {"block"}, BARE, artifact_parse_block_phase0, ARTIFACT_BLOCK, true},
	{"RANDAO_REVEAL", {"randao_reveal"}, BARE, artifact_parse_randao_reveal, ARTIFACT_RANDAO_REVEAL, true},
	{"AGGREGATION_SLOT", {"aggregation_slot"}, BARE, artifact_parse_aggregation_slot, ARTIFACT_AGGREGATION_SLOT, true},
	{"AGGREGATE_AND_PROOF", {"aggregate_and_proof"}, WRAPPED_OR_BARE,
	 artifact_parse_aggregate, ARTIFACT_AGGREGATE_AND_PROOF, true},
	{"AGGREGATE_AND_PROOF_V2", {"aggregate_and_proof"}, WRAPPED_OR_BARE,
	 artifact_parse_aggregate, ARTIFACT_AGGREGATE_AND_PROOF, true},
	{"SYNC_COMMITTEE_MESSAGE", {"sync_committee_message"}, BARE,
	 artifact_parse_sync_committee_message, ARTIFACT_SYNC_COMMITTEE_MESSAGE, true},
	{"SYNC_COMMITTEE_SELECTION_PROOF", {"sync_aggregator_selection_data"}, BARE,
	 artifact_parse_sync_selection, ARTIFACT_SYNC_COMMITTEE_SELECTION_PROOF, true},
	{"SYNC_COMMITTEE_CONTRIBUTION_AND_PROOF", {"contribution_and_proof"}, BARE,
	 artifact_parse_contribution, ARTIFACT_CONTRIBUTION_AND_PROOF, true},
	{"VOLUNTARY_EXIT", {"voluntary_exit"}, BARE, artifact_parse_voluntary_exit, ARTIFACT_VOLUNTARY_EXIT, true},
	{"DEPOSIT", {"deposit"}, BARE, artifact_parse_deposit, ARTIFACT_DEPOSIT, false},
	{"VALIDATOR_REGISTRATION", {"validator_registration"}, BARE,
	 artifact_parse_registration, ARTIFACT_VALIDATOR_REGISTRATION, false},
	{"EXECUTION_PAYLOAD_BID", {"execution_payload_bid"}, WRAPPED_OR_BARE,
	 artifact_parse_bid, ARTIFACT_EXECUTION_PAYLOAD_BID, true},
	{"EXECUTION_PAYLOAD_ENVELOPE", {"execution_payload_envelope"}, WRAPPED_OR_BARE,
	 artifact_parse_envelope, ARTIFACT_EXECUTION_PAYLOAD_ENVELOPE, true},
	{"PAYLOAD_ATTESTATION_MESSAGE", {"payload_attestation_message", "payload_attestation_data"}, WRAPPED_OR_BARE,
	 artifact_parse_payload_attestation, ARTIFACT_PAYLOAD_ATTESTATION, true},
	{"PAYLOAD_ATTESTATION", {"payload_attestation_data", "payload_attestation_message"}, WRAPPED_OR_BARE,
	 artifact_parse_payload_attestation, ARTIFACT_PAYLOAD_ATTESTATION, true},
	{"PROPOSER_PREFERENCES", {"proposer_preferences"}, WRAPPED_OR_BARE,
	 artifact_parse_preferences, ARTIFACT_PROPOSER_PREFERENCES, true},
	{"BUILDER_REQUEST_AUTH", {"builder_request_auth", "request_auth"}, WRAPPED_OR_BARE,
	 artifact_parse_request_auth, ARTIFACT_BUILDER_REQUEST_AUTH, false},
	{"REQUEST_AUTH", {"request_auth", "builder_request_auth"}, WRAPPED_OR_BARE,
	 artifact_parse_request_auth, ARTIFACT_BUILDER_REQUEST_AUTH, false},
};
// clang-format on

static const struct artifact *find_artifact(json_t *request, struct error *error)
{
	const char *type;

	if (!json_read_text(request, "type", &type, error))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(artifacts); i++)
		if (strcasecmp(type, artifacts[i].type) == 0)
			return &artifacts[i];
	if (strlen(type) > TYPE_TEXT_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "type: unknown"), NULL;
	return error_set(error, ERROR_INPUT, "type: \"%s\" is unknown", type), NULL;
}

/* Absent and null are the same, under either name. */
static bool read_signing_root(json_t *request, struct message_sign *message, struct error *error)
{
	static const char *const names[] = {"signing_root", "signingRoot"};
	uint8_t root[ROOT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *member = json_object_get(request, names[i]);

		if (!member || json_is_null(member))
			continue;
		if (!json_read_bytes32(request, names[i], root, error))
			return false;
		if (message->has_signing_root && memcmp(message->signing_root, root, ROOT_SIZE) != 0)
			return error_set(error, ERROR_INPUT, "signingRoot: differs from signing_root");
		message->has_signing_root = 1;
		memcpy(message->signing_root, root, ROOT_SIZE);
	}
	return true;
}

static bool is_given(json_t *object, const char *name)
{
	json_t *member = json_object_get(object, name);

	return member && !json_is_null(member);
}

/* The name that the request uses; two of them could be two objects, and only one would be signed. */
static bool find_payload_name(json_t *request, const struct artifact *artifact, const char **ret_name, struct error *error)
{
	const char *other = artifact->payloads[1];

	*ret_name = artifact->payloads[0];
	if (!other || !is_given(request, other))
		return true;
	if (is_given(request, artifact->payloads[0]))
		return error_set(error, ERROR_INPUT, "%s: beside %s, of which it is another name", other, artifact->payloads[0]);
	*ret_name = other;
	return true;
}

static bool read_version(json_t *wrapper, struct artifact_source *source, struct error *error)
{
	const char *version;

	if (!json_read_text(wrapper, "version", &version, error))
		return false;
	for (enum fork fork = FORK_PHASE0; fork < FORK_COUNT; fork++) {
		if (strcasecmp(version, fork_name(fork)) == 0) {
			source->has_version = true;
			source->version = fork;
			return true;
		}
	}
	return error_set(error, ERROR_INPUT, "version: not the name of a fork (PHASE0 to HEZE)");
}

/* A bare object may have a "data" of its own (a request auth's is hex), but none has a "version". */
static bool unwrap(const struct artifact *artifact, struct artifact_source *source, struct error *error)
{
	json_t *wrapper = source->object;

	if (artifact->wrapping == BARE)
		return true;
	if (!is_given(wrapper, "version") && !json_is_object(json_object_get(wrapper, "data")))
		return true;
	return read_version(wrapper, source, error) && json_read_object(wrapper, "data", &source->object, error);
}

static bool read_payload(json_t *request, const struct artifact *artifact, const struct network *network,
			 struct message_sign *message, struct error *error)
{
	struct artifact_source source = {.request = request, .network = network};
	const char *name;

	if (!find_payload_name(request, artifact, &name, error) || !json_read_object(request, name, &source.object, error))
		return false;
	if (!unwrap(artifact, &source, error) || !artifact->parse(&source, message, error))
		return error_prefix(error, "%s", name);
	return true;
}

bool sign_request_read(json_t *request, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], const struct network *network,
		       struct message_sign *ret_message, struct error *error)
{
	const struct artifact *artifact = find_artifact(request, error);
	struct message_sign message;

	if (!artifact)
		return false;
	/* Zeroes the padding too: what crosses the wall has no stale bytes in it. */
	message_init(&message, MESSAGE_SIGN, 0);
	message.artifact_type = artifact->artifact_type;
	memcpy(message.public_key, public_key, BLS_PUBLIC_KEY_SIZE);
	if (!read_payload(request, artifact, network, &message, error) ||
	    (artifact->needs_fork_info && !artifact_read_fork_info(request, &message.fork_info, error)) ||
	    !read_signing_root(request, &message, error))
		return false;
	memcpy(ret_message, &message, sizeof message);
	return true;
}

bool sign_request_parse(struct view body, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], const struct network *network,
			struct message_sign *ret_message, struct error *error)
{
	AUTO_JSON json_t *request = json_parse_object(body, "body", error);

	return request && sign_request_read(request, public_key, network, ret_message, error);
}
