/* SPDX-License-Identifier: Apache-2.0 */
/* What a call is about: its Recipient, its ciphertext, its EncryptionContext and its key. */
#include "sim/kms_call.h"

#include "sim/kms_blob.h"

/* KMS: key ARN or id of at most 2048 characters. */
#define KEY_ID_MAX_SIZE 2048
/* KMS: the serialised EncryptionContext may have 8192 characters. */
#define CONTEXT_MAX_SIZE 8192

/* KeyId is the id or the whole ARN. */
static bool read_key_id(struct kms_call *call, const char *text, const char **ret_id, struct error *error)
{
	char prefix[SIM_ARN_SIZE];

	if (text[0] == 0 || strlen(text) > KEY_ID_MAX_SIZE)
		return kms_fail(call, KMS_VALIDATION, error, "KeyId: %zu characters, 1 to %d are allowed", strlen(text),
				KEY_ID_MAX_SIZE);
	*ret_id = text;
	if (strncmp(text, "arn:", strlen("arn:")) != 0)
		return true;
	kms_key_arn(call, "", prefix);
	if (strncmp(text, prefix, strlen(prefix)) != 0)
		return kms_fail(call, KMS_NOT_FOUND, error, "Key '%.256s' does not exist", text);
	*ret_id = text + strlen(prefix);
	return true;
}

static bool find_key(struct kms_call *call, const char *id, enum kms_exception missing, struct error *error)
{
	char arn[SIM_ARN_SIZE];

	if (sim_store_find_key(call->store, id, &call->key, error))
		return true;
	if (error->code != ERROR_NOT_FOUND)
		return false;
	kms_key_arn(call, id, arn);
	return kms_fail(call, missing, error, "Key '%s' does not exist", arn);
}

static bool find_named_key(struct kms_call *call, struct error *error)
{
	const char *text;
	const char *id;

	return json_read_text(call->body, "KeyId", &text, error) && read_key_id(call, text, &id, error) &&
	       find_key(call, id, KMS_NOT_FOUND, error);
}

/* The blob names its key. A key of another region or of nobody is a corrupted blob; KeyId, when given, must agree. */
static bool find_ciphertext_key(struct kms_call *call, struct error *error)
{
	char id[SIM_KEY_ID_SIZE];
	const char *wanted;
	const char *wanted_id;

	if (!json_read_base64(call->body, "CiphertextBlob", KMS_CIPHERTEXT_MAX_SIZE, &call->ciphertext, error))
		return false;
	if (call->ciphertext.size == 0)
		return kms_fail(call, KMS_VALIDATION, error, "CiphertextBlob: empty");
	if (!json_read_text_optional(call->body, "KeyId", &wanted, error))
		return false;
	if (!kms_blob_read_key_id(buffer_view(&call->ciphertext), id))
		return kms_fail(call, KMS_INVALID_CIPHERTEXT, error, "CiphertextBlob: not made by this KMS");
	if (!wanted)
		return find_key(call, id, KMS_INVALID_CIPHERTEXT, error);
	if (!read_key_id(call, wanted, &wanted_id, error) || !find_key(call, wanted_id, KMS_NOT_FOUND, error))
		return false;
	if (strcmp(wanted_id, id) != 0)
		return kms_fail(call, KMS_INCORRECT_KEY, error,
				"The key ID in the request does not identify a CMK that can perform this operation.");
	return true;
}

static bool read_context(struct kms_call *call, struct error *error)
{
	json_t *context = json_object_get(call->body, "EncryptionContext");
	size_t size = 0;
	const char *name;
	json_t *value;

	if (!context || json_is_null(context))
		return true;
	if (!json_is_object(context))
		return kms_fail(call, KMS_VALIDATION, error, "EncryptionContext: not an object");
	json_object_foreach(context, name, value)
	{
		if (!json_is_string(value))
			return kms_fail(call, KMS_VALIDATION, error, "EncryptionContext: %.128s: not a string", name);
		size += strlen(name) + json_string_length(value);
	}
	if (size > CONTEXT_MAX_SIZE)
		return kms_fail(call, KMS_VALIDATION, error, "EncryptionContext: %zu characters, at most %d are allowed", size,
				CONTEXT_MAX_SIZE);
	call->context = context;
	return true;
}

static bool check_dry_run(struct kms_call *call, struct error *error)
{
	json_t *dry_run = json_object_get(call->body, "DryRun");

	if (!dry_run || json_is_null(dry_run) || json_is_false(dry_run))
		return true;
	if (!json_is_true(dry_run))
		return kms_fail(call, KMS_VALIDATION, error, "DryRun: not true or false");
	return kms_fail(call, KMS_DRY_RUN, error, "The request would have succeeded, but the DryRun option is set.");
}

bool kms_prepare(struct kms_call *call, struct error *error)
{
	enum kms_resource resource = call->operation->resource;

	if (call->operation->supports_recipient && !kms_recipient_read(call, error))
		return false;
	if (!read_context(call, error))
		return false;
	if (resource == KMS_RESOURCE_KEY && !find_named_key(call, error))
		return false;
	if (resource == KMS_RESOURCE_CIPHERTEXT && !find_ciphertext_key(call, error))
		return false;
	return kms_authorize(call, error) && check_dry_run(call, error);
}
