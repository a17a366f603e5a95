/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/artifact_type.h"

#include "vectors.h"

static void each_type_has_a_name(void **state)
{
	(void)state;
	for (uint32_t type = ARTIFACT_ATTESTATION; type < ARTIFACT_TYPE_COUNT; type++) {
		enum artifact_type parsed;

		assert_true(artifact_type_parse(artifact_type_name(type), &parsed));
		assert_int_equal(parsed, type);
	}
	assert_string_equal(artifact_type_name(0), "UNKNOWN");
	assert_string_equal(artifact_type_name(ARTIFACT_TYPE_COUNT), "UNKNOWN");
}

static void the_set_of_all_is_one_bit_each(void **state)
{
	uint32_t all = 0;

	(void)state;
	for (uint32_t type = ARTIFACT_ATTESTATION; type < ARTIFACT_TYPE_COUNT; type++)
		all |= ARTIFACT_BIT(type);
	assert_int_equal(ARTIFACT_ALL, all);
}

static void other_names_and_letter_cases_are_known(void **state)
{
	static const struct {
		const char *name;
		enum artifact_type type;
	} cases[] = {
		{"block", ARTIFACT_BLOCK},
		{"Block_V2", ARTIFACT_BLOCK},
		{"AGGREGATE_AND_PROOF", ARTIFACT_AGGREGATE_AND_PROOF},
		{"PAYLOAD_ATTESTATION", ARTIFACT_PAYLOAD_ATTESTATION},
		{"REQUEST_AUTH", ARTIFACT_BUILDER_REQUEST_AUTH},
	};
	enum artifact_type parsed = ARTIFACT_DEPOSIT;

	(void)state;
	assert_false(artifact_type_parse("EXIT", &parsed));
	assert_false(artifact_type_parse("", &parsed));
	assert_int_equal(parsed, ARTIFACT_DEPOSIT);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(artifact_type_parse(cases[i].name, &parsed));
		assert_int_equal(parsed, cases[i].type);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_has_a_name),
		cmocka_unit_test(the_set_of_all_is_one_bit_each),
		cmocka_unit_test(other_names_and_letter_cases_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
