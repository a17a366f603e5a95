/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/sign_request.h"

#include "base/json.h"

/* The longest name in the field has 37 letters; a longer text is not echoed. */
#define TYPE_TEXT_MAX_SIZE 64

static bool read_checkpoint(json_t *object, const char *name, struct checkpoint *ret_checkpoint, struct error *error)
{
	json_t *member;

	if (!json_read_object(object, name, &member, error))
		return false;
	if (!json_read_u64(member, "epoch", &ret_checkpoint->epoch, error) ||
	    !json_read_bytes32(member, "root", ret_checkpoint->root, error))
		return error_prefix(error, "%s", name);
	return true;
}

static bool parse_attestation(json_t *payload, const struct network *network, struct message_sign *message, struct error *error)
{
	struct attestation_data *data = &message->object.attestation;

	(void)network; /* the same container in every fork */
	return json_read_u64(payload, "slot", &data->slot, error) && json_read_u64(payload, "index", &data->index, error) &&
	       json_read_bytes32(payload, "beacon_block_root", data->beacon_block_root, error) &&
	       read_checkpoint(payload, "source", &data->source, error) && read_checkpoint(payload, "target", &data->target, error);
}

static bool read_block_version(json_t *payload, enum fork *ret_fork, struct error *error)
{
	const char *version;

	if (!json_read_text(payload, "version", &version, error))
		return false;
	if (!fork_parse(version, ret_fork))
		return error_set(error, ERROR_INPUT, "version: not the upper-case name of a fork (BELLATRIX to HEZE)");
	return true;
}

static bool parse_block_header(json_t *payload, struct beacon_block_header *block, struct error *error)
{
	json_t *header;

	if (!json_read_object(payload, "block_header", &header, error))
		return false;
	if (!json_read_u64(header, "slot", &block->slot, error) ||
	    !json_read_u64(header, "proposer_index", &block->proposer_index, error) ||
	    !json_read_bytes32(header, "parent_root", block->parent_root, error) ||
	    !json_read_bytes32(header, "state_root", block->state_root, error) ||
	    !json_read_bytes32(header, "body_root", block->body_root, error))
		return error_prefix(error, "block_header");
	return true;
}

static bool parse_block(json_t *payload, const struct network *network, struct message_sign *message, struct error *error)
{
	enum fork fork;

	(void)network; /* the version is the client's word; a header has the same form in every fork */
	if (!read_block_version(payload, &fork, error))
		return false;
	if (fork < FORK_BELLATRIX)
		return error_set(error, ERROR_INPUT,
				 "version: %s needs the full block in beacon_block.block, which this signer does not take; "
				 "BELLATRIX and later are signed by beacon_block.block_header",
				 fork_name(fork));
	return parse_block_header(payload, &message->object.block, error);
}

static bool parse_randao_reveal(json_t *payload, const struct network *network, struct message_sign *message, struct error *error)
{
	(void)network; /* a bare epoch */
	return json_read_u64(payload, "epoch", &message->object.epoch, error);
}

static bool parse_aggregation_slot(json_t *payload, const struct network *network, struct message_sign *message,
				   struct error *error)
{
	(void)network; /* a bare slot */
	return json_read_u64(payload, "slot", &message->object.slot, error);
}

/* What can be asked for. The domain and the slashing rule of each are the keeper's affair (enclave/keeper/artifacts.c). */
static const struct artifact {
	const char *type;
	enum artifact_type artifact_type;
	const char *payload; /* member that holds the object */
	bool (*parse)(json_t *payload, const struct network *network, struct message_sign *message, struct error *error);
} artifacts[] = {
	{"ATTESTATION", ARTIFACT_ATTESTATION, "attestation", parse_attestation},
	{"BLOCK_V2", ARTIFACT_BLOCK, "beacon_block", parse_block},
	{"RANDAO_REVEAL", ARTIFACT_RANDAO_REVEAL, "randao_reveal", parse_randao_reveal},
	{"AGGREGATION_SLOT", ARTIFACT_AGGREGATION_SLOT, "aggregation_slot", parse_aggregation_slot},
};

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

static bool read_fork_info(json_t *request, struct fork_info *ret_info, struct error *error)
{
	json_t *info;
	json_t *fork;

	if (!json_read_object(request, "fork_info", &info, error))
		return false;
	if (!json_read_object(info, "fork", &fork, error))
		return error_prefix(error, "fork_info");
	if (!json_read_hex(fork, "previous_version", ret_info->previous_version, FORK_VERSION_SIZE, error) ||
	    !json_read_hex(fork, "current_version", ret_info->current_version, FORK_VERSION_SIZE, error) ||
	    !json_read_u64(fork, "epoch", &ret_info->epoch, error))
		return error_prefix(error, "fork_info: fork");
	if (!json_read_bytes32(info, "genesis_validators_root", ret_info->genesis_validators_root, error))
		return error_prefix(error, "fork_info");
	return true;
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

static bool read_payload(json_t *request, const struct artifact *artifact, const struct network *network,
			 struct message_sign *message, struct error *error)
{
	json_t *payload;

	if (!json_read_object(request, artifact->payload, &payload, error))
		return false;
	if (!artifact->parse(payload, network, message, error))
		return error_prefix(error, "%s", artifact->payload);
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
	if (!read_payload(request, artifact, network, &message, error) || !read_fork_info(request, &message.fork_info, error) ||
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
