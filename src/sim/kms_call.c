/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms_call.h"

#undef kms_fail /* what the header tells the analyser */

static const struct kms_exception_kind kinds[KMS_EXCEPTION_COUNT] = {
	[KMS_OK] = {"", 200},
	[KMS_VALIDATION] = {"ValidationException", 400},
	[KMS_SERIALIZATION] = {"SerializationException", 400},
	[KMS_UNKNOWN_OPERATION] = {"UnknownOperationException", 400},
	[KMS_ACCESS_DENIED] = {"AccessDeniedException", 400},
	[KMS_NOT_FOUND] = {"NotFoundException", 400},
	[KMS_INVALID_CIPHERTEXT] = {"InvalidCiphertextException", 400},
	[KMS_INCORRECT_KEY] = {"IncorrectKeyException", 400},
	[KMS_INVALID_KEY_USAGE] = {"InvalidKeyUsageException", 400},
	[KMS_MALFORMED_POLICY] = {"MalformedPolicyDocumentException", 400},
	[KMS_DRY_RUN] = {"DryRunOperationException", 400},
	[KMS_MISSING_AUTHENTICATION_TOKEN] = {"MissingAuthenticationTokenException", 400},
	[KMS_INCOMPLETE_SIGNATURE] = {"IncompleteSignatureException", 400},
	[KMS_INVALID_SIGNATURE] = {"InvalidSignatureException", 400},
	[KMS_UNRECOGNIZED_CLIENT] = {"UnrecognizedClientException", 400},
	[KMS_EXPIRED_TOKEN] = {"ExpiredTokenException", 400},
	[KMS_INTERNAL] = {"KMSInternalException", 500},
};

static const struct kms_operation operations[] = {
	{"CreateKey", "kms:CreateKey", KMS_RESOURCE_OPERATOR, false, kms_create_key_handler},
	{"DescribeKey", "kms:DescribeKey", KMS_RESOURCE_KEY, false, kms_describe_key_handler},
	{"PutKeyPolicy", "kms:PutKeyPolicy", KMS_RESOURCE_KEY, false, kms_put_key_policy_handler},
	{"GetKeyPolicy", "kms:GetKeyPolicy", KMS_RESOURCE_KEY, false, kms_get_key_policy_handler},
	{"Encrypt", "kms:Encrypt", KMS_RESOURCE_KEY, false, kms_encrypt_handler},
	{"Decrypt", "kms:Decrypt", KMS_RESOURCE_CIPHERTEXT, true, kms_decrypt_handler},
	{"GenerateDataKey", "kms:GenerateDataKey", KMS_RESOURCE_KEY, true, kms_generate_data_key_handler},
	{"GenerateDataKeyPair", "kms:GenerateDataKeyPair", KMS_RESOURCE_KEY, true, kms_generate_data_key_pair_handler},
	{"GenerateRandom", "kms:GenerateRandom", KMS_RESOURCE_ACCOUNT, true, kms_generate_random_handler},
};

const struct kms_exception_kind *kms_exception_kind(enum kms_exception exception)
{
	return &kinds[exception];
}

const struct kms_operation *kms_operation_find(struct view target)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (view_equal_text(target, operations[i].target))
			return &operations[i];
	}
	return NULL;
}

void kms_call_done(struct kms_call *call)
{
	sim_identity_done(&call->caller);
	sim_key_done(&call->key);
	buffer_done(&call->ciphertext);
	buffer_done(&call->recipient.bytes);
	json_decref(call->body);
	call->body = NULL;
}

bool kms_fail(struct kms_call *call, enum kms_exception exception, struct error *error, const char *format, ...)
{
	char message[ERROR_MESSAGE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	call->exception = exception;
	return error_set(error, exception == KMS_ACCESS_DENIED ? ERROR_POLICY : ERROR_INPUT, "%s", message);
}

enum kms_exception kms_call_exception(const struct kms_call *call, const struct error *error)
{
	if (call->exception != KMS_OK)
		return call->exception;
	return error->code == ERROR_INPUT ? KMS_VALIDATION : KMS_INTERNAL;
}

void kms_key_arn(const struct kms_call *call, const char *key_id, char ret_arn[SIM_ARN_SIZE])
{
	(void)snprintf(ret_arn, SIM_ARN_SIZE, "arn:aws:kms:%s:%s:key/%s", call->region, call->account, key_id);
}
