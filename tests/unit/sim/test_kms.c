/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "crypto/cms.h"
#include "sim_fixture.h"

#define NO_CONTEXT ((struct kms_context){0})
#define FLEET ((struct kms_context){"fleet", "blue"})
#define MODULE_ID "i-0123456789abcdef0-enc0123456789abcdef"

static const uint8_t image[NSM_PCR_SIZE] = {1, 2, 3};
static const uint8_t other_image[NSM_PCR_SIZE] = {1, 2, 4};

static void make_key(const struct sim_fixture *fixture, char ret_arn[KMS_ARN_SIZE])
{
	struct error error = {0};

	assert_ok(kms_create_key(&fixture->as_operator, "test", NULL, ret_arn, &error), &error);
}

static void seal(const struct sim_fixture *fixture, const char *arn, struct kms_context context, const char *text,
		 struct buffer *ret_ciphertext)
{
	struct error error = {0};

	assert_ok(kms_encrypt(&fixture->as_operator, arn, context, view_of_text(text), ret_ciphertext, &error), &error);
}

/* One raw call, whose answer (or error) is given back. */
static json_t *call(const struct kms_client *client, const char *operation, const char *body, struct aws_failure *ret_failure,
		    struct error *error)
{
	AUTO_FREE char *target = memory_format("TrentService.%s", operation);
	json_t *answer = NULL;

	return aws_call(&client->endpoint, "kms", target, client->credentials, view_of_text(body), AWS_KMS_RESPONSE_MAX_SIZE,
			&answer, ret_failure, error)
		       ? answer
		       : NULL;
}

static void expect_failure(const struct kms_client *client, const char *operation, const char *body, const char *name,
			   const char *message)
{
	struct aws_failure failure = {0};
	struct error error = {0};
	AUTO_JSON json_t *answer = call(client, operation, body, &failure, &error);

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

	make_key(fixture, arn);
	seal(fixture, arn, FLEET, "the secret", &ciphertext);
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

	make_key(fixture, arn);
	seal(fixture, arn, NO_CONTEXT, "x", &a);
	seal(fixture, arn, NO_CONTEXT, "x", &b);
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

	make_key(fixture, arn);
	make_key(fixture, other);
	seal(fixture, arn, FLEET, "the secret", &ciphertext);
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

	make_key(fixture, arn);
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

	make_key(fixture, arn);
	assert_ok(kms_get_key_policy(&fixture->as_operator, arn, &policy, &error), &error);
	assert_non_null(strstr(buffer_text(&policy), "arn:aws:iam::000000000000:root"));
	assert_ok(kms_put_key_policy(&fixture->as_operator, arn, operator_only, &error), &error);
	buffer_clear(&policy);
	assert_ok(kms_get_key_policy(&fixture->as_operator, arn, &policy, &error), &error);
	assert_true(view_equal_text(buffer_view(&policy), operator_only));
	seal(fixture, arn, NO_CONTEXT, "x", &ciphertext);
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

	make_key(fixture, arn);
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

	make_key(fixture, arn);
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
	assert_null(call(&fixture->as_operator, "Encrypt", buffer_text(&body), &failure, &error));
	assert_string_equal(failure.name, "");
}

/* What the NSM would say for an enclave of this image. */
static struct attestation_document claims_of(const uint8_t pcr0[NSM_PCR_SIZE], struct view public_key)
{
	struct attestation_document claims = {.timestamp_ms = clock_realtime_ms(), .pcr_mask = 0x801f, .has_public_key = true};

	(void)snprintf(claims.module_id, sizeof claims.module_id, "%s", MODULE_ID);
	memcpy(claims.pcrs[0], pcr0, NSM_PCR_SIZE);
	claims.public_key = public_key;
	return claims;
}

struct enclave {
	EVP_PKEY *key;
	struct buffer spki;
};

static void enclave_init(struct enclave *enclave)
{
	struct error error = {0};

	*enclave = (struct enclave){0};
	enclave->key = cms_recipient_key_generate(&error);
	assert_ok(enclave->key != NULL, &error);
	assert_ok(cms_recipient_key_spki(enclave->key, &enclave->spki, &error), &error);
}

static void enclave_done(struct enclave *enclave)
{
	EVP_PKEY_free(enclave->key);
	buffer_done(&enclave->spki);
}

static void issue(struct sim_fixture *fixture, const struct attestation_document *claims, struct buffer *ret_document)
{
	struct error error = {0};

	assert_ok(authority_issue(simulator_authority(fixture->simulator), claims, ret_document, &error), &error);
}

/* A key whose Decrypt, GenerateDataKey* and GenerateRandom belong to the image alone. */
static void make_pinned_key(struct sim_fixture *fixture, char ret_arn[KMS_ARN_SIZE])
{
	char hex[2 * NSM_PCR_SIZE + 1];
	AUTO_FREE char *policy = NULL;
	struct error error = {0};

	hex_encode(view_of(image, sizeof image), hex);
	policy = memory_format("{\"Version\":\"2012-10-17\",\"Statement\":["
			       "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" SIM_OPERATOR_ARN
			       "\"},\"Action\":[\"kms:Encrypt\",\"kms:*KeyPolicy\"],\"Resource\":\"*\"},"
			       "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" SIM_ROLE_ARN
			       "\"},\"Action\":[\"kms:Decrypt\",\"kms:Generate*\"],\"Resource\":\"*\",\"Condition\":"
			       "{\"StringEqualsIgnoreCase\":{\"kms:RecipientAttestation:ImageSha384\":\"%s\","
			       "\"kms:RecipientAttestation:PCR0\":\"%s\"}}}]}",
			       hex, hex);
	assert_ok(kms_create_key(&fixture->as_operator, "pinned", policy, ret_arn, &error), &error);
}

static bool decrypt_attested(struct sim_fixture *fixture, const char *arn, struct view ciphertext,
			     const struct attestation_document *claims, struct buffer *ret_blob, struct error *error)
{
	AUTO_BUFFER struct buffer document = {0};

	issue(fixture, claims, &document);
	return kms_decrypt_attested(&fixture->as_role, arn, FLEET, ciphertext, buffer_view(&document), ret_blob, error);
}

static void test_recipient_end_to_end(void **state)
{
	struct sim_fixture *fixture = *state;
	AUTO_BUFFER struct buffer ciphertext = {0};
	AUTO_BUFFER struct buffer blob = {0};
	AUTO_SECRET struct secret plaintext = {0};
	struct attestation_document claims;
	struct error error = {0};
	struct enclave enclave;
	struct enclave stranger;
	char arn[KMS_ARN_SIZE];

	enclave_init(&enclave);
	enclave_init(&stranger);
	make_pinned_key(fixture, arn);
	seal(fixture, arn, FLEET, "for the enclave only", &ciphertext);
	/* Nobody without a document, the operator and the role alike. */
	expect_undecryptable(fixture, arn, FLEET, buffer_view(&ciphertext), "AccessDeniedException");
	assert_false(kms_decrypt(&fixture->as_role, arn, FLEET, buffer_view(&ciphertext), &plaintext, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	/* Not another image. */
	claims = claims_of(other_image, buffer_view(&enclave.spki));
	assert_false(decrypt_attested(fixture, arn, buffer_view(&ciphertext), &claims, &blob, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	/* The image itself, and then only the holder of the key in its document. */
	claims = claims_of(image, buffer_view(&enclave.spki));
	assert_ok(decrypt_attested(fixture, arn, buffer_view(&ciphertext), &claims, &blob, &error), &error);
	assert_false(cms_open(stranger.key, buffer_view(&blob), &plaintext, &error));
	assert_ok(cms_open(enclave.key, buffer_view(&blob), &plaintext, &error), &error);
	assert_true(view_equal_text(secret_view(&plaintext), "for the enclave only"));
	enclave_done(&enclave);
	enclave_done(&stranger);
}

static void expect_bad_document(struct sim_fixture *fixture, const char *arn, struct view ciphertext, struct view document,
				const char *message)
{
	AUTO_BUFFER struct buffer blob = {0};
	struct error error = {0};

	assert_false(kms_decrypt_attested(&fixture->as_role, arn, FLEET, ciphertext, document, &blob, &error));
	assert_message_contains(&error, "ValidationException");
	assert_message_contains(&error, message);
	assert_int_equal(blob.size, 0);
}

static void test_documents_that_prove_nothing(void **state)
{
	struct sim_fixture *fixture = *state;
	AUTO_BUFFER struct buffer ciphertext = {0};
	AUTO_BUFFER struct buffer good = {0};
	AUTO_BUFFER struct buffer old = {0};
	AUTO_BUFFER struct buffer early = {0};
	AUTO_BUFFER struct buffer keyless = {0};
	AUTO_BUFFER struct buffer not_rsa = {0};
	struct attestation_document claims;
	struct enclave enclave;
	char arn[KMS_ARN_SIZE];

	enclave_init(&enclave);
	make_pinned_key(fixture, arn);
	seal(fixture, arn, FLEET, "x", &ciphertext);
	claims = claims_of(image, buffer_view(&enclave.spki));
	issue(fixture, &claims, &good);
	good.data[good.size - 1] ^= 1;
	expect_bad_document(fixture, arn, buffer_view(&ciphertext), buffer_view(&good), "AttestationDocument");
	claims.timestamp_ms = clock_realtime_ms() - (5 * 60 + 2) * 1000;
	issue(fixture, &claims, &old);
	expect_bad_document(fixture, arn, buffer_view(&ciphertext), buffer_view(&old), "timestamp");
	claims.timestamp_ms = clock_realtime_ms() + (5 * 60 + 30) * 1000;
	issue(fixture, &claims, &early);
	expect_bad_document(fixture, arn, buffer_view(&ciphertext), buffer_view(&early), "timestamp");
	claims = claims_of(image, view_of_text(""));
	claims.has_public_key = false;
	issue(fixture, &claims, &keyless);
	expect_bad_document(fixture, arn, buffer_view(&ciphertext), buffer_view(&keyless), "public_key");
	claims = claims_of(image, view_of_text("no SubjectPublicKeyInfo"));
	issue(fixture, &claims, &not_rsa);
	expect_bad_document(fixture, arn, buffer_view(&ciphertext), buffer_view(&not_rsa), "public_key");
	enclave_done(&enclave);
}

/* A document under a root that is not this simulator's. */
static void test_foreign_authority(void **state)
{
	struct sim_fixture *fixture = *state;
	char folder[] = "/tmp/ensign-test-authority-XXXXXX";
	AUTO_AUTHORITY struct authority *foreign = NULL;
	AUTO_BUFFER struct buffer ciphertext = {0};
	AUTO_BUFFER struct buffer document = {0};
	struct attestation_document claims;
	struct error error = {0};
	struct enclave enclave;
	char arn[KMS_ARN_SIZE];

	assert_non_null(mkdtemp(folder));
	foreign = authority_open(folder, SIM_REGION, SIM_INSTANCE_ID, &error);
	assert_ok(foreign != NULL, &error);
	enclave_init(&enclave);
	make_pinned_key(fixture, arn);
	seal(fixture, arn, FLEET, "x", &ciphertext);
	claims = claims_of(image, buffer_view(&enclave.spki));
	assert_ok(authority_issue(foreign, &claims, &document, &error), &error);
	expect_bad_document(fixture, arn, buffer_view(&ciphertext), buffer_view(&document), "AttestationDocument");
	enclave_done(&enclave);
	remove_folder(folder);
}

/* Every operation that KMS lets answer a Recipient; `member` holds the size expected of the opened plaintext, 0: any. */
static void test_recipient_of_every_operation(void **state)
{
	static const struct {
		const char *operation, *members, *plain_member;
		size_t size;
	} rows[] = {
		{"GenerateDataKey", "\"KeySpec\":\"AES_128\"", "Plaintext", 16},
		{"GenerateDataKey", "\"NumberOfBytes\":1024", "Plaintext", 1024},
		{"GenerateDataKeyPair", "\"KeyPairSpec\":\"ECC_NIST_P256\"", "PrivateKeyPlaintext", 0},
		{"GenerateDataKeyPair", "\"KeyPairSpec\":\"RSA_2048\"", "PrivateKeyPlaintext", 0},
		{"GenerateRandom", "\"NumberOfBytes\":5", "Plaintext", 5},
	};
	struct sim_fixture *fixture = *state;
	AUTO_BUFFER struct buffer document = {0};
	AUTO_BUFFER struct buffer document_b64 = {0};
	struct attestation_document claims;
	struct enclave enclave;
	char arn[KMS_ARN_SIZE];

	enclave_init(&enclave);
	make_pinned_key(fixture, arn);
	claims = claims_of(image, buffer_view(&enclave.spki));
	issue(fixture, &claims, &document);
	base64_encode(buffer_view(&document), &document_b64);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *body = memory_format("{\"KeyId\":\"%s\",%s,\"Recipient\":{\"KeyEncryptionAlgorithm\":"
						     "\"RSAES_OAEP_SHA_256\",\"AttestationDocument\":\"%s\"}}",
						     arn, rows[i].members, buffer_text(&document_b64));
		AUTO_BUFFER struct buffer blob = {0};
		AUTO_SECRET struct secret plaintext = {0};
		struct error error = {0};
		AUTO_JSON json_t *answer = call(&fixture->as_role, rows[i].operation, body, NULL, &error);

		assert_ok(answer != NULL, &error);
		assert_true(json_is_null(json_object_get(answer, rows[i].plain_member)));
		assert_ok(json_read_base64(answer, "CiphertextForRecipient", CMS_MAX_SIZE, &blob, &error), &error);
		assert_ok(cms_open(enclave.key, buffer_view(&blob), &plaintext, &error), &error);
		assert_true(rows[i].size ? plaintext.size == rows[i].size : plaintext.size > 100);
	}
	enclave_done(&enclave);
}

/* KMS ignores Recipient where it has no use for it; a document does not open what is conditioned there. */
static void test_recipient_is_ignored_elsewhere(void **state)
{
	struct sim_fixture *fixture = *state;
	AUTO_FREE char *body = NULL;
	struct error error = {0};
	char arn[KMS_ARN_SIZE];
	json_t *answer;

	make_key(fixture, arn);
	body = memory_format("{\"KeyId\":\"%s\",\"Plaintext\":\"AA==\",\"Recipient\":\"nonsense\"}", arn);
	answer = call(&fixture->as_operator, "Encrypt", body, NULL, &error);
	assert_ok(answer != NULL, &error);
	assert_null(json_object_get(answer, "CiphertextForRecipient"));
	json_decref(answer);
}

static void test_second_simulator_is_refused(void **state)
{
	struct sim_fixture *fixture = *state;
	struct error error = {0};

	assert_null(simulator_start(fixture->folder, NULL, &error));
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
		cmocka_unit_test(test_recipient_end_to_end),
		cmocka_unit_test(test_documents_that_prove_nothing),
		cmocka_unit_test(test_foreign_authority),
		cmocka_unit_test(test_recipient_of_every_operation),
		cmocka_unit_test(test_recipient_is_ignored_elsewhere),
		cmocka_unit_test(test_second_simulator_is_refused),
	};

	json_use_wiping_memory();
	return cmocka_run_group_tests(tests, sim_fixture_setup, sim_fixture_teardown);
}
