/* SPDX-License-Identifier: Apache-2.0 */
#include "lambda/settings.h"

#include "vectors.h"

struct variable {
	const char *name;
	const char *value;
};

static const struct variable complete[] = {
	{"NITRO_INSTANCE_PRIVATE_DNS", "signer.stack.private"},
	{"TLS_KEYS_TABLE_NAME", "TLSKeys"},
	{"KEY_ARN", "arn:aws:kms:eu-west-1:111122223333:key/k"},
	{"DEPLOYMENT_MODE", "prod"},
	{"AWS_REGION", "eu-west-1"},
	{"AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"},
	{"AWS_SECRET_ACCESS_KEY", "example"},
	{"AWS_SESSION_TOKEN", "token"},
};

static void set(const char *name, const char *value)
{
	assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static int set_complete(void **state)
{
	static const char *const others[] = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_DYNAMODB",
					     "AWS_CA_BUNDLE",    "AWS_DEFAULT_REGION",   "ENSIGN_ATTESTATION_ROOT"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(complete); i++)
		set(complete[i].name, complete[i].value);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		set(others[i], NULL);
	return 0;
}

static void the_environment_is_read(void **state)
{
	AUTO_LAMBDA_SETTINGS struct lambda_settings settings = {0};
	struct error error = {0};

	(void)state;
	assert_ok(lambda_settings_read(&settings, &error), &error);
	assert_string_equal(settings.signer_host, "signer.stack.private");
	assert_string_equal(settings.signer_url, "https://signer.stack.private:443");
	assert_string_equal(settings.tls_table, "TLSKeys");
	assert_string_equal(settings.kms_key_arn, complete[2].value);
	assert_false(settings.is_development);
	assert_non_null(settings.attestation_root);
	assert_string_equal(settings.kms.endpoint.host, "kms.eu-west-1.amazonaws.com");
	assert_string_equal(settings.dynamodb.endpoint.host, "dynamodb.eu-west-1.amazonaws.com");
	assert_string_equal(settings.credentials.access_key_id, "AKIDEXAMPLE");
	assert_int_equal(settings.credentials.session_token.size, strlen("token"));
}

static void signers_may_have_a_port(void **state)
{
	AUTO_LAMBDA_SETTINGS struct lambda_settings settings = {0};
	struct error error = {0};

	(void)state;
	set("NITRO_INSTANCE_PRIVATE_DNS", "127.0.0.1:8443");
	set("DEPLOYMENT_MODE", "dev");
	assert_ok(lambda_settings_read(&settings, &error), &error);
	assert_string_equal(settings.signer_host, "127.0.0.1");
	assert_string_equal(settings.signer_url, "https://127.0.0.1:8443");
	assert_true(settings.is_development);
}

/* Without a word it is production. */
static void nothing_is_development_unless_said(void **state)
{
	AUTO_LAMBDA_SETTINGS struct lambda_settings settings = {0};
	struct error error = {0};

	(void)state;
	set("DEPLOYMENT_MODE", NULL);
	assert_ok(lambda_settings_read(&settings, &error), &error);
	assert_false(settings.is_development);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct variable bad[] = {
		{"NITRO_INSTANCE_PRIVATE_DNS", NULL},
		{"NITRO_INSTANCE_PRIVATE_DNS", ""},
		{"NITRO_INSTANCE_PRIVATE_DNS", "a/b"},
		{"NITRO_INSTANCE_PRIVATE_DNS", "user@host"},
		{"NITRO_INSTANCE_PRIVATE_DNS", "host:70000"},
		{"TLS_KEYS_TABLE_NAME", NULL},
		{"KEY_ARN", NULL},
		{"DEPLOYMENT_MODE", "DEV"},
		{"DEPLOYMENT_MODE", ""},
		{"AWS_REGION", NULL},
		{"AWS_ACCESS_KEY_ID", NULL},
		{"AWS_SECRET_ACCESS_KEY", NULL},
		{"AWS_ENDPOINT_URL_KMS", "kms.example.org"},
		{"AWS_ENDPOINT_URL_DYNAMODB", "http://dynamodb.example.org"},
		{"ENSIGN_ATTESTATION_ROOT", "/there/is/none"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_LAMBDA_SETTINGS struct lambda_settings settings = {0};
		struct error error = {0};

		(void)set_complete(NULL);
		set(bad[i].name, bad[i].value);
		if (lambda_settings_read(&settings, &error))
			fail_msg("%s=%s was taken", bad[i].name, bad[i].value ? bad[i].value : "");
		assert_message_contains(&error, bad[i].name);
		assert_null(settings.signer_url);
	}
}

static int make_heap(void **state)
{
	struct error error;

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_environment_is_read, set_complete),
		cmocka_unit_test_setup(signers_may_have_a_port, set_complete),
		cmocka_unit_test_setup(nothing_is_development_unless_said, set_complete),
		cmocka_unit_test_setup(what_is_wrong_is_named, set_complete),
	};

	return cmocka_run_group_tests(tests, make_heap, NULL);
}
