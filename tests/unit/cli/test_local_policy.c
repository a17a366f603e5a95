/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_setup.h"
#include "vectors.h"

static json_t *policy_of(const struct measurement *measurement)
{
	AUTO_FREE char *text = local_key_policy("arn:aws:iam::1:user/operator", "arn:aws:iam::1:role/host", measurement);
	struct error error = {0};
	json_t *policy = json_parse_object(view_of_text(text), "policy", &error);

	assert_ok(policy != NULL, &error);
	return policy;
}

static json_t *statement_of(json_t *policy, size_t index)
{
	return json_array_get(json_object_get(policy, "Statement"), index);
}

/* No Allow of this policy gives Decrypt to the operator, however actions are spelt. */
static void operator_cannot_decrypt(void **state)
{
	AUTO_JSON json_t *policy = policy_of(NULL);
	json_t *actions = json_object_get(statement_of(policy, 0), "Action");

	(void)state;
	assert_int_equal(json_array_size(json_object_get(policy, "Statement")), 1);
	assert_true(json_array_size(actions) > 0);
	for (size_t i = 0; i < json_array_size(actions); i++) {
		const char *action = json_string_value(json_array_get(actions, i));

		assert_null(strchr(action, '*'));
		assert_string_not_equal(action, "kms:Decrypt");
	}
}

static void role_is_pinned(void **state)
{
	struct measurement measurement = {.pcr0 = {0xab, 0x01}};
	AUTO_JSON json_t *policy = policy_of(&measurement);
	json_t *statement = statement_of(policy, 1);
	json_t *conditions = json_object_get(json_object_get(statement, "Condition"), "StringEqualsIgnoreCase");
	const char *pcr0 = json_string_value(json_object_get(conditions, "kms:RecipientAttestation:ImageSha384"));
	const char *pcr3 = json_string_value(json_object_get(conditions, "kms:RecipientAttestation:PCR3"));
	uint8_t role_pcr[NSM_PCR_SIZE];
	char role_hex[NSM_PCR_TEXT_SIZE];

	(void)state;
	assert_int_equal(json_array_size(json_object_get(policy, "Statement")), 2);
	assert_int_equal(json_array_size(json_object_get(statement, "Action")), 3);
	assert_string_equal(json_string_value(json_array_get(json_object_get(statement, "Action"), 0)), "kms:Decrypt");
	assert_string_equal(json_string_value(json_array_get(json_object_get(statement, "Action"), 1)), "kms:GenerateDataKey");
	assert_string_equal(json_string_value(json_array_get(json_object_get(statement, "Action"), 2)), "kms:GenerateDataKeyPair");
	assert_int_equal(json_object_size(conditions), 2);
	assert_int_equal(strlen(pcr0), 2 * NSM_PCR_SIZE);
	assert_int_equal(strncmp(pcr0, "ab0100", 6), 0);
	measurement_extend_text("arn:aws:iam::1:role/host", role_pcr);
	hex_encode(view_of(role_pcr, sizeof role_pcr), role_hex);
	assert_string_equal(pcr3, role_hex);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operator_cannot_decrypt),
		cmocka_unit_test(role_is_pinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
