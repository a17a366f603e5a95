/* SPDX-License-Identifier: Apache-2.0 */
/* Every SSZ vector there is, and the object of every signing request, through the types of eth/schemas.h. */
#include "eth/schemas.h"

#include <ctype.h>
#include <dirent.h>

#include "schemas_unsigned.h"
#include "eth/signing_root.h"
#include "vectors.h"

/* How many cases the folders hold: one that is not run is a failure. */
#define SSZ_CASES 447
#define SIGNING_CASES 117

static const struct network *network(const char *name)
{
	struct error error = {0};
	const struct network *found = network_find(name, &error);

	assert_ok(found != NULL, &error);
	return found;
}

static enum fork parse_fork(const char *name)
{
	AUTO_FREE char *upper = memory_copy_text(name);
	enum fork fork = FORK_PHASE0;

	for (char *c = upper; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	assert_true(fork_parse(upper, &fork));
	return fork;
}

/* A type by its name in the specs, signed or not; fails the test when there is none. */
static const struct ssz_type *type_called(const char *name, const struct network *on, enum fork fork)
{
	const struct ssz_type *type = NULL;

	for (enum schema schema = 0; schema < SCHEMA_COUNT && !type; schema++)
		if (strcmp(schema_name(schema), name) == 0)
			type = schema_find(schema, on, fork, NULL);
	if (!type)
		type = schema_find_unsigned(name, fork);
	if (!type)
		fail_msg("no type %s in %s", name, fork_name(fork));
	return type;
}

static void read_root(json_t *object, const char *name, uint8_t ret_root[ROOT_SIZE])
{
	struct error error = {0};

	assert_ok(json_read_hex(object, name, ret_root, ROOT_SIZE, &error), &error);
}

/* Every member is required, and named when it is missing; members that nobody knows change nothing. */
static void check_members(const struct ssz_type *type, json_t *value, const uint8_t expected[ROOT_SIZE])
{
	AUTO_JSON json_t *copy = json_copy(value);
	const struct ssz_field *field = type->fields;
	uint8_t root[ROOT_SIZE];

	assert_int_equal(json_object_size(value), __builtin_popcountll(type->active_fields));
	assert_int_equal(json_object_set_new(copy, "unheard_of", json_true()), 0);
	assert_true(ssz_json_root(type, copy, root, NULL));
	assert_memory_equal(root, expected, ROOT_SIZE);
	for (size_t i = 0; i < json_object_size(value); i++, field++) {
		AUTO_FREE char *message = memory_format("%s: missing", field->name);
		struct error error = {0};

		assert_int_equal(json_object_del(copy, field->name), 0);
		assert_false(ssz_json_root(type, copy, root, &error));
		assert_string_equal(error.message, message);
		assert_int_equal(json_object_set(copy, field->name, json_object_get(value, field->name)), 0);
	}
}

/* Returns the number of cases run. */
static size_t check_file(const char *path, const struct ssz_type *type)
{
	AUTO_JSON json_t *cases = load_json(path);
	json_t *entry;
	size_t i;

	json_array_foreach(cases, i, entry)
	{
		json_t *value = json_object_get(entry, "value");
		struct error error = {0};
		uint8_t expected[ROOT_SIZE];
		uint8_t root[ROOT_SIZE];

		read_root(entry, "root", expected);
		if (!ssz_json_root(type, value, root, &error))
			fail_msg("%s: %s: %s", path, json_string_value(json_object_get(entry, "case")), error.message);
		if (memcmp(root, expected, ROOT_SIZE) != 0)
			fail_msg("%s: %s: wrong root", path, json_string_value(json_object_get(entry, "case")));
		if (type->kind == SSZ_CONTAINER)
			check_members(type, value, expected);
	}
	return json_array_size(cases);
}

static size_t check_folder(enum fork fork)
{
	AUTO_FREE char *lower = memory_copy_text(fork_name(fork));
	AUTO_FREE char *root = own_vector_path("ssz");
	AUTO_FREE char *folder = NULL;
	const struct dirent *entry;
	size_t count = 0;
	DIR *directory;

	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	folder = memory_format("%s/%s", root, lower);
	directory = opendir(folder);
	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		AUTO_FREE char *path = memory_format("%s/%s", folder, entry->d_name);
		AUTO_FREE char *name = memory_copy_text(entry->d_name);
		char *suffix = strstr(name, ".json");

		if (!suffix)
			continue;
		*suffix = 0;
		count += check_file(path, type_called(name, network("mainnet"), fork));
	}
	assert_int_equal(closedir(directory), 0);
	return count;
}

static void test_ssz_vectors(void **state)
{
	size_t count = 0;

	(void)state;
	for (enum fork fork = FORK_PHASE0; fork < FORK_COUNT; fork++)
		count += check_folder(fork);
	print_message("vectors/ssz: %zu of %d cases run\n", count, SSZ_CASES);
	assert_int_equal(count, SSZ_CASES);
}

/* Where a request has its object: under `payload`, in the first of `inside` that is there, else the payload itself. */
static const struct request {
	const char *type;
	const char *payload;
	const char *inside[2];
} requests[] = {
	{"BLOCK", "block", {NULL}},
	{"BLOCK_V2", "beacon_block", {"block", "block_header"}},
	{"ATTESTATION", "attestation", {NULL}},
	{"RANDAO_REVEAL", "randao_reveal", {"epoch"}},
	{"DEPOSIT", "deposit", {NULL}},
	{"VOLUNTARY_EXIT", "voluntary_exit", {NULL}},
	{"AGGREGATION_SLOT", "aggregation_slot", {"slot"}},
	{"AGGREGATE_AND_PROOF", "aggregate_and_proof", {"data"}},
	{"AGGREGATE_AND_PROOF_V2", "aggregate_and_proof", {"data"}},
	{"SYNC_COMMITTEE_MESSAGE", "sync_committee_message", {"beacon_block_root"}},
	{"SYNC_COMMITTEE_SELECTION_PROOF", "sync_aggregator_selection_data", {NULL}},
	{"SYNC_COMMITTEE_CONTRIBUTION_AND_PROOF", "contribution_and_proof", {NULL}},
	{"VALIDATOR_REGISTRATION", "validator_registration", {NULL}},
	{"EXECUTION_PAYLOAD_BID", "execution_payload_bid", {"data"}},
	{"EXECUTION_PAYLOAD_ENVELOPE", "execution_payload_envelope", {"data"}},
	{"PAYLOAD_ATTESTATION_MESSAGE", "payload_attestation_message", {"data"}},
	{"PROPOSER_PREFERENCES", "proposer_preferences", {"data"}},
	{"BUILDER_REQUEST_AUTH", "builder_request_auth", {"data"}},
	{"INCLUSION_LIST", "inclusion_list", {"data"}},
};

static json_t *object_of(json_t *request)
{
	const char *type = json_string_value(json_object_get(request, "type"));

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		json_t *payload = json_object_get(request, requests[i].payload);

		if (strcmp(requests[i].type, type) != 0)
			continue;
		assert_non_null(payload);
		for (size_t j = 0; j < ARRAY_SIZE(requests[i].inside) && requests[i].inside[j]; j++)
			if (json_object_get(payload, requests[i].inside[j]))
				return json_object_get(payload, requests[i].inside[j]);
		return payload;
	}
	fail_msg("no request of type %s is known", type);
	return NULL;
}

static void test_signing_vectors(void **state)
{
	AUTO_FREE char *path = own_vector_path("signing-roots/signing.json");
	AUTO_JSON json_t *cases = load_json(path);
	json_t *entry;
	size_t i;

	(void)state;
	json_array_foreach(cases, i, entry)
	{
		const char *name = json_string_value(json_object_get(entry, "object_type"));
		enum fork fork = parse_fork(json_string_value(json_object_get(entry, "fork")));
		const struct network *on = network(json_string_value(json_object_get(entry, "network")));
		const struct ssz_type *type = strcmp(name, "Root") == 0 ? &ssz_bytes32 : type_called(name, on, fork);
		struct error error = {0};
		uint8_t expected[ROOT_SIZE];
		uint8_t root[ROOT_SIZE];

		read_root(entry, "object_root", expected);
		assert_ok(ssz_json_root(type, object_of(json_object_get(entry, "request")), root, &error), &error);
		if (memcmp(root, expected, ROOT_SIZE) != 0)
			fail_msg("%s: wrong root", json_string_value(json_object_get(entry, "name")));
	}
	print_message("vectors/signing-roots/signing.json: %zu of %d cases run\n", json_array_size(cases), SIGNING_CASES);
	assert_int_equal(json_array_size(cases), SIGNING_CASES);
}

/* The signing root of a request whose fork versions are both the same, so that no epoch matters. */
static void minimal_signing_root(json_t *request, enum schema schema, const uint8_t domain_type[DOMAIN_TYPE_SIZE],
				 uint8_t ret_root[ROOT_SIZE])
{
	const struct ssz_type *type = schema_find(schema, network("minimal"), FORK_ALTAIR, NULL);
	json_t *info = json_object_get(request, "fork_info");
	json_t *fork = json_object_get(info, "fork");
	uint8_t previous[FORK_VERSION_SIZE];
	uint8_t version[FORK_VERSION_SIZE];
	uint8_t validators[ROOT_SIZE];
	uint8_t domain[ROOT_SIZE];
	uint8_t object[ROOT_SIZE];
	struct error error = {0};

	assert_non_null(type);
	assert_ok(ssz_json_root(type, object_of(request), object, &error), &error);
	assert_ok(json_read_hex(fork, "previous_version", previous, sizeof previous, &error), &error);
	assert_ok(json_read_hex(fork, "current_version", version, sizeof version, &error), &error);
	assert_memory_equal(previous, version, sizeof version);
	read_root(info, "genesis_validators_root", validators);
	compute_domain(domain_type, version, validators, domain);
	compute_signing_root(object, domain, ret_root);
}

/* The examples that Web3Signer publishes are of the minimal preset; on mainnet's sizes they are refused. */
static void test_minimal_vectors(void **state)
{
	static const uint8_t contribution_domain_type[DOMAIN_TYPE_SIZE] = {9};
	AUTO_FREE char *path = public_vector_path("web3signer/eth2-sign-vectors.json");
	AUTO_JSON json_t *file = path ? load_json(path) : NULL;
	size_t count = 0;
	json_t *entry;
	size_t i;

	(void)state;
	if (!path)
		skip();
	json_array_foreach(json_object_get(file, "vectors"), i, entry)
	{
		json_t *presets = json_object_get(entry, "ssz_presets_where_valid");
		json_t *request = json_object_get(entry, "request");
		bool block = json_object_get(request, "beacon_block");
		enum schema schema = block ? SCHEMA_BEACON_BLOCK : SCHEMA_CONTRIBUTION_AND_PROOF;
		uint8_t expected[ROOT_SIZE];
		uint8_t root[ROOT_SIZE];
		struct error error = {0};

		if (json_array_size(presets) != 1 || strcmp(json_string_value(json_array_get(presets, 0)), "minimal") != 0)
			continue;
		read_root(entry, "signing_root", expected);
		minimal_signing_root(request, schema, block ? DOMAIN_BEACON_PROPOSER : contribution_domain_type, root);
		assert_memory_equal(root, expected, ROOT_SIZE);
		assert_false(ssz_json_root(schema_find(schema, network("mainnet"), FORK_ALTAIR, NULL), object_of(request), root,
					   &error));
		assert_message_contains(&error, block ? "body.sync_aggregate.sync_committee_bits: 8 hex digits, expected 128"
						      : "contribution.aggregation_bits: 2 hex digits, expected 32");
		count++;
	}
	assert_int_equal(count, 2);
}

/* An aggregate of `bits` bits, all set, and these committee bits. */
static json_t *aggregate_of(size_t bits, const char *committee_bits)
{
	static const char data[] = "{\"slot\": 1, \"index\": 0, \"beacon_block_root\": \"0x01\","
				   " \"source\": {\"epoch\": 0, \"root\": \"\"}, \"target\": {\"epoch\": 0, \"root\": \"\"}}";
	AUTO_BUFFER struct buffer text = {0};
	struct error error = {0};
	json_t *json;

	buffer_append_format(&text, "{\"aggregator_index\": 5, \"selection_proof\": \"%0192d\", \"aggregate\": {\"data\": %s,", 1,
			     data);
	buffer_append_format(&text, "\"signature\": \"%0192d\", \"committee_bits\": \"%s\", \"aggregation_bits\": \"0x", 2,
			     committee_bits);
	for (size_t i = 0; i < bits / 8; i++)
		buffer_append_text(&text, "ff");
	buffer_append_format(&text, "%02x\"}}", (2u << bits % 8) - 1);
	json = json_parse_object(buffer_view(&text), "aggregate", &error);
	assert_ok(json != NULL, &error);
	return json;
}

/* The longest aggregate of each preset and fork is taken, the next longer one is not. */
static void test_aggregate_sizes(void **state)
{
	static const struct {
		const char *network;
		enum fork fork;
		size_t bits;
		const char *committee_bits;
		const char *message; /* for one bit more; NULL: there is no limit */
	} cases[] = {
		{"mainnet", FORK_PHASE0, 2048, "", "aggregate.aggregation_bits: 2049 bits, at most 2048 are allowed"},
		{"minimal", FORK_DENEB, 2048, "", "aggregate.aggregation_bits: 2049 bits, at most 2048 are allowed"},
		{"mainnet", FORK_ELECTRA, 131072, "0xffffffffffffffff",
		 "aggregate.aggregation_bits: 131073 bits, at most 131072 are allowed"},
		{"gnosis", FORK_FULU, 131072, "0xffffffffffffffff",
		 "aggregate.aggregation_bits: 131073 bits, at most 131072 are allowed"},
		{"minimal", FORK_FULU, 8192, "0x0f", "aggregate.aggregation_bits: 8193 bits, at most 8192 are allowed"},
		{"mainnet", FORK_GLOAS, 131072, "0xffffffffffffffff", NULL},
		{"minimal", FORK_HEZE, 131072, "0x0f", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct network *on = network(cases[i].network);
		struct error error = {0};
		const struct ssz_type *type = schema_find(SCHEMA_AGGREGATE_AND_PROOF, on, cases[i].fork, &error);
		AUTO_JSON json_t *longest = aggregate_of(cases[i].bits, cases[i].committee_bits);
		AUTO_JSON json_t *longer = aggregate_of(cases[i].bits + 1, cases[i].committee_bits);
		uint8_t root[ROOT_SIZE];

		assert_ok(type != NULL, &error);
		assert_ok(ssz_json_root(type, longest, root, &error), &error);
		assert_true(ssz_json_root(type, longer, root, &error) == !cases[i].message);
		if (cases[i].message)
			assert_string_equal(error.message, cases[i].message);
	}
}

/* Committee bits of one preset are not those of the other; before ELECTRA they are ignored. */
static void test_committee_bits(void **state)
{
	AUTO_JSON json_t *mainnet = aggregate_of(9, "0x0100000000000000");
	AUTO_JSON json_t *minimal = aggregate_of(9, "0x01");
	AUTO_JSON json_t *surplus = aggregate_of(9, "0x11");
	AUTO_JSON json_t *none = aggregate_of(9, "");
	const struct ssz_type *phase0 = schema_find(SCHEMA_AGGREGATE_AND_PROOF, network("mainnet"), FORK_PHASE0, NULL);
	const struct ssz_type *large = schema_find(SCHEMA_AGGREGATE_AND_PROOF, network("mainnet"), FORK_ELECTRA, NULL);
	const struct ssz_type *small = schema_find(SCHEMA_AGGREGATE_AND_PROOF, network("minimal"), FORK_ELECTRA, NULL);
	struct error error = {0};
	uint8_t roots[2][ROOT_SIZE];

	(void)state;
	assert_true(ssz_json_root(phase0, mainnet, roots[0], &error) && ssz_json_root(phase0, none, roots[1], &error));
	assert_memory_equal(roots[0], roots[1], ROOT_SIZE);
	assert_true(ssz_json_root(large, mainnet, roots[0], &error) && ssz_json_root(small, minimal, roots[1], &error));
	assert_memory_not_equal(roots[0], roots[1], ROOT_SIZE);
	assert_false(ssz_json_root(small, mainnet, roots[0], &error));
	assert_string_equal(error.message, "aggregate.committee_bits: 16 hex digits, expected 2 (1 bytes)");
	assert_false(ssz_json_root(large, minimal, roots[0], &error));
	assert_string_equal(error.message, "aggregate.committee_bits: 2 hex digits, expected 16 (8 bytes)");
	assert_false(ssz_json_root(small, surplus, roots[0], &error));
	assert_string_equal(error.message, "aggregate.committee_bits: bits set beyond the 4 there are");
}

/* The place in a big body, as the operator reads it. */
static void test_places(void **state)
{
	AUTO_FREE char *path = own_vector_path("ssz/altair/BeaconBlock.json");
	AUTO_JSON json_t *cases = load_json(path);
	const struct ssz_type *type = schema_find(SCHEMA_BEACON_BLOCK, network("mainnet"), FORK_ALTAIR, NULL);
	struct error error = {0};
	uint8_t root[ROOT_SIZE];
	bool found = false;
	json_t *entry;
	size_t i;

	(void)state;
	json_array_foreach(cases, i, entry)
	{
		json_t *block = json_object_get(entry, "value");
		json_t *slashings = json_object_get(json_object_get(block, "body"), "proposer_slashings");
		json_t *header = json_object_get(json_array_get(slashings, json_array_size(slashings) - 1), "signed_header_2");

		if (json_array_size(slashings) != 6)
			continue;
		assert_int_equal(json_object_set_new(json_object_get(header, "message"), "slot", json_string("12x")), 0);
		assert_false(ssz_json_root(type, block, root, &error));
		assert_string_equal(error.message, "body.proposer_slashings[5].signed_header_2.message.slot: not a decimal number "
						   "from 0 to 2^64-1");
		found = true;
	}
	assert_true(found);
}

static void test_lookup(void **state)
{
	static const struct {
		enum schema schema;
		enum fork last_without; /* the fork before the first that has it */
		const char *message;
	} news[] = {
		{SCHEMA_CONTRIBUTION_AND_PROOF, FORK_PHASE0, "ContributionAndProof: not in PHASE0"},
		{SCHEMA_SYNC_AGGREGATOR_SELECTION_DATA, FORK_PHASE0, "SyncAggregatorSelectionData: not in PHASE0"},
		{SCHEMA_EXECUTION_PAYLOAD_BID, FORK_FULU, "ExecutionPayloadBid: not in FULU"},
		{SCHEMA_EXECUTION_PAYLOAD_ENVELOPE, FORK_FULU, "ExecutionPayloadEnvelope: not in FULU"},
		{SCHEMA_PAYLOAD_ATTESTATION_DATA, FORK_FULU, "PayloadAttestationData: not in FULU"},
		{SCHEMA_PROPOSER_PREFERENCES, FORK_FULU, "ProposerPreferences: not in FULU"},
		{SCHEMA_BUILDER_REQUEST_AUTH, FORK_FULU, "BuilderRequestAuth: not in FULU"},
		{SCHEMA_INCLUSION_LIST, FORK_GLOAS, "InclusionList: not in GLOAS"},
	};
	static const char *const presets[] = {"mainnet", "minimal"};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(news); i++)
		for (size_t j = 0; j < ARRAY_SIZE(presets); j++) {
			const struct network *on = network(presets[j]);

			assert_null(schema_find(news[i].schema, on, news[i].last_without, &error));
			assert_string_equal(error.message, news[i].message);
			for (enum fork fork = news[i].last_without + 1; fork < FORK_COUNT; fork++)
				assert_non_null(schema_find(news[i].schema, on, fork, &error));
		}
	/* A later block is signed by its header. */
	assert_null(schema_find(SCHEMA_BEACON_BLOCK, network("mainnet"), FORK_BELLATRIX, &error));
	assert_string_equal(error.message, "BeaconBlock: not in BELLATRIX");
	assert_null(schema_find(SCHEMA_COUNT, network("mainnet"), FORK_PHASE0, &error));
	assert_string_equal(error.message, "unknown type: not in PHASE0");
	assert_null(schema_find(SCHEMA_BEACON_BLOCK, network("mainnet"), FORK_COUNT, &error));
}

/* Sizes, not names, choose the preset: what a configuration file names otherwise is served, what fits no preset is refused. */
static void test_presets(void **state)
{
	struct network other = *network("minimal");
	struct error error = {0};

	(void)state;
	(void)snprintf(other.name, sizeof other.name, "devnet");
	assert_ptr_equal(schema_find(SCHEMA_ATTESTATION, &other, FORK_FULU, &error),
			 schema_find(SCHEMA_ATTESTATION, network("minimal"), FORK_FULU, &error));
	assert_ptr_equal(schema_find(SCHEMA_ATTESTATION, network("gnosis"), FORK_FULU, &error),
			 schema_find(SCHEMA_ATTESTATION, network("mainnet"), FORK_FULU, &error));
	other.sync_committee_size = 512;
	assert_null(schema_find(SCHEMA_ATTESTATION, &other, FORK_FULU, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_string_equal(error.message,
			    "network devnet: a sync committee of 512 and 4 committees a slot are of no known preset");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ssz_vectors),     cmocka_unit_test(test_signing_vectors),
		cmocka_unit_test(test_minimal_vectors), cmocka_unit_test(test_aggregate_sizes),
		cmocka_unit_test(test_committee_bits),  cmocka_unit_test(test_places),
		cmocka_unit_test(test_lookup),          cmocka_unit_test(test_presets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
