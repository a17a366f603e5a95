/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_setup.h"

static const char *const operator_actions[] = {
	"kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:Encrypt", "kms:GenerateDataKey",
};

static json_t *hex_text(const uint8_t pcr[NSM_PCR_SIZE])
{
	char hex[NSM_PCR_TEXT_SIZE];

	hex_encode(view_of(pcr, NSM_PCR_SIZE), hex);
	return json_string(hex);
}

static json_t *operator_statement(const char *operator_arn)
{
	json_t *actions = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(operator_actions); i++)
		(void)json_array_append_new(actions, json_string(operator_actions[i]));
	return json_pack("{s:s, s:s, s:{s:s}, s:o, s:s}", "Sid", "OperatorAdministersAndSeals", "Effect", "Allow", "Principal",
			 "AWS", operator_arn, "Action", actions, "Resource", "*");
}

static json_t *enclave_statement(const char *role_arn, const struct measurement *measurement)
{
	uint8_t role_pcr[NSM_PCR_SIZE];

	measurement_extend_text(role_arn, role_pcr);
	/* What is made for the enclave alone is as good as what it decrypts. */
	return json_pack("{s:s, s:s, s:{s:s}, s:[s, s, s], s:s, s:{s:{s:o, s:o}}}", "Sid", "OnlyThisEnclaveDecrypts", "Effect",
			 "Allow", "Principal", "AWS", role_arn, "Action", "kms:Decrypt", "kms:GenerateDataKey",
			 "kms:GenerateDataKeyPair", "Resource", "*", "Condition", "StringEqualsIgnoreCase",
			 "kms:RecipientAttestation:ImageSha384", hex_text(measurement->pcr0), "kms:RecipientAttestation:PCR3",
			 hex_text(role_pcr));
}

char *local_key_policy(const char *operator_arn, const char *role_arn, const struct measurement *measurement)
{
	json_t *statements = json_array();
	AUTO_JSON json_t *policy = json_pack("{s:s, s:o}", "Version", "2012-10-17", "Statement", statements);
	AUTO_BUFFER struct buffer text = {0};

	(void)json_array_append_new(statements, operator_statement(operator_arn));
	if (measurement)
		(void)json_array_append_new(statements, enclave_statement(role_arn, measurement));
	json_write(policy, &text);
	return memory_copy_text(buffer_text(&text));
}
