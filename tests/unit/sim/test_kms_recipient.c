/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulated KMS gives to whom, when attestation documents decide. */
#include "base/clock.h"
#include "crypto/cms.h"
#include "sim_fixture.h"

#define MODULE_ID "i-0123456789abcdef0-enc0123456789abcdef"

static const uint8_t image[NSM_PCR_SIZE] = {1, 2, 3};
static const uint8_t other_image[NSM_PCR_SIZE] = {1, 2, 4};

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
	char hex[NSM_PCR_TEXT_SIZE];
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
	sim_fixture_seal(fixture, arn, FLEET, "for the enclave only", &ciphertext);
	/* Nobody without a document, the operator and the role alike. */
	assert_false(kms_decrypt(&fixture->as_operator, arn, FLEET, buffer_view(&ciphertext), &plaintext, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	assert_null(plaintext.data);
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
	sim_fixture_seal(fixture, arn, FLEET, "x", &ciphertext);
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
	sim_fixture_seal(fixture, arn, FLEET, "x", &ciphertext);
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
		AUTO_JSON json_t *answer = sim_fixture_call(&fixture->as_role, rows[i].operation, body, NULL, &error);

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

	sim_fixture_make_key(fixture, arn);
	body = memory_format("{\"KeyId\":\"%s\",\"Plaintext\":\"AA==\",\"Recipient\":\"nonsense\"}", arn);
	answer = sim_fixture_call(&fixture->as_operator, "Encrypt", body, NULL, &error);
	assert_ok(answer != NULL, &error);
	assert_null(json_object_get(answer, "CiphertextForRecipient"));
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipient_end_to_end),
		cmocka_unit_test(test_documents_that_prove_nothing),
		cmocka_unit_test(test_foreign_authority),
		cmocka_unit_test(test_recipient_of_every_operation),
		cmocka_unit_test(test_recipient_is_ignored_elsewhere),
	};

	json_use_wiping_memory();
	return cmocka_run_group_tests(tests, sim_fixture_setup, sim_fixture_teardown);
}
