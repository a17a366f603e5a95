/* SPDX-License-Identifier: Apache-2.0 */
/* The signing policy as clients meet it, here without certificates: which refusal comes first, and what is shown of keys. */
#include "vectors.h"

#include <signal.h>

#include "base/json.h"
#include "server_fixture.h"

#define INFO                                                                                                                       \
	"\"fork_info\":{\"fork\":{\"previous_version\":\"0x00000001\",\"current_version\":\"0x00000002\",\"epoch\":\"3\"},"        \
	"\"genesis_validators_root\":\"0x01\"}"
#define EXIT_MEMBERS INFO ",\"type\":\"VOLUNTARY_EXIT\",\"voluntary_exit\":{\"epoch\":\"5\",\"validator_index\":\"7\"}"
#define RANDAO_MEMBERS INFO ",\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":\"5\"}"
#define DEPOSIT                                                                                                                    \
	"{\"type\":\"DEPOSIT\",\"deposit\":{\"pubkey\":\"" KEY_0 "\",\"withdrawal_credentials\":\"0x01\",\"amount\":\"1\","        \
	"\"genesis_fork_version\":\"0x00000001\"}}"
#define ZEROS_46 "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
/* The first two bytes tell the fixture's keeper what to do; its list of keys counts from 0 in the first byte. */
#define KEY_0 "0x0000" ZEROS_46
#define KEY_1 "0x0100" ZEROS_46
#define KEY_2 "0x0200" ZEROS_46
#define EXIT_KEYS "{\"identifiers\":[\"" KEY_0 "\",\"" KEY_1 "\",\"" KEY_0 "\"]," EXIT_MEMBERS "}"

#define RULE(name, effect, clients, types, keys)                                                                                   \
	"{\"name\":\"" name "\",\"effect\":\"" effect "\",\"clients\":" clients ",\"types\":" types ",\"keys\":" keys "}"

static struct fixture fixture;

static void start(const char *policy)
{
	fixture_start(&fixture, &(struct fixture_options){.policy = policy, .key_count = 3});
}

static void sign(const char *key, const char *body, unsigned status, const char *message)
{
	AUTO_FREE char *path = memory_format("/api/v1/eth2/sign/%s", key);
	AUTO_ANSWER struct answer answer = {0};

	fixture_exchange(&fixture, "POST", path, "", view_of_text(body), &answer);
	if (message)
		assert_error(&answer, status, message);
	else
		assert_int_equal(answer.status, status);
}

static json_t *exchange(const char *method, const char *path, const char *body)
{
	AUTO_ANSWER struct answer answer = {0};
	struct error error;
	json_t *value;

	fixture_exchange(&fixture, method, path, "", view_of_text(body), &answer);
	assert_int_equal(answer.status, 200);
	value = json_parse(answer.body, "answer", &error);
	assert_ok(value != NULL, &error);
	return value;
}

static void exits_and_deposits_are_refused_by_default(void **state)
{
	(void)state;
	start(NULL);
	sign(KEY_0, "{" EXIT_MEMBERS "}", 403,
	     "VOLUNTARY_EXIT is refused by rule \"default-exits\" of the signing policy (client without certificate)");
	sign(KEY_0, DEPOSIT, 403, "DEPOSIT is refused by rule \"default-deposits\"");
	sign(KEY_0, "{" RANDAO_MEMBERS "}", 200, NULL);
	assert_int_equal(fixture.last.artifact_type, ARTIFACT_RANDAO_REVEAL);
	fixture_stop(&fixture);
}

/* Malformed is malformed; but whether a key is loaded is not told to those who may not use it. */
static void policy_comes_between_the_body_and_the_key(void **state)
{
	(void)state;
	start(NULL);
	sign(KEY_1, "{\"type\":\"VOLUNTARY_EXIT\"}", 400, "voluntary_exit: missing");
	sign("0x00", "{" EXIT_MEMBERS "}", 404, "no BLS public key");
	sign(KEY_1, "{" EXIT_MEMBERS "}", 403, "default-exits");
	sign(KEY_1, "{" RANDAO_MEMBERS "}", 404, "no key 0x0100");
	assert_int_equal(fixture.last.artifact_type, ARTIFACT_RANDAO_REVEAL);
	fixture_stop(&fixture);
}

static void the_first_rule_that_fits_decides(void **state)
{
	(void)state;
	start("{\"rules\":[" RULE("not-this-one", "deny", "\"*\"", "\"*\"", "[\"" KEY_1 "\"]") "," //
	      RULE("exits", "allow", "\"*\"", "[\"VOLUNTARY_EXIT\"]", "\"*\"") "]}");
	sign(KEY_0, "{" EXIT_MEMBERS "}", 200, NULL);
	sign(KEY_1, "{" EXIT_MEMBERS "}", 403, "\"not-this-one\"");
	sign(KEY_1, "{" RANDAO_MEMBERS "}", 403, "RANDAO_REVEAL is refused by rule \"not-this-one\"");
	sign(KEY_0, DEPOSIT, 403, "default-deposits");
	fixture_stop(&fixture);
}

static void a_rule_that_names_clients_fits_none_without_certificate(void **state)
{
	(void)state;
	start("{\"rules\":[" RULE("ops", "allow", "[\"ops\"]", "[\"VOLUNTARY_EXIT\"]", "\"*\"") "," //
	      RULE("nobody-else", "deny", "\"*\"", "\"*\"", "\"*\"") "]}");
	sign(KEY_0, "{" EXIT_MEMBERS "}", 403, "\"nobody-else\"");
	sign(KEY_0, "{" RANDAO_MEMBERS "}", 403, "\"nobody-else\"");
	fixture_stop(&fixture);
}

static void a_batch_is_judged_key_by_key(void **state)
{
	AUTO_JSON json_t *results = NULL;

	(void)state;
	start("{\"rules\":[" RULE("exits", "allow", "\"*\"", "[\"VOLUNTARY_EXIT\"]", "[\"" KEY_0 "\"]") "]}");
	results = exchange("POST", "/api/v1/eth2/sign", EXIT_KEYS);
	assert_int_equal(json_array_size(results), 3);
	for (size_t i = 0; i < 3; i++) {
		json_t *refusal = json_object_get(json_array_get(results, i), "error");

		assert_int_equal(json_is_object(refusal), i == 1);
		if (i != 1) {
			assert_non_null(json_object_get(json_array_get(results, i), "signature"));
			continue;
		}
		assert_int_equal(json_integer_value(json_object_get(refusal, "code")), 403);
		assert_non_null(strstr(json_string_value(json_object_get(refusal, "message")), "\"default-exits\""));
	}
	fixture_stop(&fixture);
}

static void a_batch_that_is_refused_whole_is_answered(void **state)
{
	AUTO_JSON json_t *results = NULL;

	(void)state;
	start(NULL);
	results = exchange("POST", "/api/v1/eth2/sign", EXIT_KEYS);
	assert_int_equal(json_array_size(results), 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(json_integer_value(json_object_get(json_object_get(json_array_get(results, i), "error"), "code")),
				 403);
	/* None of them went to the keeper. */
	assert_int_equal(fixture.last.header.type, 0);
	fixture_stop(&fixture);
}

static void keys_that_are_of_no_use_are_not_listed(void **state)
{
	static const struct {
		const char *policy;
		const char *keys[4];
	} cases[] = {
		{NULL, {KEY_0, KEY_1, KEY_2}},
		{"{\"rules\":[" RULE("first", "deny", "\"*\"", "\"*\"", "[\"" KEY_0 "\"]") "]}", {KEY_1, KEY_2}},
		{"{\"rules\":[" RULE("middle", "deny", "\"*\"", "\"*\"", "[\"" KEY_1 "\"]") "]}", {KEY_0, KEY_2}},
		{"{\"rules\":[" RULE("some", "deny", "\"*\"", "[\"BLOCK\"]", "\"*\"") "]}", {KEY_0, KEY_1, KEY_2}},
		{"{\"rules\":[" RULE("all", "deny", "\"*\"", "\"*\"", "\"*\"") "]}", {NULL}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_JSON json_t *keys = NULL;
		size_t count = 0;

		start(cases[i].policy);
		keys = exchange("GET", "/api/v1/eth2/publicKeys", "");
		for (; cases[i].keys[count]; count++)
			assert_string_equal(json_string_value(json_array_get(keys, count)), cases[i].keys[count]);
		assert_int_equal(json_array_size(keys), count);
		fixture_stop(&fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits_and_deposits_are_refused_by_default),
		cmocka_unit_test(policy_comes_between_the_body_and_the_key),
		cmocka_unit_test(the_first_rule_that_fits_decides),
		cmocka_unit_test(a_rule_that_names_clients_fits_none_without_certificate),
		cmocka_unit_test(a_batch_is_judged_key_by_key),
		cmocka_unit_test(a_batch_that_is_refused_whole_is_answered),
		cmocka_unit_test(keys_that_are_of_no_use_are_not_listed),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
