/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that encrypt, decrypt and make random bytes. */
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "crypto/cms.h"
#include "sim/kms_blob.h"
#include "sim/kms_call.h"

#define SYMMETRIC_ALGORITHM "SYMMETRIC_DEFAULT"
#define RANDOM_MAX_SIZE 1024 /* KMS: NumberOfBytes is 1 to 1024 */

static void add_text(json_t *answer, const char *name, const char *text)
{
	(void)json_object_set_new(answer, name, json_string(text));
}

static void add_key_id(const struct kms_call *call, json_t *answer)
{
	char arn[SIM_ARN_SIZE];

	kms_key_arn(call, call->key.id, arn);
	add_text(answer, "KeyId", arn);
}

static bool check_algorithm(struct kms_call *call, struct error *error)
{
	static const char *const asymmetric[] = {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"};
	const char *algorithm;

	if (!json_read_text_optional(call->body, "EncryptionAlgorithm", &algorithm, error))
		return false;
	if (!algorithm || strcmp(algorithm, SYMMETRIC_ALGORITHM) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(asymmetric); i++) {
		if (strcmp(algorithm, asymmetric[i]) == 0)
			return kms_fail(call, KMS_INVALID_KEY_USAGE, error,
					"Algorithm %s is incompatible with key spec " SYMMETRIC_ALGORITHM ".", algorithm);
	}
	return kms_fail(call, KMS_VALIDATION, error, "EncryptionAlgorithm: unknown algorithm");
}

/* Seal for the caller's storage and put it into the answer. */
static bool add_sealed(struct kms_call *call, struct view plaintext, const char *member, json_t *answer, struct error *error)
{
	AUTO_BUFFER struct buffer blob = {0};

	if (!kms_blob_seal(&call->key, call->context, plaintext, &blob, error))
		return false;
	return json_object_set_new(answer, member, json_text_of_base64(buffer_view(&blob))) == 0;
}

bool kms_encrypt_handler(struct kms_call *call, json_t *answer, struct error *error)
{
	AUTO_SECRET struct secret plaintext = {0};

	if (!check_algorithm(call, error) || !json_read_base64_secret(call->body, "Plaintext", &plaintext, error))
		return false;
	if (plaintext.size < 1 || plaintext.size > KMS_PLAINTEXT_MAX_SIZE)
		return kms_fail(call, KMS_VALIDATION, error, "Plaintext: %zu bytes, 1 to %d are allowed", plaintext.size,
				KMS_PLAINTEXT_MAX_SIZE);
	if (!add_sealed(call, secret_view(&plaintext), "CiphertextBlob", answer, error))
		return false;
	add_key_id(call, answer);
	add_text(answer, "EncryptionAlgorithm", SYMMETRIC_ALGORITHM);
	return true;
}

bool kms_decrypt_handler(struct kms_call *call, json_t *answer, struct error *error)
{
	AUTO_SECRET struct secret plaintext = {0};

	if (!check_algorithm(call, error))
		return false;
	/* Like KMS, without a word about which of blob and context it was. */
	if (!kms_blob_open(&call->key, call->context, buffer_view(&call->ciphertext), &plaintext, error))
		return kms_fail(call, KMS_INVALID_CIPHERTEXT, error, "%s", "");
	add_key_id(call, answer);
	add_text(answer, "EncryptionAlgorithm", SYMMETRIC_ALGORITHM);
	return kms_answer_secret(call, secret_view(&plaintext), "Plaintext", answer, error);
}

static bool read_number_of_bytes(struct kms_call *call, size_t *ret_size, struct error *error)
{
	json_t *member = json_object_get(call->body, "NumberOfBytes");
	json_int_t value = json_integer_value(member);

	if (!json_is_integer(member) || value < 1 || value > RANDOM_MAX_SIZE)
		return kms_fail(call, KMS_VALIDATION, error, "NumberOfBytes: not a number from 1 to %d", RANDOM_MAX_SIZE);
	*ret_size = (size_t)value;
	return true;
}

static bool random_secret(size_t size, struct secret *ret_secret, struct error *error)
{
	if (!secret_init(ret_secret, size, error))
		return false;
	return RAND_priv_bytes(ret_secret->data, (int)size) == 1 || error_set(error, ERROR_CRYPTO, "no random bytes");
}

/* KeySpec or NumberOfBytes, and exactly one of them. */
static bool read_data_key_size(struct kms_call *call, size_t *ret_size, struct error *error)
{
	const char *spec;
	json_t *number = json_object_get(call->body, "NumberOfBytes");

	if (!json_read_text_optional(call->body, "KeySpec", &spec, error))
		return false;
	if ((spec != NULL) == (number && !json_is_null(number)))
		return kms_fail(call, KMS_VALIDATION, error, "Please specify either number of bytes or key spec.");
	if (!spec)
		return read_number_of_bytes(call, ret_size, error);
	if (strcmp(spec, "AES_256") != 0 && strcmp(spec, "AES_128") != 0)
		return kms_fail(call, KMS_VALIDATION, error, "KeySpec: neither AES_256 nor AES_128");
	*ret_size = strcmp(spec, "AES_256") == 0 ? 32 : 16;
	return true;
}

bool kms_generate_data_key_handler(struct kms_call *call, json_t *answer, struct error *error)
{
	AUTO_SECRET struct secret data_key = {0};
	size_t size;

	if (!read_data_key_size(call, &size, error) || !random_secret(size, &data_key, error) ||
	    !add_sealed(call, secret_view(&data_key), "CiphertextBlob", answer, error))
		return false;
	add_key_id(call, answer);
	return kms_answer_secret(call, secret_view(&data_key), "Plaintext", answer, error);
}

bool kms_generate_random_handler(struct kms_call *call, json_t *answer, struct error *error)
{
	AUTO_SECRET struct secret bytes = {0};
	size_t size;

	return read_number_of_bytes(call, &size, error) && random_secret(size, &bytes, error) &&
	       kms_answer_secret(call, secret_view(&bytes), "Plaintext", answer, error);
}

static EVP_PKEY *generate_rsa_2048(void)
{
	return EVP_RSA_gen(2048);
}

static EVP_PKEY *generate_p256(void)
{
	return EVP_EC_gen("P-256");
}

static EVP_PKEY *generate_p384(void)
{
	return EVP_EC_gen("P-384");
}

static const struct key_pair_spec {
	const char *name;
	EVP_PKEY *(*generate)(void);
} key_pair_specs[] = {
	{"RSA_2048", generate_rsa_2048},
	{"ECC_NIST_P256", generate_p256},
	{"ECC_NIST_P384", generate_p384},
};

static const struct key_pair_spec *find_key_pair_spec(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(key_pair_specs); i++) {
		if (strcmp(key_pair_specs[i].name, name) == 0)
			return &key_pair_specs[i];
	}
	return NULL;
}

/* PKCS#8 DER straight into a secret. */
static bool private_key_der(EVP_PKEY *pair, struct secret *ret_der, struct error *error)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pair);
	int size = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : -1;
	bool done = size > 0 && secret_init(ret_der, (size_t)size, error);
	unsigned char *end = done ? ret_der->data : NULL;

	if (done)
		(void)i2d_PKCS8_PRIV_KEY_INFO(info, &end);
	PKCS8_PRIV_KEY_INFO_free(info);
	return done || error_set(error, ERROR_CRYPTO, "cannot encode the private key");
}

static bool add_public_key(EVP_PKEY *pair, json_t *answer, struct error *error)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(pair, &der);

	if (size <= 0)
		return error_set(error, ERROR_CRYPTO, "cannot encode the public key");
	(void)json_object_set_new(answer, "PublicKey", json_text_of_base64(view_of(der, (size_t)size)));
	OPENSSL_free(der);
	return true;
}

bool kms_generate_data_key_pair_handler(struct kms_call *call, json_t *answer, struct error *error)
{
	AUTO_SECRET struct secret private_key = {0};
	AUTO_PKEY EVP_PKEY *pair = NULL;
	const struct key_pair_spec *spec;
	const char *name;

	if (!json_read_text(call->body, "KeyPairSpec", &name, error))
		return false;
	spec = find_key_pair_spec(name);
	if (!spec)
		return kms_fail(call, KMS_VALIDATION, error,
				"KeyPairSpec: the simulator makes RSA_2048, ECC_NIST_P256, ECC_NIST_P384");
	pair = spec->generate();
	if (!pair)
		return error_set(error, ERROR_CRYPTO, "cannot make a key pair");
	if (!private_key_der(pair, &private_key, error) || !add_public_key(pair, answer, error) ||
	    !add_sealed(call, secret_view(&private_key), "PrivateKeyCiphertextBlob", answer, error))
		return false;
	add_key_id(call, answer);
	add_text(answer, "KeyPairSpec", spec->name);
	return kms_answer_secret(call, secret_view(&private_key), "PrivateKeyPlaintext", answer, error);
}
