/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of nitro-cli; e2e_nitro has a stand-in for the program. */
#include "host/nitro_cli.h"
#include "vectors.h"

#define ID "i-0000000000000000-enc18c5f3a1b2c3d4e5"
#define ENCLAVE(name) "\"EnclaveName\":\"" name "\",\"EnclaveID\":\"" ID "\",\"ProcessID\":4242,\"EnclaveCID\":16"

static void reads_an_enclave(void **state)
{
	struct nitro_enclave enclave;
	struct error error = {0};
	bool found;

	(void)state;
	assert_ok(nitro_enclave_parse(view_of_text("{" ENCLAVE("ensign") ",\"CPUIDs\":[1,3]}"), &enclave, &error), &error);
	assert_string_equal(enclave.id, ID);
	assert_int_equal(enclave.process_id, 4242);
	assert_int_equal(enclave.cid, 16);
	assert_string_equal(enclave.pcr0, "");
	assert_ok(
		nitro_enclaves_find(
			view_of_text("[{\"EnclaveName\":7},{" ENCLAVE("other") "},{" ENCLAVE(
				"ensign") ",\"State\":\"RUNNING\",\"Flags\":\"DEBUG_MODE\",\"Measurements\":{\"PCR0\":\"00ff\"}}]"),
			"ensign", &found, &enclave, &error),
		&error);
	assert_true(found && enclave.is_running && enclave.is_debug);
	assert_string_equal(enclave.pcr0, "00ff");
	assert_ok(nitro_enclaves_find(view_of_text("[{" ENCLAVE("other") "}]"), "ensign", &found, &enclave, &error), &error);
	assert_false(found);
	assert_ok(nitro_enclaves_find(view_of_text("[{" ENCLAVE("ensign") ",\"State\":\"TERMINATING\",\"Flags\":\"NONE\"}]"),
				      "ensign", &found, &enclave, &error),
		  &error);
	assert_true(found && !enclave.is_running && !enclave.is_debug);
}

static void refuses_what_is_none(void **state)
{
	static const struct {
		const char *json, *message;
	} cases[] = {
		{"", "output"},
		{"[]", "output"},
		{"{}", "EnclaveID: missing"},
		{"{\"EnclaveID\":\"--help me\"}", "EnclaveID: not 1 to"},
		{"{\"EnclaveID\":\"\"}", "EnclaveID: not 1 to"},
		{"{\"EnclaveID\":\"i-1\",\"EnclaveName\":\"ensign\"}", "EnclaveCID: missing"},
		{"{\"EnclaveID\":\"i-1\",\"EnclaveName\":\"ensign\",\"EnclaveCID\":4294967296}", "EnclaveCID: larger"},
		{"{\"EnclaveID\":\"i-1\",\"EnclaveName\":\"ensign\",\"EnclaveCID\":4,\"ProcessID\":4194305}", "ProcessID: larger"},
		{"{" ENCLAVE("ensign") ",\"Measurements\":{\"PCR0\":\"xyz\"}}", "Measurements: PCR0"},
		{"{" ENCLAVE("ensign") ",\"State\":1}", "State"},
	};
	struct nitro_enclave enclave;
	bool found;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = {0};

		assert_false(nitro_enclave_parse(view_of_text(cases[i].json), &enclave, &error));
		assert_int_equal(error.code, ERROR_PEER);
		assert_message_contains(&error, cases[i].message);
	}
	{
		struct error error = {0};

		assert_false(nitro_enclaves_find(view_of_text("{}"), "ensign", &found, &enclave, &error));
		assert_message_contains(&error, "not a list");
	}
}

static void says_what_to_do(void **state)
{
	static const struct {
		const char *messages, *expected;
	} cases[] = {
		{"Start allocating memory...\n[ E27 ] Insufficient memory available.\nmore",
		 "run-enclave: E27: Insufficient memory available. (set aside"},
		{"[ E39 ] lost\n[ E36 ] Enclave boot failure.\n[ E22 ] x", "E36: Enclave boot failure. (the enclave did not boot"},
		{"[ E39 ] lost", "E39: lost (nitro-cli lost its process"},
		{"[ E51 ] rare", "E51: rare (see `nitro-cli explain"},
		{"[ Exx ] [ E1 ] [ E", "ended with status 7 and said no reason"},
		{"", "ended with status 7"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = {0};

		assert_false(nitro_messages_to_error(view_of_text(cases[i].messages), "run-enclave", 7, &error));
		assert_int_equal(error.code, ERROR_PEER);
		assert_message_contains(&error, cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_an_enclave),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(says_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
