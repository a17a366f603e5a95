/* SPDX-License-Identifier: Apache-2.0 */
/* From the request to the signing root: the frontend's table and the keeper's, one after the other, as in the running signer. */
#include "enclave/keeper/artifacts.h"
#include "enclave/lane.h"

#include <glob.h>

#include "enclave/frontend/sign_request.h"
#include "vectors.h"

static struct network network_named(const char *name)
{
	struct error error = {0};
	const struct network *network = network_find(name, &error);

	assert_ok(network != NULL, &error);
	return *network;
}

static bool compute_root(json_t *request, const struct network *network, uint8_t ret_root[ROOT_SIZE], struct error *error)
{
	static const uint8_t key[BLS_PUBLIC_KEY_SIZE] = {0x93};
	AUTO_BUFFER struct buffer text = {0};
	const struct keeper_artifact *artifact;
	struct message_sign message;

	json_write(request, &text);
	if (!sign_request_parse(buffer_view(&text), key, network, &message, error))
		return false;
	artifact = keeper_artifact_find(message.artifact_type);
	assert_non_null(artifact);
	keeper_signing_root(artifact, &message, network, ret_root);
	return true;
}

static void assert_root(json_t *request, const struct network *network, const char *expected_hex)
{
	AUTO_BUFFER struct buffer expected = unhex(expected_hex);
	uint8_t root[ROOT_SIZE];
	struct error error = {0};

	assert_ok(compute_root(request, network, root, &error), &error);
	assert_int_equal(expected.size, ROOT_SIZE);
	assert_memory_equal(root, expected.data, ROOT_SIZE);
}

static void assert_other_root(json_t *request, const struct network *network, const char *hex)
{
	AUTO_BUFFER struct buffer unexpected = unhex(hex);
	uint8_t root[ROOT_SIZE];
	struct error error = {0};

	assert_ok(compute_root(request, network, root, &error), &error);
	assert_memory_not_equal(root, unexpected.data, ROOT_SIZE);
}

static void assert_refused(json_t *request, const struct network *network, const char *reason)
{
	uint8_t root[ROOT_SIZE];
	struct error error = {0};

	assert_false(compute_root(request, network, root, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, reason);
}

static const char *text_at(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert_non_null(text);
	return text;
}

/* ---- every vector ---- */

static size_t check_file(const char *path)
{
	AUTO_JSON json_t *cases = load_json(path);
	size_t index;
	json_t *one;

	json_array_foreach(cases, index, one)
	{
		struct network network = network_named(text_at(one, "network"));

		assert_root(json_object_get(one, "body"), &network, text_at(one, "signing_root"));
	}
	return index;
}

static void every_signing_vector(void **state)
{
	AUTO_FREE char *pattern = own_vector_path("signing/*.json");
	glob_t files;
	size_t checked = 0;

	(void)state;
	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		checked += check_file(files.gl_pathv[i]);
	globfree(&files);
	assert_int_equal(checked, 65);
}

static json_t *load_signing_roots(void)
{
	AUTO_FREE char *path = own_vector_path("signing-roots/signing.json");

	return load_json(path);
}

static void every_signing_root(void **state)
{
	AUTO_JSON json_t *cases = load_signing_roots();
	size_t index;
	json_t *one;

	(void)state;
	json_array_foreach(cases, index, one)
	{
		struct network network = network_named(text_at(one, "network"));
		json_t *request = json_object_get(one, "request");

		if (strcmp(text_at(request, "type"), "INCLUSION_LIST") == 0)
			assert_refused(request, &network, "type: \"INCLUSION_LIST\" is unknown");
		else
			assert_root(request, &network, text_at(one, "signing_root"));
	}
	assert_int_equal(index, 117);
}

/* ---- forks ---- */

/* A case of signing-roots on mainnet, to be changed. */
struct specimen {
	json_t *request;
	char root[2 * ROOT_SIZE + 3];
};

static void specimen_done(struct specimen *specimen)
{
	json_decref(specimen->request);
}

#define AUTO_SPECIMEN CLEANUP(specimen_done)

static struct specimen specimen_named(const char *name)
{
	AUTO_JSON json_t *cases = load_signing_roots();
	struct specimen specimen = {0};
	size_t index;
	json_t *one;

	json_array_foreach(cases, index, one)
	{
		if (strcmp(text_at(one, "name"), name) != 0)
			continue;
		specimen.request = json_deep_copy(json_object_get(one, "request"));
		(void)json_object_del(specimen.request, "signingRoot");
		(void)snprintf(specimen.root, sizeof specimen.root, "%s", text_at(one, "signing_root"));
	}
	assert_non_null(specimen.request);
	return specimen;
}

static struct network mainnet_with(enum fork fork, uint64_t epoch)
{
	struct network network = network_named("mainnet");

	network.forks[fork].epoch = epoch;
	return network;
}

static void set_version(struct specimen *specimen, const char *payload, const char *version)
{
	assert_int_equal(json_object_set_new(json_object_get(specimen->request, payload), "version", json_string(version)), 0);
}

/* {"version", "data"} → the object itself. */
static void make_bare(struct specimen *specimen, const char *payload)
{
	json_t *data = json_object_get(json_object_get(specimen->request, payload), "data");

	assert_non_null(data);
	assert_int_equal(json_object_set(specimen->request, payload, data), 0);
}

static void rename_payload(struct specimen *specimen, const char *type, const char *from, const char *to)
{
	json_t *payload = json_object_get(specimen->request, from);

	assert_non_null(payload);
	assert_int_equal(json_object_set(specimen->request, to, payload), 0);
	(void)json_object_del(specimen->request, from);
	assert_int_equal(json_object_set_new(specimen->request, "type", json_string(type)), 0);
}

static void a_bare_aggregate_follows_schedule_then_fork_info(void **state)
{
	AUTO_SPECIMEN struct specimen gloas = specimen_named("mainnet_aggregate_and_proof_gloas"); /* epoch 595966 */
	struct network unscheduled = network_named("mainnet");
	struct network live = mainnet_with(FORK_GLOAS, 500000);
	struct network later = mainnet_with(FORK_GLOAS, 600000);
	struct network unnamed = network_named("mainnet");

	(void)state;
	assert_root(gloas.request, &unscheduled, gloas.root);
	assert_root(gloas.request, &live, gloas.root);
	assert_other_root(gloas.request, &later, gloas.root);
	memset(&unnamed.forks[FORK_GLOAS], 0, sizeof unnamed.forks[FORK_GLOAS]);
	unnamed.forks[FORK_GLOAS].epoch = EPOCH_NEVER;
	assert_other_root(gloas.request, &unnamed, gloas.root);
}

static void a_wrapped_aggregate_follows_schedule_then_version(void **state)
{
	AUTO_SPECIMEN struct specimen gloas = specimen_named("mainnet_aggregate_and_proof_v2_gloas"); /* epoch 500000 */
	struct network unscheduled = network_named("mainnet");
	struct network live = mainnet_with(FORK_GLOAS, 500000);
	struct network later = mainnet_with(FORK_GLOAS, 500001);

	(void)state;
	set_version(&gloas, "aggregate_and_proof", "gloas"); /* any letter case */
	assert_root(gloas.request, &unscheduled, gloas.root);
	assert_other_root(gloas.request, &later, gloas.root);
	set_version(&gloas, "aggregate_and_proof", "FULU");
	assert_other_root(gloas.request, &unscheduled, gloas.root);
	assert_root(gloas.request, &live, gloas.root);
	set_version(&gloas, "aggregate_and_proof", "OSAKA");
	assert_refused(gloas.request, &live, "aggregate_and_proof: version: not the name of a fork");
	assert_int_equal(json_object_del(json_object_get(gloas.request, "aggregate_and_proof"), "version"), 0);
	assert_refused(gloas.request, &live, "aggregate_and_proof: version: missing");
}

static void electra_aggregates_may_come_before_our_schedule(void **state)
{
	AUTO_SPECIMEN struct specimen electra = specimen_named("mainnet_aggregate_and_proof_v2_electra"); /* epoch 364032 */
	struct network later = mainnet_with(FORK_ELECTRA, 364033);
	json_t *aggregate;

	(void)state;
	assert_root(electra.request, &later, electra.root);
	/* Without a version the schedule alone decides. */
	make_bare(&electra, "aggregate_and_proof");
	assert_other_root(electra.request, &later, electra.root);
	aggregate = json_object_get(json_object_get(electra.request, "aggregate_and_proof"), "aggregate");
	assert_int_equal(json_object_del(aggregate, "committee_bits"), 0);
	later.forks[FORK_ELECTRA].epoch = 364032;
	assert_refused(electra.request, &later, "committee_bits: missing");
}

/* Wrapped, bare, and too early: the five types that come with Gloas. */
static void gloas_types_come_with_gloas(void **state)
{
	static const char *const cases[][2] = {
		{"mainnet_execution_payload_bid_gloas", "execution_payload_bid"},
		{"mainnet_execution_payload_envelope_gloas", "execution_payload_envelope"},
		{"mainnet_payload_attestation_message_gloas", "payload_attestation_message"},
		{"mainnet_proposer_preferences_gloas", "proposer_preferences"},
		{"mainnet_builder_request_auth_gloas", "builder_request_auth"},
	};
	struct network unscheduled = network_named("mainnet");
	struct network live = mainnet_with(FORK_GLOAS, 500000);
	struct network later = mainnet_with(FORK_GLOAS, 700000);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_SPECIMEN struct specimen specimen = specimen_named(cases[i][0]);

		assert_root(specimen.request, &unscheduled, specimen.root);
		assert_root(specimen.request, &live, specimen.root);
		assert_refused(specimen.request, &later, "comes with GLOAS at epoch 700000");
		set_version(&specimen, cases[i][1], "FULU");
		assert_refused(specimen.request, &live, "version: FULU does not have this object; it comes with GLOAS");
		make_bare(&specimen, cases[i][1]);
		assert_root(specimen.request, &unscheduled, specimen.root);
		assert_root(specimen.request, &live, specimen.root);
		assert_refused(specimen.request, &later, "comes with GLOAS at epoch 700000");
	}
}

static void a_heze_bid_has_a_member_more(void **state)
{
	AUTO_SPECIMEN struct specimen bid = specimen_named("mainnet_execution_payload_bid_gloas");
	struct network network = network_named("mainnet");

	(void)state;
	set_version(&bid, "execution_payload_bid", "HEZE");
	assert_refused(bid.request, &network, "execution_payload_bid: inclusion_list_bits: missing");
}

static void other_names_of_clients(void **state)
{
	AUTO_SPECIMEN struct specimen vote = specimen_named("mainnet_payload_attestation_message_gloas");
	AUTO_SPECIMEN struct specimen auth = specimen_named("mainnet_builder_request_auth_gloas");
	struct network network = network_named("mainnet");

	(void)state;
	rename_payload(&vote, "PAYLOAD_ATTESTATION", "payload_attestation_message", "payload_attestation_data");
	assert_root(vote.request, &network, vote.root);
	make_bare(&vote, "payload_attestation_data");
	assert_root(vote.request, &network, vote.root);
	rename_payload(&auth, "REQUEST_AUTH", "builder_request_auth", "request_auth");
	make_bare(&auth, "request_auth");
	assert_root(auth.request, &network, auth.root);
	/* Two objects under the two names: which one was meant? */
	assert_int_equal(json_object_set(auth.request, "builder_request_auth", json_object_get(auth.request, "request_auth")), 0);
	assert_refused(auth.request, &network, "builder_request_auth: beside request_auth");
}

static void sync_committees_come_with_altair(void **state)
{
	static const char *const names[] = {
		"mainnet_sync_committee_message_altair",
		"mainnet_sync_committee_selection_proof_altair",
		"mainnet_sync_committee_contribution_and_proof_altair",
	};
	struct network later = mainnet_with(FORK_ALTAIR, 144000);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_SPECIMEN struct specimen specimen = specimen_named(names[i]);

		assert_refused(specimen.request, &later,
			       "is in PHASE0 on network mainnet, where this object comes with ALTAIR at epoch 144000");
	}
}

/* ---- genesis versions and EIP-7044 ---- */

static void genesis_versions_are_of_the_network_or_the_deposit(void **state)
{
	AUTO_SPECIMEN struct specimen registration = specimen_named("mainnet_validator_registration_bellatrix");
	AUTO_SPECIMEN struct specimen auth = specimen_named("mainnet_builder_request_auth_gloas");
	AUTO_SPECIMEN struct specimen deposit = specimen_named("mainnet_deposit_phase0");
	struct network mainnet = network_named("mainnet");
	struct network hoodi = network_named("hoodi");
	json_t *fork_info = json_pack("{s:i}", "fork", 7); /* not needed, so not read */

	(void)state;
	assert_int_equal(json_object_set_new(deposit.request, "fork_info", fork_info), 0);
	assert_root(registration.request, &mainnet, registration.root);
	assert_other_root(registration.request, &hoodi, registration.root);
	assert_other_root(auth.request, &hoodi, auth.root);
	assert_root(deposit.request, &hoodi, deposit.root);
	assert_int_equal(
		json_object_set_new(json_object_get(deposit.request, "deposit"), "genesis_fork_version", json_string("0x10000910")),
		0);
	assert_other_root(deposit.request, &hoodi, deposit.root);
}

static void exits_take_capella_since_deneb(void **state)
{
	AUTO_SPECIMEN struct specimen after = specimen_named("mainnet_voluntary_exit_deneb");
	AUTO_SPECIMEN struct specimen before = specimen_named("mainnet_voluntary_exit_capella"); /* epoch 269567 */
	struct network network = network_named("mainnet");
	json_t *versions = json_object_get(json_object_get(after.request, "fork_info"), "fork");

	(void)state;
	assert_root(after.request, &network, after.root);
	assert_int_equal(json_object_set_new(versions, "current_version", json_string("0x77777777")), 0);
	assert_root(after.request, &network, after.root);
	/* Before Deneb fork_info counts; and the Deneb that counts is the network's. */
	versions = json_object_get(json_object_get(before.request, "fork_info"), "fork");
	assert_root(before.request, &network, before.root);
	assert_int_equal(json_object_set_new(versions, "current_version", json_string("0x77777777")), 0);
	assert_other_root(before.request, &network, before.root);
	network.forks[FORK_DENEB].epoch = 269567;
	assert_root(before.request, &network, before.root);
}

/* ---- the wall ---- */

static bool is_slashable_domain(const uint8_t *domain_type)
{
	return memcmp(domain_type, DOMAIN_BEACON_PROPOSER, DOMAIN_TYPE_SIZE) == 0 ||
	       memcmp(domain_type, DOMAIN_BEACON_ATTESTER, DOMAIN_TYPE_SIZE) == 0;
}

/* What the keeper would sign of a message that is filled with this object_root, were it believed. */
static void root_under(const uint8_t *domain_type, const struct message_sign *message, const uint8_t object_root[ROOT_SIZE],
		       uint8_t ret_root[ROOT_SIZE])
{
	uint8_t domain[ROOT_SIZE];

	compute_domain(domain_type, message->fork_info.current_version, message->fork_info.genesis_validators_root, domain);
	compute_signing_root(object_root, domain, ret_root);
}

/* A compromised frontend puts the root of an attestation or a block wherever a type lets it. */
static void no_type_gives_an_arbitrary_root_a_slashable_domain(void **state)
{
	struct network network = network_named("mainnet");
	struct message_sign message;
	uint8_t forged[ROOT_SIZE];
	uint8_t root[ROOT_SIZE];

	(void)state;
	for (uint32_t type = 1; type < ARTIFACT_TYPE_COUNT; type++) {
		const struct keeper_artifact *artifact = keeper_artifact_find(type);
		uint8_t object_root[ROOT_SIZE];

		assert_non_null(artifact);
		assert_int_equal(is_slashable_domain(artifact->domain_type), artifact->duty != 0);
		assert_int_equal(artifact->duty != 0, type == ARTIFACT_ATTESTATION || type == ARTIFACT_BLOCK);
		message_init(&message, MESSAGE_SIGN, 1);
		memset(object_root, 0xa5, sizeof object_root);
		memset(&message.object, 0xa5, sizeof message.object);
		keeper_signing_root(artifact, &message, &network, root);
		root_under(DOMAIN_BEACON_ATTESTER, &message, object_root, forged);
		assert_memory_not_equal(root, forged, ROOT_SIZE);
		root_under(DOMAIN_BEACON_PROPOSER, &message, object_root, forged);
		assert_memory_not_equal(root, forged, ROOT_SIZE);
	}
	assert_null(keeper_artifact_find(0));
	assert_null(keeper_artifact_find(ARTIFACT_TYPE_COUNT));
	assert_null(keeper_artifact_find(UINT32_MAX));
}

/* Bids and envelopes share a domain by the specification, and their containers cannot have one root. */
static void each_type_has_its_own_domain(void **state)
{
	(void)state;
	for (uint32_t one = 1; one < ARTIFACT_TYPE_COUNT; one++)
		for (uint32_t other = one + 1; other < ARTIFACT_TYPE_COUNT; other++) {
			if (one == ARTIFACT_EXECUTION_PAYLOAD_BID && other == ARTIFACT_EXECUTION_PAYLOAD_ENVELOPE)
				continue;
			assert_memory_not_equal(keeper_artifact_find(one)->domain_type, keeper_artifact_find(other)->domain_type,
						DOMAIN_TYPE_SIZE);
		}
}

static void lanes_follow_urgency(void **state)
{
	static const enum lane lanes[ARTIFACT_TYPE_COUNT] = {
		[ARTIFACT_ATTESTATION] = LANE_VOTES,
		[ARTIFACT_AGGREGATION_SLOT] = LANE_REST,
		[ARTIFACT_AGGREGATE_AND_PROOF] = LANE_VOTES,
		[ARTIFACT_DEPOSIT] = LANE_REST,
		[ARTIFACT_VOLUNTARY_EXIT] = LANE_REST,
		[ARTIFACT_SYNC_COMMITTEE_MESSAGE] = LANE_VOTES,
		[ARTIFACT_SYNC_COMMITTEE_SELECTION_PROOF] = LANE_REST,
		[ARTIFACT_CONTRIBUTION_AND_PROOF] = LANE_VOTES,
		[ARTIFACT_VALIDATOR_REGISTRATION] = LANE_REST,
		[ARTIFACT_EXECUTION_PAYLOAD_BID] = LANE_VOTES,
		[ARTIFACT_EXECUTION_PAYLOAD_ENVELOPE] = LANE_VOTES,
		[ARTIFACT_PAYLOAD_ATTESTATION] = LANE_VOTES,
		[ARTIFACT_PROPOSER_PREFERENCES] = LANE_REST,
		[ARTIFACT_BUILDER_REQUEST_AUTH] = LANE_REST,
	};

	(void)state;
	for (uint32_t type = 1; type < ARTIFACT_TYPE_COUNT; type++)
		assert_int_equal(lane_of_artifact(type), lanes[type]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_signing_vector),
		cmocka_unit_test(every_signing_root),
		cmocka_unit_test(a_bare_aggregate_follows_schedule_then_fork_info),
		cmocka_unit_test(a_wrapped_aggregate_follows_schedule_then_version),
		cmocka_unit_test(electra_aggregates_may_come_before_our_schedule),
		cmocka_unit_test(gloas_types_come_with_gloas),
		cmocka_unit_test(a_heze_bid_has_a_member_more),
		cmocka_unit_test(other_names_of_clients),
		cmocka_unit_test(sync_committees_come_with_altair),
		cmocka_unit_test(genesis_versions_are_of_the_network_or_the_deposit),
		cmocka_unit_test(exits_take_capella_since_deneb),
		cmocka_unit_test(no_type_gives_an_arbitrary_root_a_slashable_domain),
		cmocka_unit_test(each_type_has_its_own_domain),
		cmocka_unit_test(lanes_follow_urgency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
