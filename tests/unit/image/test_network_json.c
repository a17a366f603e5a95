/* SPDX-License-Identifier: Apache-2.0 */
/* Networks in JSON, through the configuration that they are part of. */
#include "image/configuration.h"
#include "image/network_json.h"

#include "vectors.h"

#define REST                                                                                                                       \
	"\"slashing_protection\":true,\"fleet\":\"f\",\"region\":\"r\",\"kms_host\":\"h\",\"kms_key_arn\":\"a\","                  \
	"\"ca_pem\":\"-----BEGIN CERTIFICATE-----\\nAA==\\n-----END CERTIFICATE-----\\n\"}"
#define WITH_NETWORK(network) "{\"version\":1,\"network\":" network "," REST

#define ROOT "0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SIZES "\"slots_per_epoch\":\"32\",\"sync_committee_size\":\"512\",\"max_committees_per_slot\":\"64\","
#define FORK(name, version, epoch) "{\"name\":\"" name "\",\"version\":\"" version "\",\"epoch\":" epoch "}"
#define PHASE0 FORK("PHASE0", "0x90abcdef", "\"0\"")
#define CUSTOM(name, root, sizes, forks)                                                                                           \
	"{\"name\":\"" name "\",\"genesis_validators_root\":\"" root "\"," sizes "\"forks\":" forks "}"
#define FORKS "[" PHASE0 "," FORK("ALTAIR", "0x40000038", "\"18446744073709551614\"") "," FORK("GLOAS", "0x60000038", "null") "]"

/* PCR0 of every image that names a network hangs on these bytes. */
static void a_name_is_written_as_ever(void **state)
{
	static const char head[] =
		"{\"version\": 1,\n \"network\": \"mainnet\",\n \"slashing_protection\": true,\n \"fleet\": \"f\",\n";
	AUTO_CONFIGURATION struct configuration configuration = {0};
	AUTO_BUFFER struct buffer text = {0};
	struct error error = {0};

	(void)state;
	assert_ok(configuration_parse(view_of_text(WITH_NETWORK("\"mainnet\"")), &configuration, &error), &error);
	configuration_write(&configuration, &text);
	assert_memory_equal(buffer_text(&text), head, sizeof head - 1);
}

static void check_custom(const char *network, bool learns)
{
	AUTO_FREE char *text = memory_format(WITH_NETWORK("%s"), network);
	AUTO_FREE char *canonical = memory_format(" \"network\": %s,\n", network);
	AUTO_CONFIGURATION struct configuration first = {0};
	AUTO_CONFIGURATION struct configuration second = {0};
	AUTO_BUFFER struct buffer written = {0};
	struct error error = {0};

	assert_ok(configuration_parse(view_of_text(text), &first, &error), &error);
	assert_string_equal(first.network.name, "devnet-7");
	assert_true(first.network.genesis_validators_root_known == !learns);
	assert_true(first.network.genesis_validators_root_learned == learns);
	assert_int_equal(first.network.genesis_validators_root[1], learns ? 0 : 0x11);
	assert_int_equal(first.network.slots_per_epoch, 32);
	assert_true(first.network.forks[FORK_ALTAIR].epoch == UINT64_MAX - 1);
	assert_true(first.network.forks[FORK_BELLATRIX].epoch == EPOCH_NEVER);
	assert_int_equal(first.network.forks[FORK_GLOAS].version[0], 0x60);
	assert_true(first.network.forks[FORK_GLOAS].epoch == EPOCH_NEVER);
	configuration_write(&first, &written);
	assert_non_null(strstr(buffer_text(&written), canonical));
	assert_ok(configuration_parse(buffer_view(&written), &second, &error), &error);
	assert_true(network_equal(&first.network, &second.network));
}

static void an_object_is_canonical(void **state)
{
	(void)state;
	check_custom(CUSTOM("devnet-7", ROOT, SIZES, FORKS), false);
	check_custom(CUSTOM("devnet-7", "learn", SIZES, FORKS), true);
}

/* However it was put, the same network gives the same bytes. */
static void equal_networks_give_equal_text(void **state)
{
	static const char *const same[] = {
		CUSTOM("devnet-7", ROOT, SIZES, FORKS),
		"{\"forks\":[" PHASE0 "," FORK("ALTAIR", "40000038", "\"18446744073709551614\"") "," FORK(
			"GLOAS", "0x60000038", "null") "],\"max_committees_per_slot\":64,\"sync_committee_size\":512,"
						       "\"slots_per_epoch\":32,\"genesis_validators_root\":"
						       "\"0x00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\","
						       "\"name\":\"devnet-7\"}",
	};
	struct buffer texts[2] = {{0}, {0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		AUTO_FREE char *text = memory_format(WITH_NETWORK("%s"), same[i]);
		AUTO_CONFIGURATION struct configuration configuration = {0};
		struct error error = {0};

		assert_ok(configuration_parse(view_of_text(text), &configuration, &error), &error);
		configuration_write(&configuration, &texts[i]);
	}
	assert_true(view_equal(buffer_view(&texts[0]), buffer_view(&texts[1])));
	buffer_done(&texts[0]);
	buffer_done(&texts[1]);
}

static void what_equals_a_built_in_network_is_its_name(void **state)
{
	static const char *const names[] = {"mainnet", "hoodi", "gnosis", "minimal"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct error error = {0};
		struct network network = *network_find(names[i], &error);
		AUTO_JSON json_t *name = network_json_new(&network);
		AUTO_JSON json_t *object = NULL;

		assert_string_equal(json_string_value(name), names[i]);
		network.forks[FORK_GLOAS].epoch = EPOCH_NEVER - 1;
		object = network_json_new(&network);
		assert_true(json_is_object(object));
	}
}

static void refuses_what_is_no_network(void **state)
{
	static const struct {
		const char *network;
		const char *message;
	} cases[] = {
		{"7", "network"},
		{"null", "network"},
		{"\"devnet-7\"", "network: network: \"devnet-7\" is not one of"},
		{"{}", "network: name: missing"},
		{CUSTOM("a b", "learn", SIZES, "[" PHASE0 "]"), "network: name: not of"},
		{CUSTOM("", "learn", SIZES, "[" PHASE0 "]"), "network: name: not of"},
		{CUSTOM("a-name-that-has-thirty-two-chars", "learn", SIZES, "[" PHASE0 "]"), "network: name: longer"},
		{CUSTOM("mainnet", "learn", SIZES, "[" PHASE0 "]"), "not that of the built-in network mainnet"},
		{CUSTOM("hoodi", ROOT, SIZES, "[" PHASE0 "]"), "not that of the built-in network hoodi"},
		{CUSTOM("d", "", SIZES, "[" PHASE0 "]"), "network: genesis_validators_root: neither"},
		{CUSTOM("d", "0x00", SIZES, "[" PHASE0 "]"), "network: genesis_validators_root: neither"},
		{CUSTOM("d", "learn", SIZES "\"extra\":1,", "[" PHASE0 "]"), "network: extra: no such setting"},
		{CUSTOM("d", "learn", "", "[" PHASE0 "]"), "slots_per_epoch: missing"},
		{CUSTOM("d", "learn", "\"slots_per_epoch\":33,\"sync_committee_size\":512,\"max_committees_per_slot\":64,",
			"[" PHASE0 "]"),
		 "of no known preset"},
		{CUSTOM("d", "learn", SIZES, "{}"), "network: forks"},
		{CUSTOM("d", "learn", SIZES, "[]"), "PHASE0 does not start"},
		{CUSTOM("d", "learn", SIZES, "[7]"), "forks[0]: not an object"},
		{CUSTOM("d", "learn", SIZES, "[" FORK("PHASE0", "0x00000000", "1") "]"), "PHASE0 does not start"},
		{CUSTOM("d", "learn", SIZES, "[" PHASE0 "," PHASE0 "]"), "forks[1]: name: \"PHASE0\""},
		{CUSTOM("d", "learn", SIZES, "[" PHASE0 "," FORK("IBIS", "0x00000000", "1") "]"), "forks[1]: name: \"IBIS\""},
		{CUSTOM("d", "learn", SIZES, "[" PHASE0 "," FORK("ALTAIR", "0x01", "1") "]"), "forks[1]: version"},
		{CUSTOM("d", "learn", SIZES, "[" PHASE0 ",{\"name\":\"ALTAIR\",\"version\":\"0x01000000\"}]"),
		 "forks[1]: epoch: missing"},
		{CUSTOM("d", "learn", SIZES, "[" PHASE0 ",{\"name\":\"ALTAIR\",\"e\":1}]"), "forks[1]: e: no such setting"},
		{CUSTOM("d", "learn", SIZES, "[" PHASE0 "," FORK("ALTAIR", "0x01000000", "\"18446744073709551615\"") "]"),
		 "not scheduled is null"},
		{CUSTOM("d", "learn", SIZES, "[" PHASE0 "," FORK("BELLATRIX", "0x02000000", "1") "]"),
		 "BELLATRIX starts before ALTAIR"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *text = memory_format(WITH_NETWORK("%s"), cases[i].network);
		AUTO_CONFIGURATION struct configuration configuration = {0};
		struct error error = {0};

		assert_false(configuration_parse(view_of_text(text), &configuration, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_written_as_ever),      cmocka_unit_test(an_object_is_canonical),
		cmocka_unit_test(equal_networks_give_equal_text), cmocka_unit_test(what_equals_a_built_in_network_is_its_name),
		cmocka_unit_test(refuses_what_is_no_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
