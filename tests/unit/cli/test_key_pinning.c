/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy says is asked of the simulator's reader of policies, which knows nothing of how it was made. */
#include "image/key_pinning.h"

#include "image/measurement.h"
#include "sim/key_policy.h"
#include "vectors.h"

#define ROLE "arn:aws:iam::111122223333:role/signer"
#define OTHER_ROLE "arn:aws:iam::111122223333:role/other"
#define KEYGEN "arn:aws:iam::111122223333:role/keygen"
#define LAMBDA "arn:aws:iam::111122223333:role/lambda"
/* In a key policy it stands for everybody in the account that IAM lets. */
#define ROOT "arn:aws:iam::111122223333:root"
#define ADMIN "arn:aws:iam::111122223333:user/admin"
#define PCR_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PCR_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define PCR_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

struct ask {
	const char *principal;
	const char *action;
	const char *pcr0; /* NULL: no document */
	const char *pcr8;
	const char *attested_role;
};

static enum key_policy_decision decide(json_t *policy, const struct ask *ask)
{
	AUTO_KEY_POLICY struct key_policy *parsed = NULL;
	AUTO_BUFFER struct buffer text = {0};
	uint8_t role_pcr[NSM_PCR_SIZE];
	char pcr3[NSM_PCR_TEXT_SIZE];
	struct error error = {0};

	measurement_extend_text(ask->attested_role ? ask->attested_role : ROLE, role_pcr);
	hex_encode(view_of(role_pcr, sizeof role_pcr), pcr3);
	const struct key_policy_value values[] = {
		{"kms:RecipientAttestation:ImageSha384", ask->pcr0},
		{"kms:RecipientAttestation:PCR3", pcr3},
		{"kms:RecipientAttestation:PCR8", ask->pcr8 ? ask->pcr8 : PCR_C},
	};
	const struct key_policy_request request = {
		.principal_arn = ask->principal,
		.account = "111122223333",
		.action = ask->action,
		.resource = "arn:aws:kms:eu-west-1:111122223333:key/k",
		.values = values,
		.value_count = ask->pcr0 ? ARRAY_SIZE(values) : 0,
	};

	json_write(policy, &text);
	parsed = key_policy_parse(buffer_view(&text), &error);
	assert_ok(parsed != NULL, &error);
	return key_policy_evaluate(parsed, &request);
}

static struct key_pinning pinning_of(const char *first, const char *second)
{
	struct key_pinning pinning = {.admin_arn = ADMIN, .role_arn = ROLE, .keygen_arn = KEYGEN, .tls_sealer_arn = LAMBDA};
	struct error error = {0};

	assert_ok(key_pinning_add_pcr0(&pinning, first, &error), &error);
	if (second)
		assert_ok(key_pinning_add_pcr0(&pinning, second, &error), &error);
	return pinning;
}

static json_t *policy_of(const struct key_pinning *pinning, json_t *before)
{
	struct error error = {0};
	json_t *policy = key_pinning_to_policy(pinning, before, &error);

	assert_ok(policy != NULL, &error);
	return policy;
}

static void only_these_images_on_this_role(void **state)
{
	static const struct {
		struct ask ask;
		enum key_policy_decision decision;
	} cases[] = {
		{{ROLE, "kms:Decrypt", PCR_A, NULL, NULL}, KEY_POLICY_ALLOWED},
		{{ROLE, "kms:Decrypt", PCR_B, NULL, NULL}, KEY_POLICY_ALLOWED},
		{{ROLE, "kms:GenerateDataKey", PCR_A, NULL, NULL}, KEY_POLICY_ALLOWED},
		{{ROLE, "kms:GenerateDataKeyPair", PCR_A, NULL, NULL}, KEY_POLICY_ALLOWED},
		{{ROLE, "kms:Decrypt", PCR_C, NULL, NULL}, KEY_POLICY_DENIED},
		{{ROLE, "kms:Decrypt", NULL, NULL, NULL}, KEY_POLICY_DENIED},
		{{ROLE, "kms:GenerateDataKey", PCR_C, NULL, NULL}, KEY_POLICY_NOT_ALLOWED},
		{{ROLE, "kms:Decrypt", PCR_A, NULL, OTHER_ROLE}, KEY_POLICY_NOT_ALLOWED},
		{{OTHER_ROLE, "kms:Decrypt", PCR_A, NULL, NULL}, KEY_POLICY_NOT_ALLOWED},
		{{ROLE, "kms:PutKeyPolicy", PCR_A, NULL, NULL}, KEY_POLICY_NOT_ALLOWED},
		{{KEYGEN, "kms:Encrypt", NULL, NULL, NULL}, KEY_POLICY_ALLOWED},
		{{KEYGEN, "kms:GenerateDataKey", NULL, NULL, NULL}, KEY_POLICY_ALLOWED},
		{{KEYGEN, "kms:Decrypt", NULL, NULL, NULL}, KEY_POLICY_DENIED},
		{{LAMBDA, "kms:Encrypt", NULL, NULL, NULL}, KEY_POLICY_ALLOWED},
		{{LAMBDA, "kms:GenerateDataKey", NULL, NULL, NULL}, KEY_POLICY_NOT_ALLOWED},
		{{LAMBDA, "kms:Decrypt", NULL, NULL, NULL}, KEY_POLICY_DENIED},
		{{ADMIN, "kms:PutKeyPolicy", NULL, NULL, NULL}, KEY_POLICY_ALLOWED},
		{{ADMIN, "kms:Decrypt", NULL, NULL, NULL}, KEY_POLICY_DENIED},
		{{ADMIN, "kms:CreateGrant", NULL, NULL, NULL}, KEY_POLICY_NOT_ALLOWED},
	};
	struct key_pinning pinning = pinning_of(
		PCR_A, "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
	AUTO_JSON json_t *policy = policy_of(&pinning, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum key_policy_decision decision = decide(policy, &cases[i].ask);

		if (decision != cases[i].decision)
			fail_msg("case %zu: %d, expected %d", i, (int)decision, (int)cases[i].decision);
	}
}

static void a_signer_of_images_may_be_pinned(void **state)
{
	struct key_pinning pinning = {.role_arn = ROLE};
	AUTO_JSON json_t *policy = NULL;
	struct error error = {0};

	(void)state;
	assert_ok(key_pinning_set_pcr8(&pinning, PCR_B, &error), &error);
	policy = policy_of(&pinning, NULL);
	assert_int_equal(decide(policy, &(struct ask){ROLE, "kms:Decrypt", PCR_A, PCR_B, NULL}), KEY_POLICY_ALLOWED);
	assert_int_equal(decide(policy, &(struct ask){ROLE, "kms:Decrypt", PCR_A, PCR_A, NULL}), KEY_POLICY_DENIED);
	assert_int_equal(decide(policy, &(struct ask){KEYGEN, "kms:Encrypt", NULL, NULL, NULL}), KEY_POLICY_NOT_ALLOWED);
}

/* Whatever else a policy allows, decrypting without attestation it does not. */
static void others_statements_stay_and_are_told_of(void **state)
{
	static const char before_text[] =
		"{\"Version\":\"2012-10-17\",\"Statement\":["
		"{\"Sid\":\"EnsignTheseImagesUseIt\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*"
		"\"},"
		"{\"Sid\":\"Enable IAM User Permissions\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" ROOT
		"\"},\"Action\":\"kms:*\",\"Resource\":\"*\"},"
		"{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" KEYGEN
		"\"},\"Action\":[\"kms:Encrypt\",\"kms:De*\"],\"Resource\":\"*\"},"
		"{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" OTHER_ROLE "\"},\"Action\":\"kms:Decrypt\",\"Resource\":\"*\","
		"\"Condition\":{\"StringEquals\":{\"kms:RecipientAttestation:PCR0\":\"" PCR_A "\"}}},"
		"{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"kms:DisableKey\",\"Resource\":\"*\"}]}";
	AUTO_JSON json_t *before = json_parse(view_of_text(before_text), "before", NULL);
	struct key_pinning pinning = pinning_of(PCR_A, NULL);
	AUTO_JSON json_t *policy = policy_of(&pinning, before);
	AUTO_JSON json_t *warnings = key_pinning_review(policy);
	struct key_pinning read;
	struct error error = {0};

	(void)state;
	assert_int_equal(json_array_size(json_object_get(policy, "Statement")), 9);
	/* root: decrypt, re-encrypt, grant, change; keygen: decrypt. */
	assert_int_equal(json_array_size(warnings), 5);
	assert_non_null(strstr(json_string_value(json_array_get(warnings, 0)), ROOT " may decrypt"));
	assert_non_null(strstr(json_string_value(json_array_get(warnings, 4)), KEYGEN " may decrypt"));
	assert_int_equal(decide(policy, &(struct ask){ROOT, "kms:Decrypt", NULL, NULL, NULL}), KEY_POLICY_DENIED);
	assert_ok(key_pinning_of_policy(policy, &read, &error), &error);
	assert_int_equal(read.pcr0_count, 1);
	assert_string_equal(read.pcr0[0], PCR_A);
	assert_string_equal(read.role_arn, ROLE);
	assert_string_equal(read.keygen_arn, KEYGEN);
	assert_string_equal(read.tls_sealer_arn, LAMBDA);
	assert_string_equal(read.admin_arn, ADMIN);
}

/* Its Lambda's statement is ours, so that the next stack's takes its place; somebody else's is told of. */
static void who_was_deleted_is_told_of(void **state)
{
	static const char before_text[] =
		"{\"Version\":\"2012-10-17\",\"Statement\":["
		"{\"Sid\":\"EnsignSealsTLSKeys\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"AROAEXAMPLELAMBDA0001\"},"
		"\"Action\":\"kms:Encrypt\",\"Resource\":\"*\"},"
		"{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"AIDAEXAMPLEUSER000001\"},\"Action\":\"kms:Encrypt\",\"Resource\":"
		"\"*\"}]}";
	AUTO_JSON json_t *before = json_parse(view_of_text(before_text), "before", NULL);
	struct key_pinning pinning = pinning_of(PCR_A, NULL);
	AUTO_JSON json_t *policy = policy_of(&pinning, before);
	AUTO_JSON json_t *warnings = key_pinning_review(policy);
	struct key_pinning read;
	struct error error = {0};

	(void)state;
	assert_int_equal(json_array_size(warnings), 1);
	assert_non_null(strstr(json_string_value(json_array_get(warnings, 0)), "AIDAEXAMPLEUSER000001 is what a role or user"));
	assert_ok(key_pinning_of_policy(policy, &read, &error), &error);
	assert_string_equal(read.tls_sealer_arn, LAMBDA);
}

static void bad_wishes_are_refused(void **state)
{
	struct key_pinning pinning = {.role_arn = ROLE};
	AUTO_JSON json_t *no_policy = json_object();
	struct error error = {0};
	char hex[NSM_PCR_TEXT_SIZE] = {0};

	(void)state;
	memset(hex, '0', sizeof hex - 1);
	assert_false(key_pinning_add_pcr0(&pinning, hex, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	assert_message_contains(&error, "debug");
	assert_false(key_pinning_set_pcr8(&pinning, "12", &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_null(key_pinning_to_policy(&pinning, NULL, &error));
	assert_message_contains(&error, "PCR0 or PCR8");
	assert_ok(key_pinning_add_pcr0(&pinning, PCR_A, &error), &error);
	assert_ok(key_pinning_add_pcr0(&pinning, PCR_A, &error), &error);
	assert_int_equal(pinning.pcr0_count, 1);
	assert_null(key_pinning_to_policy(&pinning, no_policy, &error));
	assert_message_contains(&error, "Statement");
	pinning.role_arn = NULL;
	assert_null(key_pinning_to_policy(&pinning, NULL, &error));
	assert_message_contains(&error, "role");
	assert_false(key_pinning_of_policy(no_policy, &pinning, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	for (int i = 1; i < 20; i++) {
		bool has_room = pinning.pcr0_count < KEY_PINNING_IMAGES_MAX;

		(void)snprintf(hex, sizeof hex, "%096d", i);
		assert_int_equal(key_pinning_add_pcr0(&pinning, hex, &error), has_room);
	}
	assert_message_contains(&error, "more than 16");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_these_images_on_this_role),
		cmocka_unit_test(a_signer_of_images_may_be_pinned),
		cmocka_unit_test(others_statements_stay_and_are_told_of),
		cmocka_unit_test(who_was_deleted_is_told_of),
		cmocka_unit_test(bad_wishes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
