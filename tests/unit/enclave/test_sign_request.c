/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "enclave/frontend/sign_request.h"

static const uint8_t some_key[BLS_PUBLIC_KEY_SIZE] = {0x93, 0x01};

/* ---- the vectors ---- */

static const struct network *mainnet(void)
{
	struct error error;
	const struct network *network = network_find("mainnet", &error);

	assert_ok(network != NULL, &error);
	return network;
}

static json_t *at(json_t *json, const char *name)
{
	json_t *member = json_object_get(json, name);

	assert_non_null(member);
	return member;
}

static void assert_number(json_t *json, const char *name, uint64_t value)
{
	uint64_t wanted;

	assert_true(u64_parse(view_of_text(json_string_value(at(json, name))), &wanted));
	assert_int_equal(value, wanted);
}

static void assert_hex(json_t *json, const char *name, const uint8_t *bytes, size_t size)
{
	AUTO_BUFFER struct buffer wanted = unhex(json_string_value(at(json, name)));

	assert_int_equal(wanted.size, size);
	assert_memory_equal(bytes, wanted.data, size);
}

static void check_attestation(const struct message_sign *message, json_t *body)
{
	const struct attestation_data *data = &message->object.attestation;
	json_t *payload = at(body, "attestation");

	assert_int_equal(message->artifact_type, ARTIFACT_ATTESTATION);
	assert_number(payload, "slot", data->slot);
	assert_number(payload, "index", data->index);
	assert_hex(payload, "beacon_block_root", data->beacon_block_root, ROOT_SIZE);
	assert_number(at(payload, "source"), "epoch", data->source.epoch);
	assert_hex(at(payload, "source"), "root", data->source.root, ROOT_SIZE);
	assert_number(at(payload, "target"), "epoch", data->target.epoch);
	assert_hex(at(payload, "target"), "root", data->target.root, ROOT_SIZE);
}

static void check_block(const struct message_sign *message, json_t *body)
{
	const struct beacon_block_header *block = &message->object.block;
	json_t *header = json_object_get(at(body, "beacon_block"), "block_header");
	bool is_full = header == NULL;

	if (is_full)
		header = at(at(body, "beacon_block"), "block");
	assert_int_equal(message->artifact_type, ARTIFACT_BLOCK);
	assert_number(header, "slot", block->slot);
	assert_number(header, "proposer_index", block->proposer_index);
	assert_hex(header, "parent_root", block->parent_root, ROOT_SIZE);
	assert_hex(header, "state_root", block->state_root, ROOT_SIZE);
	if (!is_full) /* else the body's root was computed: test_artifacts.c */
		assert_hex(header, "body_root", block->body_root, ROOT_SIZE);
}

static void check_randao_reveal(const struct message_sign *message, json_t *body)
{
	assert_int_equal(message->artifact_type, ARTIFACT_RANDAO_REVEAL);
	assert_number(at(body, "randao_reveal"), "epoch", message->object.epoch);
}

static void check_aggregation_slot(const struct message_sign *message, json_t *body)
{
	assert_int_equal(message->artifact_type, ARTIFACT_AGGREGATION_SLOT);
	assert_number(at(body, "aggregation_slot"), "slot", message->object.slot);
}

static void check_common(const struct message_sign *message, json_t *body)
{
	json_t *info = at(body, "fork_info");
	json_t *root = json_object_get(body, "signing_root");

	assert_int_equal(message->header.type, MESSAGE_SIGN);
	assert_int_equal(message->header.size, sizeof *message);
	assert_memory_equal(message->public_key, some_key, sizeof some_key);
	assert_hex(at(info, "fork"), "previous_version", message->fork_info.previous_version, FORK_VERSION_SIZE);
	assert_hex(at(info, "fork"), "current_version", message->fork_info.current_version, FORK_VERSION_SIZE);
	assert_number(at(info, "fork"), "epoch", message->fork_info.epoch);
	assert_hex(info, "genesis_validators_root", message->fork_info.genesis_validators_root, ROOT_SIZE);
	if (!root)
		root = json_object_get(body, "signingRoot");
	assert_int_equal(message->has_signing_root, root != NULL);
	if (root)
		assert_hex(body, json_object_get(body, "signing_root") ? "signing_root" : "signingRoot", message->signing_root,
			   ROOT_SIZE);
}

static bool parse_json(json_t *body, struct message_sign *ret_message, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	json_write(body, &text);
	return sign_request_parse(buffer_view(&text), some_key, mainnet(), ret_message, error);
}

static size_t check_vectors(const char *file, void (*check)(const struct message_sign *message, json_t *body))
{
	AUTO_FREE char *path = own_vector_path(file);
	AUTO_JSON json_t *cases = load_json(path);
	size_t checked = 0;
	size_t index;
	json_t *one;

	json_array_foreach(cases, index, one)
	{
		json_t *body = at(one, "body");
		struct message_sign message;
		struct error error;

		assert_ok(parse_json(body, &message, &error), &error);
		check(&message, body);
		check_common(&message, body);
		checked++;
	}
	return checked;
}

static void vectors_parse(void **state)
{
	(void)state;
	assert_true(check_vectors("signing/attestation.json", check_attestation) >= 6);
	assert_true(check_vectors("signing/block_v2.json", check_block) >= 10);
	assert_true(check_vectors("signing/randao_reveal.json", check_randao_reveal) >= 5);
	assert_true(check_vectors("signing/aggregation_slot.json", check_aggregation_slot) >= 5);
}

/* ---- by hand ---- */

#define R32 "\"0x0101010101010101010101010101010101010101010101010101010101010101\""
#define FORK "\"fork\":{\"previous_version\":\"0x00000001\",\"current_version\":\"0x00000002\",\"epoch\":\"3\"}"
#define INFO "\"fork_info\":{" FORK ",\"genesis_validators_root\":" R32 "}"
#define HEADER "{\"slot\":\"1\",\"proposer_index\":\"2\",\"parent_root\":" R32 ",\"state_root\":" R32 ",\"body_root\":" R32 "}"
#define RANDAO "\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":\"5\"}"
#define ATTESTATION(source, target)                                                                                                \
	"{" INFO ",\"type\":\"ATTESTATION\",\"attestation\":{\"slot\":\"1\",\"index\":\"2\",\"beacon_block_root\":" R32            \
	",\"source\":" source ",\"target\":" target "}}"
#define BLOCK(version) "{" INFO ",\"type\":\"BLOCK_V2\",\"beacon_block\":{\"version\":" version ",\"block_header\":" HEADER "}}"

static bool parse_text(const char *text, struct message_sign *ret_message, struct error *error)
{
	return sign_request_parse(view_of_text(text), some_key, mainnet(), ret_message, error);
}

static void quirks_are_taken(void **state)
{
	static const char *const bodies[] = {
		"{" INFO "," RANDAO "}",
		/* the type in any letter case, numbers as JSON integers */
		"{" INFO ",\"type\":\"randao_Reveal\",\"randao_reveal\":{\"epoch\":5}}",
		/* unknown members at every level, payloads of other types */
		"{\"x\":[1,{}],\"fork_info\":{" FORK ",\"y\":1,\"genesis_validators_root\":" R32
		"},\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":\"5\",\"z\":null},\"attestation\":7}",
		/* absent and null are the same */
		"{" INFO "," RANDAO ",\"signing_root\":null,\"signingRoot\":null}",
		/* hex without 0x and in capitals */
		"{\"fork_info\":{\"fork\":{\"previous_version\":\"00000001\",\"current_version\":\"0x00000002\",\"epoch\":\"3\"},"
		"\"genesis_validators_root\":\"0101010101010101010101010101010101010101010101010101010101010101\"}," RANDAO "}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct message_sign first;
		struct message_sign message;
		struct error error;

		assert_ok(parse_text(bodies[0], &first, &error), &error);
		assert_ok(parse_text(bodies[i], &message, &error), &error);
		assert_memory_equal(&message, &first, sizeof message);
		assert_int_equal(message.object.epoch, 5);
		assert_int_equal(message.fork_info.epoch, 3);
		assert_int_equal(message.fork_info.current_version[3], 2);
		assert_int_equal(message.has_signing_root, 0);
	}
}

static void short_roots_are_padded(void **state)
{
	struct message_sign message;
	struct error error;
	uint8_t wanted[ROOT_SIZE] = {[30] = 0xaB, [31] = 0x01};

	(void)state;
	assert_ok(parse_text("{" INFO "," RANDAO ",\"signingRoot\":\"0xAb01\"}", &message, &error), &error);
	assert_int_equal(message.has_signing_root, 1);
	assert_memory_equal(message.signing_root, wanted, ROOT_SIZE);
	assert_ok(parse_text("{" INFO "," RANDAO ",\"signing_root\":\"0x\"}", &message, &error), &error);
	memset(wanted, 0, sizeof wanted);
	assert_int_equal(message.has_signing_root, 1);
	assert_memory_equal(message.signing_root, wanted, ROOT_SIZE);
	assert_ok(parse_text("{" INFO "," RANDAO ",\"signing_root\":\"0x01\",\"signingRoot\":\"01\"}", &message, &error), &error);
}

static void numbers_reach_their_ends(void **state)
{
	struct message_sign message;
	struct error error;

	(void)state;
	assert_ok(parse_text("{" INFO ",\"type\":\"AGGREGATION_SLOT\",\"aggregation_slot\":{\"slot\":\"18446744073709551615\"}}",
			     &message, &error),
		  &error);
	assert_true(message.object.slot == UINT64_MAX);
}

static void every_header_version_is_taken(void **state)
{
	static const char *const bodies[] = {BLOCK("\"BELLATRIX\""), BLOCK("\"CAPELLA\""), BLOCK("\"DENEB\""), BLOCK("\"ELECTRA\""),
					     BLOCK("\"FULU\""),      BLOCK("\"GLOAS\""),   BLOCK("\"HEZE\"")};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct message_sign message;
		struct error error;

		assert_ok(parse_text(bodies[i], &message, &error), &error);
		assert_int_equal(message.artifact_type, ARTIFACT_BLOCK);
		assert_int_equal(message.object.block.proposer_index, 2);
	}
}

#define CP "{\"epoch\":\"1\",\"root\":" R32 "}"

static const struct {
	const char *body;
	const char *message;
} bad_bodies[] = {
	{"", "body: empty"},
	{"{", "body: malformed JSON"},
	{"[]", "body: not a JSON object"},
	{"null", "body: malformed JSON"},
	{"{} {}", "body: malformed JSON"},
	{"{\"a\":1,\"a\":1}", "body: malformed JSON"},
	{"{\"type\":\"\xff\"}", "body: malformed JSON"},
	{"{}", "type: missing"},
	{"{\"type\":null}", "type: missing"},
	{"{\"type\":7}", "type: not a string"},
	{"{\"type\":\"VOTE\"}", "type: \"VOTE\" is unknown"},
	{"{\"type\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
	 "type: unknown"},
	{"{\"type\":\"RANDAO_REVEAL\"}", "randao_reveal: missing"},
	{"{\"type\":\"RANDAO_REVEAL\",\"randaoReveal\":{\"epoch\":\"5\"}}", "randao_reveal: missing"},
	{"{\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":5}", "randao_reveal: not an object"},
	{"{\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{}}", "randao_reveal: epoch: missing"},
	{"{\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":-1}}", "randao_reveal: epoch: not a decimal"},
	{"{\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":1.5}}", "randao_reveal: epoch: not a decimal"},
	{"{\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":\"0x5\"}}", "randao_reveal: epoch: not a decimal"},
	{"{\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":\"18446744073709551616\"}}", "randao_reveal: epoch: not a"},
	{"{\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":true}}", "randao_reveal: epoch: not a decimal"},
	{"{" RANDAO "}", "fork_info: missing"},
	{"{" RANDAO ",\"fork_info\":[]}", "fork_info: not an object"},
	{"{" RANDAO ",\"fork_info\":{}}", "fork_info: fork: missing"},
	{"{" RANDAO ",\"fork_info\":{\"fork\":{}}}", "fork_info: fork: previous_version: missing"},
	{"{" RANDAO ",\"fork_info\":{\"fork\":{\"previous_version\":\"0x000001\"}}}",
	 "fork_info: fork: previous_version: 6 hex digits, expected 8"},
	{"{" RANDAO ",\"fork_info\":{\"fork\":{\"previous_version\":\"0X000001\"}}}", "fork_info: fork: previous_version: not hex"},
	{"{" RANDAO ",\"fork_info\":{\"fork\":{\"previous_version\":\"0x00000001\"}}}",
	 "fork_info: fork: current_version: missing"},
	{"{" RANDAO ",\"fork_info\":{" FORK "}}", "fork_info: genesis_validators_root: missing"},
	{"{" RANDAO ",\"fork_info\":{" FORK ",\"genesis_validators_root\":\"0xabc\"}}",
	 "fork_info: genesis_validators_root: 3 hex"},
	{"{" RANDAO ",\"fork_info\":{" FORK ",\"genesis_validators_root\":\"zz\"}}", "fork_info: genesis_validators_root: not hex"},
	{"{" INFO "," RANDAO ",\"signing_root\":7}", "signing_root: not a string"},
	{"{" INFO "," RANDAO ",\"signingRoot\":\"0x010101010101010101010101010101010101010101010101010101010101010101\"}",
	 "signingRoot: 66 hex digits, expected 64"},
	{"{" INFO "," RANDAO ",\"signing_root\":\"01\",\"signingRoot\":\"02\"}", "signingRoot: differs from signing_root"},
	{ATTESTATION("{}", CP), "attestation: source: epoch: missing"},
	{ATTESTATION("{\"epoch\":\"1\"}", CP), "attestation: source: root: missing"},
	{ATTESTATION("7", CP), "attestation: source: not an object"},
	{ATTESTATION(CP, "null"), "attestation: target: missing"},
	{BLOCK("\"PHASE0\""), "beacon_block: block: missing"},
	{BLOCK("\"ALTAIR\""), "beacon_block: block: missing"},
	{BLOCK("\"deneb\""), "beacon_block: version: not the upper-case name"},
	{BLOCK("7"), "beacon_block: version: not a string"},
	{"{" INFO ",\"type\":\"BLOCK_V2\",\"beacon_block\":{\"block_header\":" HEADER "}}", "beacon_block: version: missing"},
	{"{" INFO ",\"type\":\"BLOCK_V2\",\"beacon_block\":{\"version\":\"DENEB\",\"block\":{}}}",
	 "beacon_block: block_header: missing"},
	{"{" INFO ",\"type\":\"BLOCK_V2\",\"beacon_block\":{\"version\":\"DENEB\",\"block_header\":{\"slot\":\"1\"}}}",
	 "beacon_block: block_header: proposer_index: missing"},
	{"{" INFO ",\"type\":\"BLOCK\",\"block\":" HEADER "}", "block: body: missing"},
	{"{" INFO ",\"type\":\"BLOCK\",\"block\":{\"slot\":\"1\",\"proposer_index\":\"2\",\"parent_root\":" R32
	 ",\"state_root\":" R32 ",\"body\":{}}}",
	 "block: body: randao_reveal: missing"},
	{"{" INFO ",\"type\":\"INCLUSION_LIST\",\"inclusion_list\":{}}", "type: \"INCLUSION_LIST\" is unknown"},
	{"{" INFO ",\"type\":\"AGGREGATE_AND_PROOF\",\"aggregate_and_proof\":{}}", "aggregate_and_proof: aggregate: missing"},
	{"{" INFO ",\"type\":\"AGGREGATE_AND_PROOF_V2\",\"aggregate_and_proof\":{\"version\":\"DENEB\"}}",
	 "aggregate_and_proof: data: missing"},
	{"{" INFO ",\"type\":\"AGGREGATE_AND_PROOF_V2\",\"aggregate_and_proof\":{\"data\":{}}}",
	 "aggregate_and_proof: version: missing"},
	{"{" INFO ",\"type\":\"AGGREGATE_AND_PROOF\",\"aggregate_and_proof\":{\"aggregate\":{\"data\":{}}}}",
	 "aggregate_and_proof: aggregate: data: slot: missing"},
	{"{" INFO ",\"type\":\"SYNC_COMMITTEE_MESSAGE\",\"sync_committee_message\":{\"beacon_block_root\":" R32 ",\"slot\":\"0\"}}",
	 "sync_committee_message: slot 0 is in PHASE0 on network mainnet, where this object comes with ALTAIR at epoch 74240"},
	{"{" INFO ",\"type\":\"SYNC_COMMITTEE_CONTRIBUTION_AND_PROOF\",\"contribution_and_proof\":{\"contribution\":{}}}",
	 "contribution_and_proof: contribution: slot: missing"},
	{"{\"type\":\"VOLUNTARY_EXIT\",\"voluntary_exit\":{\"epoch\":\"1\",\"validator_index\":\"2\"}}", "fork_info: missing"},
	{"{\"type\":\"DEPOSIT\",\"deposit\":{\"pubkey\":\"0x00\"}}", "deposit: pubkey: 2 hex digits, expected 96"},
	{"{\"type\":\"VALIDATOR_REGISTRATION\",\"validator_registration\":{\"fee_recipient\":\"0x\"}}",
	 "validator_registration: fee_recipient: 0 hex digits, expected 40"},
	{"{" INFO ",\"type\":\"PAYLOAD_ATTESTATION_MESSAGE\",\"payload_attestation_message\":{\"beacon_block_root\":" R32
	 ",\"slot\":\"0\",\"payload_present\":\"true\"}}",
	 "payload_attestation_message: payload_present: not true or false"},
	{"{" INFO ",\"type\":\"EXECUTION_PAYLOAD_ENVELOPE\",\"execution_payload_envelope\":{\"version\":\"GLOAS\",\"data\":{}}}",
	 "execution_payload_envelope: payload: missing"},
	{"{\"type\":\"BUILDER_REQUEST_AUTH\",\"builder_request_auth\":{\"data\":\"0xzz\",\"slot\":\"1\"}}",
	 "builder_request_auth: data: not hex"},
};

static void bad_bodies_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_bodies); i++) {
		struct message_sign message;
		struct message_sign untouched;
		struct error error = {0};

		memset(&message, 0x5a, sizeof message);
		memset(&untouched, 0x5a, sizeof untouched);
		assert_false(parse_text(bad_bodies[i].body, &message, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, bad_bodies[i].message);
		assert_memory_equal(&message, &untouched, sizeof message);
	}
}

static void deep_nesting_is_refused(void **state)
{
	AUTO_BUFFER struct buffer body = {0};
	struct message_sign message;
	struct error error;

	(void)state;
	buffer_append_text(&body, "{\"x\":");
	for (size_t i = 0; i < 1000000; i++)
		buffer_append_byte(&body, '[');
	assert_false(sign_request_parse(buffer_view(&body), some_key, mainnet(), &message, &error));
	assert_message_contains(&error, "body: malformed JSON");
}

/* What a signing policy can name, a request can ask for. */
static void every_named_type_is_a_request(void **state)
{
	(void)state;
	for (uint32_t type = ARTIFACT_ATTESTATION; type < ARTIFACT_TYPE_COUNT; type++) {
		static const uint8_t key[BLS_PUBLIC_KEY_SIZE];
		AUTO_FREE char *body = memory_format("{\"type\":\"%s\"}", artifact_type_name(type));
		struct message_sign message;
		struct error error = {0};

		assert_false(sign_request_parse(view_of_text(body), key, network_find("mainnet", &error), &message, &error));
		assert_message_contains(&error, ": missing");
		assert_null(strstr(error.message, "type"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_parse),
		cmocka_unit_test(quirks_are_taken),
		cmocka_unit_test(short_roots_are_padded),
		cmocka_unit_test(numbers_reach_their_ends),
		cmocka_unit_test(every_header_version_is_taken),
		cmocka_unit_test(bad_bodies_are_named),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(every_named_type_is_a_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
