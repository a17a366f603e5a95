/* SPDX-License-Identifier: Apache-2.0 */
#include "host/control_client.h"

#include "vectors.h"

static bool parse(const char *text, struct control_state *ret_state, struct error *error)
{
	return control_parse_answer(view_of_text(text), ret_state, error);
}

static void reads_a_state(void **state)
{
	struct control_state got = {0};
	struct error error = {0};

	(void)state;
	assert_ok(parse("{\"status\":200,\"body\":{\"initialized\":true,\"key_count\":12}}", &got, &error), &error);
	assert_true(got.initialized);
	assert_int_equal(got.key_count, 12);
	assert_ok(parse("{\"status\":200,\"body\":{\"initialized\":false,\"key_count\":0,\"more\":1}}", &got, &error), &error);
	assert_false(got.initialized);
	assert_int_equal(got.key_count, 0);
}

#define WITH_FAILURES(members) "{\"status\":200,\"body\":{\"initialized\":true,\"key_count\":1," members "}}"
#define FAILURE "{\"pubkey\":\"ab\",\"message\":\"why\"}"
#define TEN_FAILURES                                                                                                               \
	FAILURE "," FAILURE "," FAILURE "," FAILURE "," FAILURE "," FAILURE "," FAILURE "," FAILURE "," FAILURE "," FAILURE

/* As they came, and out again into status.json. */
static void reads_which_rows_failed(void **state)
{
	AUTO_JSON json_t *object = json_object();
	AUTO_BUFFER struct buffer text = {0};
	struct control_state got = {0};
	struct error error = {0};

	(void)state;
	assert_ok(parse(WITH_FAILURES("\"failed\":12,\"failures\":[" TEN_FAILURES "]"), &got, &error), &error);
	assert_int_equal(got.failures.count, 12);
	assert_int_equal(got.failures.told_count, CONTROL_FAILURES_LISTED_MAX);
	assert_string_equal(got.failures.told[9].pubkey, "ab");
	assert_string_equal(got.failures.told[9].message, "why");
	got.failures.told_count = 1;
	key_failures_write(&got.failures, object);
	json_write(object, &text);
	assert_string_equal(buffer_text(&text), "{\"failed\":12,\"failures\":[" FAILURE "]}");
	assert_ok(parse("{\"status\":200,\"body\":{\"initialized\":true,\"key_count\":12}}", &got, &error), &error);
	assert_int_equal(got.failures.count, 0);
	assert_int_equal(got.failures.told_count, 0);
}

static void keeps_code_and_message_of_a_refusal(void **state)
{
	static const struct {
		const char *text;
		enum error_code code;
		const char *message;
	} refusals[] = {
		{"{\"status\":403,\"body\":{\"code\":\"policy\",\"message\":\"KMS says no\"}}", ERROR_POLICY,
		 "enclave: KMS says no"},
		{"{\"status\":422,\"body\":{\"code\":\"crypto\",\"message\":\"m\"}}", ERROR_CRYPTO, "enclave: m"},
		{"{\"status\":400,\"body\":{\"code\":\"input\",\"message\":\"m\"}}", ERROR_INPUT, "enclave: m"},
		{"{\"status\":502,\"body\":{\"code\":\"aws\",\"message\":\"Throttling\"}}", ERROR_AWS, "enclave: Throttling"},
		{"{\"status\":500,\"body\":{\"code\":\"surprise\",\"message\":\"m\"}}", ERROR_PEER, "enclave: m"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct control_state got = {.key_count = 77};
		struct error error = {0};

		assert_false(parse(refusals[i].text, &got, &error));
		assert_int_equal(error.code, refusals[i].code);
		assert_string_equal(error.message, refusals[i].message);
		assert_int_equal(got.key_count, 77);
	}
}

static void nonsense_is_the_peers_fault(void **state)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		"{\"status\":200}",
		"{\"status\":200,\"body\":[]}",
		"{\"status\":\"what?\",\"body\":{}}",
		"{\"status\":-1,\"body\":{}}",
		"{\"status\":200,\"body\":{\"initialized\":true}}",
		"{\"status\":200,\"body\":{\"initialized\":1,\"key_count\":1}}",
		"{\"status\":200,\"body\":{\"initialized\":true,\"key_count\":-1}}",
		WITH_FAILURES("\"failed\":1"),
		WITH_FAILURES("\"failed\":-1,\"failures\":[]"),
		WITH_FAILURES("\"failed\":1,\"failures\":{}"),
		WITH_FAILURES("\"failed\":1,\"failures\":[1]"),
		WITH_FAILURES("\"failed\":1,\"failures\":[{\"pubkey\":\"ab\"}]"),
		WITH_FAILURES("\"failed\":11,\"failures\":[" TEN_FAILURES "," FAILURE "]"),
		"{\"status\":403,\"body\":{\"code\":\"policy\"}}",
		"{\"status\":403,\"body\":{\"code\":1,\"message\":\"m\"}}",
		"{\"status\":200,\"body\":{\"initialized\":true,\"key_count\":1}}x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct control_state got = {.key_count = 77};
		struct error error = {0};

		assert_false(parse(texts[i], &got, &error));
		assert_int_equal(error.code, ERROR_PEER);
		assert_message_contains(&error, "malformed answer of the enclave");
		assert_int_equal(got.key_count, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_state),
		cmocka_unit_test(reads_which_rows_failed),
		cmocka_unit_test(keeps_code_and_message_of_a_refusal),
		cmocka_unit_test(nonsense_is_the_peers_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
