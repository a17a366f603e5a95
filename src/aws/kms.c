/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/kms.h"

/* KMS takes documents of 1 to 262144 bytes. */
#define DOCUMENT_MAX_SIZE 262144
/* 461 bytes of CMS around 12 of plaintext, seen in real answers; 4096 of plaintext and chunking stay well below. */
#define RECIPIENT_CIPHERTEXT_MAX_SIZE 8192
#define DATA_KEY_SIZE 32
/* KMS: a policy has at most 32 KiB. */
#define POLICY_MAX_SIZE 32768

/* Base64 of what may be a secret: the text in between is wiped. */
static json_t *base64_text(struct view bytes)
{
	AUTO_WIPED_BUFFER struct buffer text = {0};

	base64_encode(bytes, &text);
	return json_stringn(buffer_text(&text), text.size);
}

/* Everything in a request but bytes and policies is text of our own; KMS takes UTF-8 only, and so does jansson. */
static bool set_text(json_t *object, const char *name, const char *value, struct error *error)
{
	if (!value || json_object_set_new(object, name, json_string(value)) == 0)
		return true;
	return error_set(error, ERROR_INPUT, "%s: not UTF-8", name);
}

static bool set_bytes(json_t *object, const char *name, struct view bytes, size_t max_size, struct error *error)
{
	if (bytes.size == 0 || bytes.size > max_size)
		return error_set(error, ERROR_INPUT, "%s: %zu bytes, KMS takes 1 to %zu", name, bytes.size, max_size);
	if (json_object_set_new(object, name, base64_text(bytes)) != 0)
		return error_set(error, ERROR_BUG, "%s: cannot be written", name);
	return true;
}

static bool set_context(json_t *object, struct kms_context context, struct error *error)
{
	json_t *pairs;

	if (!context.name)
		return true;
	pairs = json_object();
	if (json_object_set_new(object, "EncryptionContext", pairs) != 0)
		return error_set(error, ERROR_BUG, "EncryptionContext: cannot be written");
	if (json_object_set_new(pairs, context.name, json_string(context.value)) != 0)
		return error_set(error, ERROR_INPUT, "EncryptionContext: not UTF-8");
	return true;
}

static json_t *new_request(const char *key_id, struct kms_context context, struct error *error)
{
	json_t *request = json_object();

	if (set_text(request, "KeyId", key_id, error) && set_context(request, context, error))
		return request;
	json_decref(request);
	return NULL;
}

/* For a request with a plaintext in it. */
static bool call_with_secret(const struct kms_client *client, const char *target, const json_t *request, json_t **ret_answer,
			     struct error *error)
{
	AUTO_SECRET struct secret body = {0};

	return json_write_secret(request, &body, error) &&
	       aws_call(&client->endpoint, "kms", target, client->credentials, secret_view(&body), AWS_KMS_RESPONSE_MAX_SIZE,
			ret_answer, NULL, error);
}

static bool call(const struct kms_client *client, const char *target, const json_t *request, json_t **ret_answer,
		 struct error *error)
{
	AUTO_BUFFER struct buffer body = {0};

	json_write(request, &body);
	return aws_call(&client->endpoint, "kms", target, client->credentials, buffer_view(&body), AWS_KMS_RESPONSE_MAX_SIZE,
			ret_answer, NULL, error);
}

/* Which of its errors are about the ciphertext itself, not about the call, the key or whoever calls. */
static bool blames_ciphertext(const struct aws_failure *failure)
{
	static const char *const names[] = {"InvalidCiphertextException", "IncorrectKeyException"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(failure->name, names[i]) == 0)
			return true;
	}
	return false;
}

static bool call_decrypt(const struct kms_client *client, const char *target, const json_t *request, json_t **ret_answer,
			 struct error *error)
{
	AUTO_BUFFER struct buffer body = {0};
	struct aws_failure failure = {0};

	json_write(request, &body);
	if (aws_call(&client->endpoint, "kms", target, client->credentials, buffer_view(&body), AWS_KMS_RESPONSE_MAX_SIZE,
		     ret_answer, &failure, error))
		return true;
	if (error && blames_ciphertext(&failure))
		error->code = ERROR_CRYPTO;
	return false;
}

/* A malformed answer is KMS's fault, not the caller's. */
static bool bad_answer(const char *target, struct error *error)
{
	if (error && error->code == ERROR_INPUT)
		error->code = ERROR_PEER;
	return error_prefix(error, "answer of %s", target);
}

static bool read_plaintext(json_t *answer, const char *target, size_t max_size, struct secret *ret_plaintext, struct error *error)
{
	AUTO_SECRET struct secret plaintext = {0};

	if (!json_read_base64_secret(answer, "Plaintext", &plaintext, error))
		return bad_answer(target, error);
	if (plaintext.size == 0 || plaintext.size > max_size)
		return error_set(error, ERROR_PEER, "answer of %s: Plaintext: %zu bytes", target, plaintext.size);
	*ret_plaintext = plaintext;
	plaintext = (struct secret){0};
	return true;
}

/* Appended to ret_bytes only when all is well. */
static bool read_bytes(json_t *answer, const char *target, const char *name, size_t max_size, struct buffer *ret_bytes,
		       struct error *error)
{
	AUTO_BUFFER struct buffer bytes = {0};

	if (!json_read_base64(answer, name, max_size, &bytes, error))
		return bad_answer(target, error);
	if (bytes.size == 0)
		return error_set(error, ERROR_PEER, "answer of %s: %s: empty", target, name);
	buffer_append(ret_bytes, buffer_view(&bytes));
	return true;
}

bool kms_decrypt(const struct kms_client *client, const char *key_id, struct kms_context context, struct view ciphertext,
		 struct secret *ret_plaintext, struct error *error)
{
	static const char target[] = "TrentService.Decrypt";
	AUTO_JSON json_t *request = new_request(key_id, context, error);
	AUTO_JSON json_t *answer = NULL;

	return request && set_bytes(request, "CiphertextBlob", ciphertext, KMS_CIPHERTEXT_MAX_SIZE, error) &&
	       call_decrypt(client, target, request, &answer, error) &&
	       read_plaintext(answer, target, KMS_PLAINTEXT_MAX_SIZE, ret_plaintext, error);
}

static bool set_recipient(json_t *request, struct view attestation_document, struct error *error)
{
	json_t *recipient = json_object();

	if (json_object_set_new(request, "Recipient", recipient) != 0)
		return error_set(error, ERROR_BUG, "Recipient: cannot be written");
	return set_bytes(recipient, "AttestationDocument", attestation_document, DOCUMENT_MAX_SIZE, error) &&
	       set_text(recipient, "KeyEncryptionAlgorithm", "RSAES_OAEP_SHA_256", error);
}

bool kms_decrypt_attested(const struct kms_client *client, const char *key_id, struct kms_context context, struct view ciphertext,
			  struct view attestation_document, struct buffer *ret_ciphertext_for_recipient, struct error *error)
{
	static const char target[] = "TrentService.Decrypt";
	AUTO_JSON json_t *request = new_request(key_id, context, error);
	AUTO_JSON json_t *answer = NULL;

	return request && set_bytes(request, "CiphertextBlob", ciphertext, KMS_CIPHERTEXT_MAX_SIZE, error) &&
	       set_recipient(request, attestation_document, error) && call_decrypt(client, target, request, &answer, error) &&
	       read_bytes(answer, target, "CiphertextForRecipient", RECIPIENT_CIPHERTEXT_MAX_SIZE, ret_ciphertext_for_recipient,
			  error);
}

bool kms_encrypt(const struct kms_client *client, const char *key_id, struct kms_context context, struct view plaintext,
		 struct buffer *ret_ciphertext, struct error *error)
{
	static const char target[] = "TrentService.Encrypt";
	AUTO_JSON json_t *request = new_request(key_id, context, error);
	AUTO_JSON json_t *answer = NULL;

	return request && set_bytes(request, "Plaintext", plaintext, KMS_PLAINTEXT_MAX_SIZE, error) &&
	       call_with_secret(client, target, request, &answer, error) &&
	       read_bytes(answer, target, "CiphertextBlob", KMS_CIPHERTEXT_MAX_SIZE, ret_ciphertext, error);
}

bool kms_generate_data_key(const struct kms_client *client, const char *key_id, struct kms_context context,
			   struct secret *ret_plaintext, struct buffer *ret_ciphertext, struct error *error)
{
	static const char target[] = "TrentService.GenerateDataKey";
	AUTO_JSON json_t *request = new_request(key_id, context, error);
	AUTO_JSON json_t *answer = NULL;
	AUTO_SECRET struct secret plaintext = {0};

	if (!request || !set_text(request, "KeySpec", "AES_256", error) || !call(client, target, request, &answer, error) ||
	    !read_plaintext(answer, target, DATA_KEY_SIZE, &plaintext, error))
		return false;
	if (plaintext.size != DATA_KEY_SIZE)
		return error_set(error, ERROR_PEER, "answer of %s: Plaintext: %zu bytes", target, plaintext.size);
	if (!read_bytes(answer, target, "CiphertextBlob", KMS_CIPHERTEXT_MAX_SIZE, ret_ciphertext, error))
		return false;
	*ret_plaintext = plaintext;
	plaintext = (struct secret){0};
	return true;
}

/* What KMS makes: for the enclave's own key, and sealed. */
struct generated {
	const char *target;
	const char *spec_name;
	const char *spec;
	const char *sealed_name;
};

static bool generate_attested(const struct kms_client *client, const struct generated *what, const char *key_id,
			      struct kms_context context, struct view attestation_document,
			      struct buffer *ret_ciphertext_for_recipient, struct buffer *ret_ciphertext, struct error *error)
{
	AUTO_JSON json_t *request = new_request(key_id, context, error);
	AUTO_JSON json_t *answer = NULL;

	return request && set_text(request, what->spec_name, what->spec, error) &&
	       set_recipient(request, attestation_document, error) && call(client, what->target, request, &answer, error) &&
	       read_bytes(answer, what->target, "CiphertextForRecipient", RECIPIENT_CIPHERTEXT_MAX_SIZE,
			  ret_ciphertext_for_recipient, error) &&
	       read_bytes(answer, what->target, what->sealed_name, KMS_CIPHERTEXT_MAX_SIZE, ret_ciphertext, error);
}

bool kms_generate_data_key_attested(const struct kms_client *client, const char *key_id, struct kms_context context,
				    struct view attestation_document, struct buffer *ret_ciphertext_for_recipient,
				    struct buffer *ret_ciphertext, struct error *error)
{
	static const struct generated data_key = {"TrentService.GenerateDataKey", "KeySpec", "AES_256", "CiphertextBlob"};

	return generate_attested(client, &data_key, key_id, context, attestation_document, ret_ciphertext_for_recipient,
				 ret_ciphertext, error);
}

bool kms_generate_key_pair_attested(const struct kms_client *client, const char *key_id, struct kms_context context,
				    struct view attestation_document, struct buffer *ret_ciphertext_for_recipient,
				    struct buffer *ret_ciphertext, struct error *error)
{
	static const struct generated key_pair = {"TrentService.GenerateDataKeyPair", "KeyPairSpec", "ECC_NIST_P256",
						  "PrivateKeyCiphertextBlob"};

	return generate_attested(client, &key_pair, key_id, context, attestation_document, ret_ciphertext_for_recipient,
				 ret_ciphertext, error);
}

bool kms_create_key(const struct kms_client *client, const char *description, const char *policy, char ret_arn[KMS_ARN_SIZE],
		    struct error *error)
{
	static const char target[] = "TrentService.CreateKey";
	AUTO_JSON json_t *request = json_object();
	AUTO_JSON json_t *answer = NULL;
	json_t *metadata;
	const char *arn;

	if (!set_text(request, "Description", description, error) || !set_text(request, "Policy", policy, error) ||
	    !set_text(request, "KeySpec", "SYMMETRIC_DEFAULT", error) || !set_text(request, "KeyUsage", "ENCRYPT_DECRYPT", error) ||
	    !call(client, target, request, &answer, error))
		return false;
	if (!json_read_object(answer, "KeyMetadata", &metadata, error) || !json_read_text(metadata, "Arn", &arn, error))
		return bad_answer(target, error);
	if (arn[0] == 0 || strlen(arn) >= KMS_ARN_SIZE)
		return error_set(error, ERROR_PEER, "answer of %s: Arn: %zu characters", target, strlen(arn));
	memcpy(ret_arn, arn, strlen(arn) + 1);
	return true;
}

/* Keys have only this one policy. */
static bool set_policy_name(json_t *request, struct error *error)
{
	return set_text(request, "PolicyName", "default", error);
}

bool kms_put_key_policy(const struct kms_client *client, const char *key_id, const char *policy, struct error *error)
{
	AUTO_JSON json_t *request = new_request(key_id, (struct kms_context){0}, error);
	AUTO_JSON json_t *answer = NULL;

	return request && set_policy_name(request, error) && set_text(request, "Policy", policy, error) &&
	       call(client, "TrentService.PutKeyPolicy", request, &answer, error);
}

bool kms_get_key_policy(const struct kms_client *client, const char *key_id, struct buffer *ret_policy, struct error *error)
{
	static const char target[] = "TrentService.GetKeyPolicy";
	AUTO_JSON json_t *request = new_request(key_id, (struct kms_context){0}, error);
	AUTO_JSON json_t *answer = NULL;
	const char *policy;

	if (!request || !set_policy_name(request, error) || !call(client, target, request, &answer, error))
		return false;
	if (!json_read_text(answer, "Policy", &policy, error))
		return bad_answer(target, error);
	if (strlen(policy) > POLICY_MAX_SIZE)
		return error_set(error, ERROR_PEER, "answer of %s: Policy: %zu bytes", target, strlen(policy));
	buffer_append_text(ret_policy, policy);
	return true;
}
