/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/kms.h"

#include "service_fixture.h"

#define ARN "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"

static const struct kms_context no_context = {0};
static const struct kms_context fleet = {.name = "fleet", .value = "f-1"};

struct fixture {
	struct service_fixture service;
	struct kms_client client;
};

static void fixture_make(struct fixture *fixture, unsigned status, const char *body)
{
	service_fixture_make(&fixture->service, (struct test_answer){.status = status, .body = body});
	fixture->client = (struct kms_client){.endpoint = fixture->service.endpoint, .credentials = &credentials};
}

static void fixture_done(struct fixture *fixture)
{
	service_fixture_done(&fixture->service);
}

#define AUTO_FIXTURE CLEANUP(fixture_done)

static void expect_request(struct fixture *fixture, const char *operation, const char *body)
{
	AUTO_FREE char *target = memory_format("TrentService.%s", operation);

	service_expect(&fixture->service, target, body);
}

static void test_decrypt(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	AUTO_SECRET struct secret plaintext = {0};
	struct error error = {0};

	(void)state;
	fixture_make(&fixture, 200,
		     "{\"KeyId\":\"" ARN "\",\"Plaintext\":\"c2VjcmV0\",\"EncryptionAlgorithm\":\"SYMMETRIC_DEFAULT\"}");
	assert_ok(kms_decrypt(&fixture.client, ARN, fleet, view_of_text("blob"), &plaintext, &error), &error);
	assert_true(view_equal_text(secret_view(&plaintext), "secret"));
	expect_request(&fixture, "Decrypt",
		       "{\"KeyId\":\"" ARN "\",\"EncryptionContext\":{\"fleet\":\"f-1\"},\"CiphertextBlob\":\"YmxvYg==\"}");
}

static void test_decrypt_without_key_and_context(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	AUTO_SECRET struct secret plaintext = {0};
	struct error error = {0};

	(void)state;
	fixture_make(&fixture, 200, "{\"Plaintext\":\"c2VjcmV0\"}");
	assert_ok(kms_decrypt(&fixture.client, NULL, no_context, view_of_text("blob"), &plaintext, &error), &error);
	expect_request(&fixture, "Decrypt", "{\"CiphertextBlob\":\"YmxvYg==\"}");
}

static void test_decrypt_attested(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	AUTO_BUFFER struct buffer cms = {0};
	struct error error = {0};

	(void)state;
	fixture_make(&fixture, 200, "{\"KeyId\":\"" ARN "\",\"Plaintext\":null,\"CiphertextForRecipient\":\"MIA=\"}");
	assert_ok(kms_decrypt_attested(&fixture.client, ARN, no_context, view_of_text("blob"), view_of_text("doc"), &cms, &error),
		  &error);
	assert_true(view_equal(buffer_view(&cms), view_of("\x30\x80", 2)));
	expect_request(&fixture, "Decrypt",
		       "{\"KeyId\":\"" ARN "\",\"CiphertextBlob\":\"YmxvYg==\",\"Recipient\":{\"AttestationDocument\":\"ZG9j\","
		       "\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\"}}");
}

static void test_encrypt(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	AUTO_BUFFER struct buffer ciphertext = {0};
	struct error error = {0};

	(void)state;
	fixture_make(&fixture, 200, "{\"KeyId\":\"" ARN "\",\"CiphertextBlob\":\"YmxvYg==\"}");
	assert_ok(kms_encrypt(&fixture.client, ARN, fleet, view_of_text("secret"), &ciphertext, &error), &error);
	assert_true(view_equal_text(buffer_view(&ciphertext), "blob"));
	expect_request(&fixture, "Encrypt",
		       "{\"KeyId\":\"" ARN "\",\"EncryptionContext\":{\"fleet\":\"f-1\"},\"Plaintext\":\"c2VjcmV0\"}");
}

static void test_generate_data_key(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	AUTO_SECRET struct secret plaintext = {0};
	AUTO_BUFFER struct buffer ciphertext = {0};
	struct error error = {0};

	(void)state;
	fixture_make(&fixture, 200,
		     "{\"KeyId\":\"" ARN
		     "\",\"CiphertextBlob\":\"YmxvYg==\",\"Plaintext\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"}");
	assert_ok(kms_generate_data_key(&fixture.client, ARN, fleet, &plaintext, &ciphertext, &error), &error);
	assert_true(view_equal_text(secret_view(&plaintext), "0123456789abcdef0123456789abcdef"));
	assert_true(view_equal_text(buffer_view(&ciphertext), "blob"));
	expect_request(&fixture, "GenerateDataKey",
		       "{\"KeyId\":\"" ARN "\",\"EncryptionContext\":{\"fleet\":\"f-1\"},\"KeySpec\":\"AES_256\"}");
}

static void test_generate_key_pair_attested(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	AUTO_BUFFER struct buffer cms = {0};
	AUTO_BUFFER struct buffer wrapped = {0};
	struct error error = {0};

	(void)state;
	fixture_make(&fixture, 200,
		     "{\"KeyId\":\"" ARN "\",\"KeyPairSpec\":\"ECC_NIST_P256\",\"PublicKey\":\"MIA=\",\"PrivateKeyPlaintext\":null,"
		     "\"PrivateKeyCiphertextBlob\":\"YmxvYg==\",\"CiphertextForRecipient\":\"MIA=\"}");
	assert_ok(kms_generate_key_pair_attested(&fixture.client, ARN, no_context, view_of_text("doc"), &cms, &wrapped, &error),
		  &error);
	assert_true(view_equal(buffer_view(&cms), view_of("\x30\x80", 2)));
	assert_true(view_equal_text(buffer_view(&wrapped), "blob"));
	expect_request(&fixture, "GenerateDataKeyPair",
		       "{\"KeyId\":\"" ARN "\",\"KeyPairSpec\":\"ECC_NIST_P256\",\"Recipient\":{\"AttestationDocument\":\"ZG9j\","
		       "\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\"}}");
}

static void test_key_administration(void **state)
{
	AUTO_FIXTURE struct fixture create;
	AUTO_FIXTURE struct fixture put;
	AUTO_FIXTURE struct fixture get;
	AUTO_BUFFER struct buffer policy = {0};
	struct error error = {0};
	char arn[KMS_ARN_SIZE];

	(void)state;
	fixture_make(&create, 200, "{\"KeyMetadata\":{\"Arn\":\"" ARN "\",\"KeyId\":\"1234\"}}");
	assert_ok(kms_create_key(&create.client, "for tests", "{\"a\":1}", arn, &error), &error);
	assert_string_equal(arn, ARN);
	expect_request(&create, "CreateKey",
		       "{\"Description\":\"for tests\",\"Policy\":\"{\\\"a\\\":1}\",\"KeySpec\":\"SYMMETRIC_DEFAULT\","
		       "\"KeyUsage\":\"ENCRYPT_DECRYPT\"}");
	fixture_make(&put, 200, NULL);
	assert_ok(kms_put_key_policy(&put.client, ARN, "{}", &error), &error);
	expect_request(&put, "PutKeyPolicy", "{\"KeyId\":\"" ARN "\",\"PolicyName\":\"default\",\"Policy\":\"{}\"}");
	fixture_make(&get, 200, "{\"Policy\":\"{\\\"b\\\":2}\",\"PolicyName\":\"default\"}");
	assert_ok(kms_get_key_policy(&get.client, ARN, &policy, &error), &error);
	assert_true(view_equal_text(buffer_view(&policy), "{\"b\":2}"));
	expect_request(&get, "GetKeyPolicy", "{\"KeyId\":\"" ARN "\",\"PolicyName\":\"default\"}");
}

static void test_a_key_without_policy(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	struct error error = {0};
	char arn[KMS_ARN_SIZE];

	(void)state;
	fixture_make(&fixture, 200, "{\"KeyMetadata\":{\"Arn\":\"" ARN "\"}}");
	assert_ok(kms_create_key(&fixture.client, NULL, NULL, arn, &error), &error);
	expect_request(&fixture, "CreateKey", "{\"KeySpec\":\"SYMMETRIC_DEFAULT\",\"KeyUsage\":\"ENCRYPT_DECRYPT\"}");
}

/* KMS's limits are checked here, so that nothing is sent that KMS refuses anyhow. */
static void test_sizes_that_kms_does_not_take(void **state)
{
	static const uint8_t bytes[262145];
	AUTO_FIXTURE struct fixture fixture;
	AUTO_SECRET struct secret plaintext = {0};
	AUTO_BUFFER struct buffer out = {0};
	struct error error = {0};
	struct view none = view_of(NULL, 0);
	struct view one = view_of(bytes, 1);

	(void)state;
	fixture_make(&fixture, 200, "{}");
	assert_false(kms_decrypt(&fixture.client, ARN, no_context, none, &plaintext, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "CiphertextBlob");
	assert_false(
		kms_decrypt(&fixture.client, ARN, no_context, view_of(bytes, KMS_CIPHERTEXT_MAX_SIZE + 1), &plaintext, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_false(kms_encrypt(&fixture.client, ARN, no_context, view_of(bytes, KMS_PLAINTEXT_MAX_SIZE + 1), &out, &error));
	assert_message_contains(&error, "Plaintext: 4097 bytes");
	assert_false(kms_decrypt_attested(&fixture.client, ARN, no_context, one, none, &out, &error));
	assert_message_contains(&error, "AttestationDocument");
	assert_false(kms_decrypt_attested(&fixture.client, ARN, no_context, one, view_of(bytes, sizeof bytes), &out, &error));
	assert_message_contains(&error, "AttestationDocument");
	assert_false(kms_decrypt(&fixture.client, "\xff", no_context, one, &plaintext, &error));
	assert_message_contains(&error, "KeyId");
	assert_int_equal(test_server_request_count(fixture.service.server), 0);
}

static void test_the_largest_sizes_pass(void **state)
{
	static const uint8_t bytes[KMS_PLAINTEXT_MAX_SIZE];
	AUTO_FIXTURE struct fixture fixture;
	AUTO_BUFFER struct buffer out = {0};
	struct error error = {0};

	(void)state;
	fixture_make(&fixture, 200, "{\"CiphertextBlob\":\"YmxvYg==\"}");
	assert_ok(kms_encrypt(&fixture.client, ARN, no_context, view_of(bytes, sizeof bytes), &out, &error), &error);
}

static bool try_decrypt(const struct kms_client *client, struct error *error)
{
	struct secret plaintext = {0};

	if (!kms_decrypt(client, NULL, no_context, view_of_text("b"), &plaintext, error)) {
		assert_null(plaintext.data);
		return false;
	}
	secret_done(&plaintext);
	return true;
}

static bool try_attested(const struct kms_client *client, struct error *error)
{
	AUTO_BUFFER struct buffer out = {0};
	bool ok = kms_decrypt_attested(client, NULL, no_context, view_of_text("b"), view_of_text("d"), &out, error);

	assert_true(ok || out.size == 0);
	return ok;
}

static bool try_encrypt(const struct kms_client *client, struct error *error)
{
	AUTO_BUFFER struct buffer out = {0};

	return kms_encrypt(client, ARN, no_context, view_of_text("p"), &out, error);
}

static bool try_data_key(const struct kms_client *client, struct error *error)
{
	AUTO_BUFFER struct buffer out = {0};
	struct secret plaintext = {0};

	if (!kms_generate_data_key(client, ARN, no_context, &plaintext, &out, error)) {
		assert_null(plaintext.data);
		return false;
	}
	secret_done(&plaintext);
	return true;
}

static bool try_key_pair(const struct kms_client *client, struct error *error)
{
	AUTO_BUFFER struct buffer cms = {0};
	AUTO_BUFFER struct buffer wrapped = {0};

	return kms_generate_key_pair_attested(client, ARN, no_context, view_of_text("d"), &cms, &wrapped, error);
}

static bool try_create(const struct kms_client *client, struct error *error)
{
	char arn[KMS_ARN_SIZE];

	return kms_create_key(client, NULL, NULL, arn, error);
}

static bool try_get_policy(const struct kms_client *client, struct error *error)
{
	AUTO_BUFFER struct buffer out = {0};

	return kms_get_key_policy(client, ARN, &out, error);
}

static void test_malformed_answers(void **state)
{
	static const struct {
		bool (*run)(const struct kms_client *, struct error *);
		const char *answer;
		const char *reason;
	} cases[] = {
		{try_decrypt, "{}", "Plaintext: missing"},
		{try_decrypt, "{\"Plaintext\":null}", "Plaintext: missing"},
		{try_decrypt, "{\"Plaintext\":\"\"}", "Plaintext: 0 bytes"},
		{try_decrypt, "{\"Plaintext\":\"hidden!\"}", "Plaintext: not base64"},
		{try_decrypt, "{\"Plaintext\":5}", "Plaintext: not a string"},
		/* An unattested answer to an attested call: the plaintext is not even looked at. */
		{try_attested, "{\"Plaintext\":\"c2VjcmV0\"}", "CiphertextForRecipient: missing"},
		{try_attested, "{\"CiphertextForRecipient\":\"\"}", "CiphertextForRecipient: empty"},
		{try_attested, "{\"CiphertextForRecipient\":\"MIA\"}", "CiphertextForRecipient: not base64"},
		{try_encrypt, "{\"CiphertextBlob\":\"\"}", "CiphertextBlob: empty"},
		{try_encrypt, "{}", "CiphertextBlob: missing"},
		{try_data_key, "{\"CiphertextBlob\":\"YmxvYg==\",\"Plaintext\":\"c2hvcnQ=\"}", "Plaintext: 5 bytes"},
		{try_data_key, "{\"Plaintext\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"}", "CiphertextBlob: missing"},
		/* The private key in the clear is not even looked at. */
		{try_key_pair, "{\"PrivateKeyPlaintext\":\"c2VjcmV0\",\"PrivateKeyCiphertextBlob\":\"YmxvYg==\"}",
		 "CiphertextForRecipient: missing"},
		{try_key_pair, "{\"CiphertextForRecipient\":\"MIA=\"}", "PrivateKeyCiphertextBlob: missing"},
		{try_key_pair, "{\"CiphertextForRecipient\":\"MIA=\",\"PrivateKeyCiphertextBlob\":\"\"}",
		 "PrivateKeyCiphertextBlob: empty"},
		{try_create, "{}", "KeyMetadata: missing"},
		{try_create, "{\"KeyMetadata\":{}}", "Arn: missing"},
		{try_create, "{\"KeyMetadata\":{\"Arn\":\"\"}}", "Arn: 0 characters"},
		{try_get_policy, "{}", "Policy: missing"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FIXTURE struct fixture fixture;
		struct error error = {0};

		fixture_make(&fixture, 200, cases[i].answer);
		assert_false(cases[i].run(&fixture.client, &error));
		assert_int_equal(error.code, ERROR_PEER);
		assert_message_contains(&error, cases[i].reason);
		assert_message_contains(&error, "answer of TrentService.");
		assert_null(strstr(error.message, "hidden"));
	}
}

static void test_too_large_members(void **state)
{
	AUTO_FREE char *recipient = memory_format("{\"CiphertextForRecipient\":\"%010924d\"}", 0);
	AUTO_FREE char *plaintext = memory_format("{\"Plaintext\":\"%05464d\"}", 0);
	AUTO_FREE char *arn = memory_format("{\"KeyMetadata\":{\"Arn\":\"%0256d\"}}", 0);
	AUTO_FREE char *policy = memory_format("{\"Policy\":\"%032769d\"}", 0);
	AUTO_FREE char *huge = memory_format("{\"Policy\":\"%065536d\"}", 0);
	const struct {
		bool (*run)(const struct kms_client *, struct error *);
		const char *answer;
	} cases[] = {
		{try_attested, recipient}, {try_decrypt, plaintext}, {try_create, arn},
		{try_get_policy, policy},  {try_get_policy, huge},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FIXTURE struct fixture fixture;
		struct error error = {0};

		fixture_make(&fixture, 200, cases[i].answer);
		assert_false(cases[i].run(&fixture.client, &error));
		assert_int_equal(error.code, ERROR_PEER);
	}
}

static void test_denials_are_told_apart(void **state)
{
	AUTO_FIXTURE struct fixture denied;
	AUTO_FIXTURE struct fixture disabled;
	struct error error = {0};

	(void)state;
	fixture_make(&denied, 400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"User: x is not authorized\"}");
	assert_false(try_attested(&denied.client, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	assert_message_contains(&error, "AccessDeniedException: User: x");
	fixture_make(&disabled, 400, "{\"__type\":\"DisabledException\"}");
	assert_false(try_decrypt(&disabled.client, &error));
	assert_int_equal(error.code, ERROR_AWS);
}

static void test_a_bad_ciphertext_is_told_apart(void **state)
{
	static const char *const names[] = {"InvalidCiphertextException", "IncorrectKeyException"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_FREE char *answer = memory_format("{\"__type\":\"%s\"}", names[i]);
		AUTO_FIXTURE struct fixture attested;
		AUTO_FIXTURE struct fixture plain;
		struct error error = {0};

		fixture_make(&attested, 400, answer);
		assert_false(try_attested(&attested.client, &error));
		assert_int_equal(error.code, ERROR_CRYPTO);
		assert_message_contains(&error, names[i]);
		fixture_make(&plain, 400, answer);
		assert_false(try_decrypt(&plain.client, &error));
		assert_int_equal(error.code, ERROR_CRYPTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decrypt),
		cmocka_unit_test(test_decrypt_without_key_and_context),
		cmocka_unit_test(test_decrypt_attested),
		cmocka_unit_test(test_encrypt),
		cmocka_unit_test(test_generate_data_key),
		cmocka_unit_test(test_generate_key_pair_attested),
		cmocka_unit_test(test_key_administration),
		cmocka_unit_test(test_a_key_without_policy),
		cmocka_unit_test(test_sizes_that_kms_does_not_take),
		cmocka_unit_test(test_the_largest_sizes_pass),
		cmocka_unit_test(test_malformed_answers),
		cmocka_unit_test(test_too_large_members),
		cmocka_unit_test(test_denials_are_told_apart),
		cmocka_unit_test(test_a_bad_ciphertext_is_told_apart),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
