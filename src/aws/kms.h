/* SPDX-License-Identifier: Apache-2.0 */
/* The KMS operations that Ensign uses. Sizes are KMS's: plaintext of Encrypt at most 4096 bytes, ciphertext at most 6144. */
#pragma once

#include "aws/request.h"

#define KMS_PLAINTEXT_MAX_SIZE 4096
#define KMS_CIPHERTEXT_MAX_SIZE 6144
#define KMS_ARN_SIZE 256

struct kms_client {
	struct aws_endpoint endpoint;
	const struct credentials *credentials; /* borrowed */
};

/* EncryptionContext with one pair, which is all Ensign uses; name NULL: none. */
struct kms_context {
	const char *name;
	const char *value;
};

/*
 * Decrypt without attestation (tests show that a pinned key refuses it). key_id may be NULL. Errors are those of aws_call(), but ERROR_CRYPTO
 * when KMS says that the ciphertext is none of this key and context (InvalidCiphertextException, IncorrectKeyException): another one may do.
 */
MUST_USE bool kms_decrypt(const struct kms_client *client, const char *key_id, struct kms_context context, struct view ciphertext,
			  struct secret *ret_plaintext, struct error *error);
/* The same with Recipient: the answer is CMS for the key inside `attestation_document`. Opened by the caller with cms_open(). */
MUST_USE bool kms_decrypt_attested(const struct kms_client *client, const char *key_id, struct kms_context context,
				   struct view ciphertext, struct view attestation_document,
				   struct buffer *ret_ciphertext_for_recipient, struct error *error);
MUST_USE bool kms_encrypt(const struct kms_client *client, const char *key_id, struct kms_context context, struct view plaintext,
			  struct buffer *ret_ciphertext, struct error *error);
/* AES_256 data key: 32 bytes in the clear and its wrapped form. */
MUST_USE bool kms_generate_data_key(const struct kms_client *client, const char *key_id, struct kms_context context,
				    struct secret *ret_plaintext, struct buffer *ret_ciphertext, struct error *error);
/* The same with Recipient: the key in the clear comes as CMS for the key inside `attestation_document`, and nobody else ever has it. */
MUST_USE bool kms_generate_data_key_attested(const struct kms_client *client, const char *key_id, struct kms_context context,
					     struct view attestation_document, struct buffer *ret_ciphertext_for_recipient,
					     struct buffer *ret_ciphertext, struct error *error);
/*
 * A P-256 key pair whose private key (PKCS#8 DER) comes as CMS for the key inside `attestation_document`, and sealed by KMS for Decrypt
 * (ret_ciphertext).
 */
MUST_USE bool kms_generate_key_pair_attested(const struct kms_client *client, const char *key_id, struct kms_context context,
					     struct view attestation_document, struct buffer *ret_ciphertext_for_recipient,
					     struct buffer *ret_ciphertext, struct error *error);
/* A symmetric key with the given policy (JSON text; NULL: KMS's default). ret_arn is NUL-terminated. */
MUST_USE bool kms_create_key(const struct kms_client *client, const char *description, const char *policy,
			     char ret_arn[KMS_ARN_SIZE], struct error *error);
MUST_USE bool kms_put_key_policy(const struct kms_client *client, const char *key_id, const char *policy, struct error *error);
MUST_USE bool kms_get_key_policy(const struct kms_client *client, const char *key_id, struct buffer *ret_policy,
				 struct error *error);
