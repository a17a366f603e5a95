/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_fixture.h"

static void expect_failure(const struct kms_client *client, const char *operation, const char *body, const char *name,
			   const char *message)
{
	struct aws_failure failure = {0};
	struct error error = {0};
	AUTO_JSON json_t *answer = sim_fixture_call(client, operation, body, &failure, &error);

	if (answer)
		fail_msg("%s %s was answered", operation, body);
	if (strcmp(failure.name, name) != 0)
		fail_msg("%s %.200s: %s (%s), expected %s", operation, body, failure.name, error.message, name);
	assert_int_equal(failure.status, strcmp(name, "KMSInternalException") == 0 ? 500 : 400);
	assert_message_contains(&error, message);
}

static void test_encrypt_decrypt(void **state)
{
	struct sim_fixture *fixture = *state;
	AUTO_BUFFER struct buffer ciphertext = {0};
	AUTO_SECRET struct secret plaintext = {0};
	AUTO_SECRET struct secret again = {0};
	struct error error = {0};
	char arn[KMS_ARN_SIZE];

	sim_fixture_make_key(fixture, arn);
	sim_fixture_seal(fixture, arn, FLEET, "the secret", &ciphertext);
	assert_ok(kms_decrypt(&fixture->as_operator, NULL, FLEET, buffer_view(&ciphertext), &plaintext, &error), &error);
	assert_true(view_equal_text(secret_view(&plaintext), "the secret"));
	/* By id instead of ARN, by another identity of the account. */
	assert_ok(kms_decrypt(&fixture->as_role, strrchr(arn, '/') + 1, FLEET, buffer_view(&ciphertext), &again, &error), &error);
	assert_true(view_equal(secret_view(&plaintext), secret_view(&again)));
}

static void test_two_ciphertexts_differ(void **state)
{
	struct sim_fixture *fixture = *state;
	AUTO_BUFFER struct buffer a = {0};
	AUTO_BUFFER struct buffer b = {0};
	char arn[KMS_ARN_SIZE];

	sim_fixture_make_key(fixture, arn);
	sim_fixture_seal(fixture, arn, NO_CONTEXT, "x", &a);
	sim_fixture_seal(fixture, arn, NO_CONTEXT, "x", &b);
	assert_false(view_equal(buffer_view(&a), buffer_view(&b)));
}

static void expect_undecryptable(struct sim_fixture *fixture, const char *key, struct kms_context context, struct view ciphertext,
				 const char *name)
{
	AUTO_SECRET struct secret plaintext = {0};
	struct error error = {0};

	assert_false(kms_decrypt(&fixture->as_operator, key, context, ciphertext, &plaintext, &error));
	assert_null(plaintext.data);
	assert_message_contains(&error, name);
}

static void test_wrong_context_blob_and_key(void **state)
{
	static const struct kms_context wrong[] = {
		{NULL, NULL}, {"fleet", "red"}, {"Fleet", "blue"}, {"fleet", ""}, {"fleetb", "lue"}};
	struct sim_fixture *fixture = *state;
	AUTO_BUFFER struct buffer ciphertext = {0};
	char arn[KMS_ARN_SIZE];
	char other[KMS_ARN_SIZE];

	sim_fixture_make_key(fixture, arn);
	sim_fixture_make_key(fixture, other);
	sim_fixture_seal(fixture, arn, FLEET, "the secret", &ciphertext);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_undecryptable(fixture, arn, wrong[i], buffer_view(&ciphertext), "InvalidCiphertextException");
	expect_undecryptable(fixture, other, FLEET, buffer_view(&ciphertext), "IncorrectKeyException");
	expect_undecryptable(fixture, "00000000-0000-4000-8000-000000000000", FLEET, buffer_view(&ciphertext), "NotFoundException");
	expect_undecryptable(fixture, "arn:aws:kms:eu-west-1:000000000000:key/x", FLEET, buffer_view(&ciphertext),
			     "NotFoundException");
	expect_undecryptable(fixture, NULL, FLEET, view_of_text("no ciphertext of anybody's"), "InvalidCiphertextException");
	expect_undecryptable(fixture, NULL, FLEET, view_of(ciphertext.data, ciphertext.size - 1), "InvalidCiphertextException");
	/* Every byte counts: version, key id, nonce, text, tag. */
	for (size_t i = 0; i < ciphertext.size; i++) {
		ciphertext.data[i] ^= 1;
		expect_undecryptable(fixture, NULL, FLEET, buffer_view(&ciphertext), "InvalidCiphertextException");
		ciphertext.data[i] ^= 1;
	}
}

static void test_data_keys(void **state)
{
	struct sim_fixture *fixture = *state;
	AUTO_SECRET struct secret data_key = {0};
	AUTO_SECRET struct secret opened = {0};
	AUTO_BUFFER struct buffer wrapped = {0};
	struct error error = {0};
	char arn[KMS_ARN_SIZE];

	sim_fixture_make_key(fixture, arn);
	assert_ok(kms_generate_data_key(&fixture->as_role, arn, FLEET, &data_key, &wrapped, &error), &error);
	assert_int_equal(data_key.size, 32);
	assert_ok(kms_decrypt(&fixture->as_role, arn, FLEET, buffer_view(&wrapped), &opened, &error), &error);
	assert_true(secret_equal(secret_view(&data_key), secret_view(&opened)));
}

static void test_policies(void **state)
{
	struct sim_fixture *fixture = *state;
	AUTO_BUFFER struct buffer ciphertext = {0};
	AUTO_BUFFER struct buffer policy = {0};
	AUTO_SECRET struct secret plaintext = {0};
	struct error error = {0};
	char arn[KMS_ARN_SIZE];
	static const char operator_only[] = "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" SIM_OPERATOR_ARN
					    "\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}}";
	static const char role_only[] = "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" SIM_ROLE_ARN
					"\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}}";

	sim_fixture_make_key(fixture, arn);
	assert_ok(kms_get_key_policy(&fixture->as_operator, arn, &policy, &error), &error);
	assert_non_null(strstr(buffer_text(&policy), "arn:aws:iam::000000000000:root"));
	assert_ok(kms_put_key_policy(&fixture->as_operator, arn, operator_only, &error), &error);
	buffer_clear(&policy);
	assert_ok(kms_get_key_policy(&fixture->as_operator, arn, &policy, &error), &error);
	assert_true(view_equal_text(buffer_view(&policy), operator_only));
	sim_fixture_seal(fixture, arn, NO_CONTEXT, "x", &ciphertext);
	assert_false(kms_decrypt(&fixture->as_role, arn, NO_CONTEXT, buffer_view(&ciphertext), &plaintext, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	assert_message_contains(&error, "AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role/ensign-host/");
	assert_message_contains(&error, "because no resource-based policy allows the kms:Decrypt action");
	/* The operator would lock itself out, and what is refused changes nothing. */
	assert_false(kms_put_key_policy(&fixture->as_operator, arn, role_only, &error));
	assert_message_contains(&error, "MalformedPolicyDocumentException");
	assert_false(kms_put_key_policy(&fixture->as_operator, arn, "{\"Statement\":[]}", &error));
	assert_message_contains(&error, "MalformedPolicyDocumentException");
	assert_false(kms_put_key_policy(&fixture->as_role, arn, role_only, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	assert_ok(kms_decrypt(&fixture->as_operator, arn, NO_CONTEXT, buffer_view(&ciphertext), &plaintext, &error), &error);
}

static void test_create_key(void **state)
{
	struct sim_fixture *fixture = *state;
	struct error error = {0};
	char arn[KMS_ARN_SIZE];

	assert_false(kms_create_key(&fixture->as_role, "by the role", NULL, arn, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	assert_message_contains(&error, "no identity-based policy allows the kms:CreateKey action");
	assert_false(kms_create_key(&fixture->as_operator, "", "{\"Statement\":7}", arn, &error));
	assert_message_contains(&error, "MalformedPolicyDocumentException");
	expect_failure(&fixture->as_operator, "CreateKey", "{\"KeySpec\":\"RSA_2048\"}", "ValidationException", "KeySpec");
	expect_failure(&fixture->as_operator, "CreateKey", "{\"Description\":1}", "ValidationException", "Description");
}

static void test_bad_requests(void **state)
{
	static const struct {
		const char *operation, *body, *name, *message;
	} rows[] = {
		{"Encrypt", "{", "SerializationException", "malformed JSON"},
		{"Encrypt", "[]", "SerializationException", "not a JSON object"},
		{"Encrypt", "{\"KeyId\":\"%s\",\"KeyId\":\"%s\"}", "SerializationException", "malformed JSON"},
		{"Sign", "{}", "UnknownOperationException", "no such operation"},
		{"", "{}", "UnknownOperationException", "no such operation"},
		{"Encrypt", "{}", "ValidationException", "KeyId: missing"},
		{"Encrypt", "{\"KeyId\":7}", "ValidationException", "KeyId: not a string"},
		{"Encrypt", "{\"KeyId\":\"\"}", "ValidationException", "KeyId"},
		{"Encrypt", "{\"KeyId\":\"x\"}", "NotFoundException", "does not exist"},
		{"Encrypt", "{\"KeyId\":\"%s\"}", "ValidationException", "Plaintext: missing"},
		{"Encrypt", "{\"KeyId\":\"%s\",\"Plaintext\":\"\"}", "ValidationException", "Plaintext: 0 bytes"},
		{"Encrypt", "{\"KeyId\":\"%s\",\"Plaintext\":\"?\"}", "ValidationException", "Plaintext: not base64"},
		{"Encrypt", "{\"KeyId\":\"%s\",\"Plaintext\":\"AA==\",\"EncryptionContext\":[]}", "ValidationException",
		 "EncryptionContext"},
		{"Encrypt", "{\"KeyId\":\"%s\",\"Plaintext\":\"AA==\",\"EncryptionContext\":{\"a\":1}}", "ValidationException",
		 "EncryptionContext: a: not a string"},
		{"Encrypt", "{\"KeyId\":\"%s\",\"Plaintext\":\"AA==\",\"EncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\"}",
		 "InvalidKeyUsageException", "RSAES_OAEP_SHA_256"},
		{"Encrypt", "{\"KeyId\":\"%s\",\"Plaintext\":\"AA==\",\"EncryptionAlgorithm\":\"ROT13\"}", "ValidationException",
		 "EncryptionAlgorithm"},
		{"Encrypt", "{\"KeyId\":\"%s\",\"Plaintext\":\"AA==\",\"DryRun\":true}", "DryRunOperationException", "DryRun"},
		{"Encrypt", "{\"KeyId\":\"%s\",\"Plaintext\":\"AA==\",\"DryRun\":1}", "ValidationException", "DryRun"},
		{"Decrypt", "{}", "ValidationException", "CiphertextBlob: missing"},
		{"Decrypt", "{\"CiphertextBlob\":\"\"}", "ValidationException", "CiphertextBlob: empty"},
		{"Decrypt", "{\"CiphertextBlob\":\"AA==\",\"Recipient\":1}", "ValidationException", "Recipient: not an object"},
		{"Decrypt", "{\"CiphertextBlob\":\"AA==\",\"Recipient\":{}}", "ValidationException",
		 "Recipient: KeyEncryptionAlgorithm: missing"},
		{"Decrypt",
		 "{\"CiphertextBlob\":\"AA==\",\"Recipient\":{\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\","
		 "\"AttestationDocument\":\"AA==\"}}",
		 "ValidationException", "Recipient: AttestationDocument"},
		{"GenerateDataKey", "{\"KeyId\":\"%s\"}", "ValidationException", "either number of bytes or key spec"},
		{"GenerateDataKey", "{\"KeyId\":\"%s\",\"KeySpec\":\"AES_256\",\"NumberOfBytes\":32}", "ValidationException",
		 "either"},
		{"GenerateDataKey", "{\"KeyId\":\"%s\",\"KeySpec\":\"DES\"}", "ValidationException", "KeySpec"},
		{"GenerateDataKey", "{\"KeyId\":\"%s\",\"NumberOfBytes\":0}", "ValidationException", "NumberOfBytes"},
		{"GenerateDataKey", "{\"KeyId\":\"%s\",\"NumberOfBytes\":1025}", "ValidationException", "NumberOfBytes"},
		{"GenerateDataKeyPair", "{\"KeyId\":\"%s\",\"KeyPairSpec\":\"SM2\"}", "ValidationException", "KeyPairSpec"},
		{"GenerateRandom", "{}", "ValidationException", "NumberOfBytes"},
		{"GenerateRandom", "{\"NumberOfBytes\":\"5\"}", "ValidationException", "NumberOfBytes"},
		{"GenerateRandom", "{\"NumberOfBytes\":-1}", "ValidationException", "NumberOfBytes"},
		{"DescribeKey", "{\"KeyId\":\"00000000-0000-4000-8000-000000000000\"}", "NotFoundException", "does not exist"},
		{"GetKeyPolicy", "{\"KeyId\":\"%s\",\"PolicyName\":\"other\"}", "NotFoundException", "PolicyName"},
		{"PutKeyPolicy", "{\"KeyId\":\"%s\"}", "ValidationException", "Policy: missing"},
	};
	struct sim_fixture *fixture = *state;
	char arn[KMS_ARN_SIZE];

	sim_fixture_make_key(fixture, arn);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_BUFFER struct buffer body = {0};
		const char *hole;

		for (const char *rest = rows[i].body; *rest; rest = hole + 2) {
			hole = strstr(rest, "%s");
			if (!hole) {
				buffer_append_text(&body, rest);
				break;
			}
			buffer_append(&body, view_of(rest, (size_t)(hole - rest)));
			buffer_append_text(&body, arn);
		}
		expect_failure(&fixture->as_operator, rows[i].operation, buffer_text(&body), rows[i].name, rows[i].message);
	}
}

/* A call with `count` letters A in the place of %s. */
static void expect_too_long(struct sim_fixture *fixture, const char *operation, const char *before, size_t count, const char *after,
			    const char *name, const char *message)
{
	AUTO_BUFFER struct buffer body = {0};

	buffer_append_text(&body, before);
	for (size_t i = 0; i < count; i++)
		buffer_append_byte(&body, 'A');
	buffer_append_text(&body, after);
	expect_failure(&fixture->as_operator, operation, buffer_text(&body), name, message);
}

static void test_sizes(void **state)
{
	struct sim_fixture *fixture = *state;
	AUTO_BUFFER struct buffer ciphertext = {0};
	AUTO_SECRET struct secret plaintext = {0};
	AUTO_FREE char *before = NULL;
	AUTO_FREE char *context = NULL;
	uint8_t largest[KMS_PLAINTEXT_MAX_SIZE];
	struct error error = {0};
	char arn[KMS_ARN_SIZE];

	sim_fixture_make_key(fixture, arn);
	memset(largest, 7, sizeof largest);
	assert_ok(kms_encrypt(&fixture->as_operator, arn, NO_CONTEXT, view_of(largest, sizeof largest), &ciphertext, &error),
		  &error);
	assert_ok(kms_decrypt(&fixture->as_operator, arn, NO_CONTEXT, buffer_view(&ciphertext), &plaintext, &error), &error);
	assert_true(view_equal(secret_view(&plaintext), view_of(largest, sizeof largest)));
	before = memory_format("{\"KeyId\":\"%s\",\"Plaintext\":\"", arn);
	context = memory_format("{\"KeyId\":\"%s\",\"EncryptionContext\":{\"a\":\"", arn);
	expect_too_long(fixture, "Encrypt", before, 5468, "\"}", "ValidationException", "Plaintext: 4101 bytes");
	expect_too_long(fixture, "Encrypt", context, 8192, "\"}}", "ValidationException", "EncryptionContext: 8193");
	expect_too_long(fixture, "Decrypt", "{\"CiphertextBlob\":\"", 8196, "\"}", "ValidationException",
			"CiphertextBlob: 6147 bytes");
	expect_too_long(fixture, "Decrypt",
			"{\"CiphertextBlob\":\"AA==\",\"Recipient\":{\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\","
			"\"AttestationDocument\":\"",
			262148, "\"}}", "ValidationException", "AttestationDocument: 196611 bytes");
	expect_too_long(fixture, "Encrypt", "{\"KeyId\":\"", 2049, "\"}", "ValidationException", "KeyId: 2049");
}

/* More than any request may have: refused by the server before KMS sees it, so there is no AWS name. */
static void test_body_limit(void **state)
{
	struct sim_fixture *fixture = *state;
	AUTO_BUFFER struct buffer body = {0};
	struct aws_failure failure = {0};
	struct error error = {0};

	buffer_append_text(&body, "{\"x\":\"");
	while (body.size <= HTTP_SERVER_BODY_MAX_SIZE)
		buffer_append_byte(&body, 'A');
	buffer_append_text(&body, "\"}");
	assert_null(sim_fixture_call(&fixture->as_operator, "Encrypt", buffer_text(&body), &failure, &error));
	assert_string_equal(failure.name, "");
}

static void test_second_simulator_is_refused(void **state)
{
	struct sim_fixture *fixture = *state;
	struct error error = {0};

	assert_null(simulator_start(&(struct simulator_options){.folder = fixture->folder}, &error));
	assert_message_contains(&error, "another ensign-sim");
	/* It did not take the endpoints of the one that serves with it. */
	assert_int_equal(access(sim_fixture_endpoint(fixture, "kms_ca_file"), R_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encrypt_decrypt),
		cmocka_unit_test(test_two_ciphertexts_differ),
		cmocka_unit_test(test_wrong_context_blob_and_key),
		cmocka_unit_test(test_data_keys),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_create_key),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_body_limit),
		cmocka_unit_test(test_second_simulator_is_refused),
	};

	json_use_wiping_memory();
	return cmocka_run_group_tests(tests, sim_fixture_setup, sim_fixture_teardown);
}
