/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/artifact_parsers.h"

#include <inttypes.h>

#include "eth/schemas.h"

/* ---- members of small objects ---- */

enum member_kind {
	MEMBER_U64,
	MEMBER_BYTES32, /* may be short */
	MEMBER_BYTES,   /* exact */
	MEMBER_BOOLEAN,
};

struct member {
	const char *name;
	enum member_kind kind;
	size_t offset; /* in the struct */
	size_t size;
};

#define MEMBER(kind, type, name)                                                                                                   \
	{                                                                                                                          \
#name, kind, offsetof(type, name), sizeof(((type *)NULL)->name)                                                    \
	}

static bool read_member(json_t *object, const struct member *member, uint8_t *ret_bytes, struct error *error)
{
	uint64_t number;
	bool flag;

	switch (member->kind) {
	case MEMBER_BYTES32:
		return json_read_bytes32(object, member->name, ret_bytes, error);
	case MEMBER_BYTES:
		return json_read_hex(object, member->name, ret_bytes, member->size, error);
	case MEMBER_BOOLEAN:
		if (!json_read_bool(object, member->name, &flag, error))
			return false;
		*ret_bytes = flag;
		return true;
	case MEMBER_U64:
		break;
	}
	if (!json_read_u64(object, member->name, &number, error))
		return false;
	memcpy(ret_bytes, &number, sizeof number);
	return true;
}

static bool read_members(json_t *object, const struct member *members, size_t count, void *ret_struct, struct error *error)
{
	for (size_t i = 0; i < count; i++)
		if (!read_member(object, &members[i], (uint8_t *)ret_struct + members[i].offset, error))
			return false;
	return true;
}

static bool read_nested_u64(json_t *object, const char *outer, const char *name, uint64_t *ret_value, struct error *error)
{
	json_t *inner;

	if (!json_read_object(object, outer, &inner, error))
		return false;
	if (!json_read_u64(inner, name, ret_value, error))
		return error_prefix(error, "%s", outer);
	return true;
}

/* ---- forks ---- */

bool artifact_read_fork_info(json_t *request, struct fork_info *ret_info, struct error *error)
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

static bool is_unscheduled(const struct network *network, enum fork fork)
{
	return network->forks[fork].epoch == EPOCH_NEVER;
}

/* The fork of which fork_info speaks at this epoch, among those that the network names but has no epoch for. */
static enum fork fork_by_fork_info(const struct artifact_source *source, uint64_t epoch, enum fork scheduled)
{
	static const uint8_t unnamed[FORK_VERSION_SIZE];
	const uint8_t *version;
	struct fork_info info;
	struct error ignored; /* whoever needs fork_info says so itself */

	if (!artifact_read_fork_info(source->request, &info, &ignored))
		return scheduled;
	version = fork_info_version(&info, epoch);
	for (enum fork fork = scheduled + 1; fork < FORK_COUNT; fork++)
		if (memcmp(version, unnamed, sizeof unnamed) != 0 && is_unscheduled(source->network, fork) &&
		    memcmp(version, source->network->forks[fork].version, FORK_VERSION_SIZE) == 0)
			return fork;
	return scheduled;
}

/*
 * The fork whose containers hold at `slot`: that of the network's schedule. Only of a fork that the schedule has no epoch for does it
 * believe the request: its version, else its fork_info.
 */
static enum fork find_fork(const struct artifact_source *source, uint64_t slot)
{
	uint64_t epoch = slot / source->network->slots_per_epoch;
	enum fork scheduled = network_fork_at(source->network, epoch);

	if (!source->has_version)
		return fork_by_fork_info(source, epoch, scheduled);
	return source->version > scheduled && is_unscheduled(source->network, source->version) ? source->version : scheduled;
}

/* As find_fork, for what exists only from the fork `first` on. While that has no epoch, the object itself is the request's word for it. */
static bool find_fork_since(const struct artifact_source *source, uint64_t slot, enum fork first, enum fork *ret_fork,
			    struct error *error)
{
	const struct network *network = source->network;
	enum fork fork = find_fork(source, slot);

	if (source->has_version && source->version < first)
		return error_set(error, ERROR_INPUT, "version: %s does not have this object; it comes with %s",
				 fork_name(source->version), fork_name(first));
	if (fork < first && !is_unscheduled(network, first))
		return error_set(error, ERROR_INPUT,
				 "slot %" PRIu64 " is in %s on network %s, where this object comes with %s at epoch %" PRIu64, slot,
				 fork_name(fork), network->name, fork_name(first), network->forks[first].epoch);
	*ret_fork = fork < first ? first : fork;
	return true;
}

/* ---- large objects ---- */

static bool merkleize(const struct artifact_source *source, enum schema schema, enum fork fork, uint64_t slot,
		      struct message_sign *message, struct error *error)
{
	const struct ssz_type *type = schema_find(schema, source->network, fork, error);

	if (!type)
		return false;
	message->object.merkleized.slot = slot;
	return ssz_json_root(type, source->object, message->object.merkleized.root, error);
}

/*
 * The one place where a request is believed against the schedule: it says ELECTRA or later and has the member that came with ELECTRA. In
 * the older form that member would be dropped, and the signature good for nothing.
 */
static bool is_electra_ahead_of_schedule(const struct artifact_source *source, enum fork fork)
{
	json_t *committee_bits = json_object_get(json_object_get(source->object, "aggregate"), "committee_bits");

	return fork < FORK_ELECTRA && source->has_version && source->version >= FORK_ELECTRA && committee_bits &&
	       !json_is_null(committee_bits);
}

static bool read_aggregate_slot(json_t *object, uint64_t *ret_slot, struct error *error)
{
	json_t *aggregate;

	if (!json_read_object(object, "aggregate", &aggregate, error))
		return false;
	if (!read_nested_u64(aggregate, "data", "slot", ret_slot, error))
		return error_prefix(error, "aggregate");
	return true;
}

bool artifact_parse_aggregate(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	enum fork fork;
	uint64_t slot;

	if (!read_aggregate_slot(source->object, &slot, error))
		return false;
	fork = find_fork(source, slot);
	if (is_electra_ahead_of_schedule(source, fork))
		fork = FORK_ELECTRA;
	return merkleize(source, SCHEMA_AGGREGATE_AND_PROOF, fork, slot, message, error);
}

bool artifact_parse_contribution(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	enum fork fork;
	uint64_t slot;

	return read_nested_u64(source->object, "contribution", "slot", &slot, error) &&
	       find_fork_since(source, slot, FORK_ALTAIR, &fork, error) &&
	       merkleize(source, SCHEMA_CONTRIBUTION_AND_PROOF, fork, slot, message, error);
}

bool artifact_parse_bid(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	enum fork fork;
	uint64_t slot;

	return json_read_u64(source->object, "slot", &slot, error) && find_fork_since(source, slot, FORK_GLOAS, &fork, error) &&
	       merkleize(source, SCHEMA_EXECUTION_PAYLOAD_BID, fork, slot, message, error);
}

bool artifact_parse_envelope(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	enum fork fork;
	uint64_t slot;

	return read_nested_u64(source->object, "payload", "slot_number", &slot, error) &&
	       find_fork_since(source, slot, FORK_GLOAS, &fork, error) &&
	       merkleize(source, SCHEMA_EXECUTION_PAYLOAD_ENVELOPE, fork, slot, message, error);
}

bool artifact_parse_request_auth(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	enum fork fork;
	uint64_t slot;

	return json_read_u64(source->object, "slot", &slot, error) && find_fork_since(source, slot, FORK_GLOAS, &fork, error) &&
	       merkleize(source, SCHEMA_BUILDER_REQUEST_AUTH, fork, slot, message, error);
}

/* ---- blocks ---- */

static bool parse_header(json_t *header, struct beacon_block_header *ret_header, struct error *error)
{
	static const struct member members[] = {
		MEMBER(MEMBER_U64, struct beacon_block_header, slot),
		MEMBER(MEMBER_U64, struct beacon_block_header, proposer_index),
		MEMBER(MEMBER_BYTES32, struct beacon_block_header, parent_root),
		MEMBER(MEMBER_BYTES32, struct beacon_block_header, state_root),
		MEMBER(MEMBER_BYTES32, struct beacon_block_header, body_root),
	};

	return read_members(header, members, ARRAY_SIZE(members), ret_header, error);
}

/* "body" is the last member of every BeaconBlock. */
static const struct ssz_type *body_type_of(const struct ssz_type *block_type)
{
	const struct ssz_field *last = block_type->fields + __builtin_popcountll(block_type->active_fields) - 1;

	return last->type;
}

/* The header of a full block: the same members, and the root of the body in the place of the body. */
static bool parse_full_block(const struct artifact_source *source, json_t *block, enum fork fork,
			     struct beacon_block_header *ret_header, struct error *error)
{
	static const struct member members[] = {
		MEMBER(MEMBER_U64, struct beacon_block_header, slot),
		MEMBER(MEMBER_U64, struct beacon_block_header, proposer_index),
		MEMBER(MEMBER_BYTES32, struct beacon_block_header, parent_root),
		MEMBER(MEMBER_BYTES32, struct beacon_block_header, state_root),
	};
	const struct ssz_type *type = schema_find(SCHEMA_BEACON_BLOCK, source->network, fork, error);
	json_t *body;

	if (!type)
		return false;
	type = body_type_of(type);
	if (!read_members(block, members, ARRAY_SIZE(members), ret_header, error) || !json_read_object(block, "body", &body, error))
		return false;
	if (!ssz_json_root(type, body, ret_header->body_root, error))
		return error_prefix(error, "body");
	return true;
}

bool artifact_parse_block_phase0(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	return parse_full_block(source, source->object, FORK_PHASE0, &message->object.block, error);
}

bool artifact_parse_block(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	const char *member;
	const char *version;
	json_t *block;
	enum fork fork;

	/* The version is the client's word; it decides the form of the request, and from BELLATRIX on not even the root. */
	if (!json_read_text(source->object, "version", &version, error))
		return false;
	if (!fork_parse(version, &fork))
		return error_set(error, ERROR_INPUT, "version: not the upper-case name of a fork (PHASE0 to HEZE)");
	member = fork < FORK_BELLATRIX ? "block" : "block_header";
	if (!json_read_object(source->object, member, &block, error))
		return false;
	if (fork < FORK_BELLATRIX ? !parse_full_block(source, block, fork, &message->object.block, error)
				  : !parse_header(block, &message->object.block, error))
		return error_prefix(error, "%s", member);
	return true;
}

/* ---- small objects ---- */

static bool read_checkpoint(json_t *object, const char *name, struct checkpoint *ret_checkpoint, struct error *error)
{
	static const struct member members[] = {
		MEMBER(MEMBER_U64, struct checkpoint, epoch),
		MEMBER(MEMBER_BYTES32, struct checkpoint, root),
	};
	json_t *checkpoint;

	if (!json_read_object(object, name, &checkpoint, error))
		return false;
	if (!read_members(checkpoint, members, ARRAY_SIZE(members), ret_checkpoint, error))
		return error_prefix(error, "%s", name);
	return true;
}

bool artifact_parse_attestation(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	static const struct member members[] = {
		MEMBER(MEMBER_U64, struct attestation_data, slot),
		MEMBER(MEMBER_U64, struct attestation_data, index),
		MEMBER(MEMBER_BYTES32, struct attestation_data, beacon_block_root),
	};
	struct attestation_data *data = &message->object.attestation;

	return read_members(source->object, members, ARRAY_SIZE(members), data, error) &&
	       read_checkpoint(source->object, "source", &data->source, error) &&
	       read_checkpoint(source->object, "target", &data->target, error);
}

bool artifact_parse_randao_reveal(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	return json_read_u64(source->object, "epoch", &message->object.epoch, error);
}

bool artifact_parse_aggregation_slot(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	return json_read_u64(source->object, "slot", &message->object.slot, error);
}

bool artifact_parse_deposit(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	static const struct member members[] = {
		MEMBER(MEMBER_BYTES, struct deposit_message, pubkey),
		MEMBER(MEMBER_BYTES32, struct deposit_message, withdrawal_credentials),
		MEMBER(MEMBER_U64, struct deposit_message, amount),
	};
	struct deposit_request *deposit = &message->object.deposit;

	return read_members(source->object, members, ARRAY_SIZE(members), &deposit->message, error) &&
	       json_read_hex(source->object, "genesis_fork_version", deposit->genesis_fork_version, FORK_VERSION_SIZE, error);
}

bool artifact_parse_voluntary_exit(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	static const struct member members[] = {
		MEMBER(MEMBER_U64, struct voluntary_exit, epoch),
		MEMBER(MEMBER_U64, struct voluntary_exit, validator_index),
	};

	return read_members(source->object, members, ARRAY_SIZE(members), &message->object.voluntary_exit, error);
}

bool artifact_parse_sync_committee_message(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	static const struct member members[] = {
		MEMBER(MEMBER_BYTES32, struct sync_committee_vote, beacon_block_root),
		MEMBER(MEMBER_U64, struct sync_committee_vote, slot),
	};
	struct sync_committee_vote *vote = &message->object.sync_committee;
	enum fork fork;

	return read_members(source->object, members, ARRAY_SIZE(members), vote, error) &&
	       find_fork_since(source, vote->slot, FORK_ALTAIR, &fork, error);
}

bool artifact_parse_sync_selection(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	static const struct member members[] = {
		MEMBER(MEMBER_U64, struct sync_aggregator_selection_data, slot),
		MEMBER(MEMBER_U64, struct sync_aggregator_selection_data, subcommittee_index),
	};
	struct sync_aggregator_selection_data *data = &message->object.sync_selection;
	enum fork fork;

	return read_members(source->object, members, ARRAY_SIZE(members), data, error) &&
	       find_fork_since(source, data->slot, FORK_ALTAIR, &fork, error);
}

bool artifact_parse_registration(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	static const struct member members[] = {
		MEMBER(MEMBER_BYTES, struct validator_registration, fee_recipient),
		MEMBER(MEMBER_U64, struct validator_registration, gas_limit),
		MEMBER(MEMBER_U64, struct validator_registration, timestamp),
		MEMBER(MEMBER_BYTES, struct validator_registration, pubkey),
	};

	return read_members(source->object, members, ARRAY_SIZE(members), &message->object.registration, error);
}

bool artifact_parse_payload_attestation(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	static const struct member members[] = {
		MEMBER(MEMBER_BYTES32, struct payload_attestation_data, beacon_block_root),
		MEMBER(MEMBER_U64, struct payload_attestation_data, slot),
		MEMBER(MEMBER_BOOLEAN, struct payload_attestation_data, payload_present),
		MEMBER(MEMBER_BOOLEAN, struct payload_attestation_data, blob_data_available),
	};
	struct payload_attestation_data *data = &message->object.payload_attestation;
	enum fork fork;

	return read_members(source->object, members, ARRAY_SIZE(members), data, error) &&
	       find_fork_since(source, data->slot, FORK_GLOAS, &fork, error);
}

bool artifact_parse_preferences(const struct artifact_source *source, struct message_sign *message, struct error *error)
{
	static const struct member members[] = {
		MEMBER(MEMBER_BYTES32, struct proposer_preferences, dependent_root),
		MEMBER(MEMBER_U64, struct proposer_preferences, proposal_slot),
		MEMBER(MEMBER_U64, struct proposer_preferences, validator_index),
		MEMBER(MEMBER_BYTES, struct proposer_preferences, fee_recipient),
		MEMBER(MEMBER_U64, struct proposer_preferences, target_gas_limit),
	};
	struct proposer_preferences *preferences = &message->object.preferences;
	enum fork fork;

	return read_members(source->object, members, ARRAY_SIZE(members), preferences, error) &&
	       find_fork_since(source, preferences->proposal_slot, FORK_GLOAS, &fork, error);
}
