/* SPDX-License-Identifier: Apache-2.0 */
/* KMS's Recipient: the attestation document in a request, and the answer that only its holder can read. */
#include "crypto/cms.h"
#include "sim/kms_call.h"

/* KMS: AttestationDocument has 1 to 262144 characters of base64. Real documents have under 5000 bytes. */
#define RECIPIENT_DOCUMENT_MAX_TEXT 262144
#define RECIPIENT_DOCUMENT_MAX_SIZE (RECIPIENT_DOCUMENT_MAX_TEXT / 4 * 3)
/*
 * How old a document may be, or how far ahead of our clock. KMS's own limit is not public; five minutes is what SigV4 grants
 * the request around it.
 */
#define ATTESTATION_MAX_AGE_MS (5u * 60 * 1000)
#define KEY_ENCRYPTION_ALGORITHM "RSAES_OAEP_SHA_256"

static bool check_age(const struct kms_call *call, const struct attestation_document *document, struct error *error)
{
	uint64_t timestamp_ms = document->timestamp_ms;
	uint64_t distance_ms = timestamp_ms > call->now_ms ? timestamp_ms - call->now_ms : call->now_ms - timestamp_ms;

	if (distance_ms <= ATTESTATION_MAX_AGE_MS)
		return true;
	return error_set(error, ERROR_INPUT, "the document's timestamp is %llu s away from now",
			 (unsigned long long)(distance_ms / 1000));
}

static bool verify_document(struct kms_call *call, struct error *error)
{
	struct kms_recipient *recipient = &call->recipient;

	if (!attestation_verify(buffer_view(&recipient->bytes), call->attestation_root, call->now_ms, &recipient->document, error))
		return false;
	if (!check_age(call, &recipient->document, error))
		return false;
	return recipient->document.has_public_key || error_set(error, ERROR_INPUT, "the document has no public_key");
}

bool kms_recipient_read(struct kms_call *call, struct error *error)
{
	json_t *object = json_object_get(call->body, "Recipient");
	const char *algorithm;

	if (!object || json_is_null(object))
		return true;
	if (!json_is_object(object))
		return kms_fail(call, KMS_VALIDATION, error, "Recipient: not an object");
	if (!json_read_text(object, "KeyEncryptionAlgorithm", &algorithm, error) ||
	    !json_read_base64(object, "AttestationDocument", RECIPIENT_DOCUMENT_MAX_SIZE, &call->recipient.bytes, error))
		return error_prefix(error, "Recipient");
	if (strcmp(algorithm, KEY_ENCRYPTION_ALGORITHM) != 0)
		return kms_fail(call, KMS_VALIDATION, error, "Recipient: KeyEncryptionAlgorithm: not " KEY_ENCRYPTION_ALGORITHM);
	if (!verify_document(call, error)) {
		call->exception = KMS_VALIDATION;
		return error_prefix(error, "Recipient: AttestationDocument");
	}
	call->recipient.present = true;
	return true;
}

bool kms_answer_secret(struct kms_call *call, struct view plaintext, const char *plain_member, json_t *answer, struct error *error)
{
	AUTO_BUFFER struct buffer blob = {0};

	if (!call->recipient.present)
		return json_object_set_new(answer, plain_member, json_text_of_base64(plaintext)) == 0;
	if (!cms_seal(call->recipient.document.public_key, plaintext, &blob, error)) {
		call->exception = KMS_VALIDATION;
		return error_prefix(error, "Recipient: AttestationDocument: public_key");
	}
	return json_object_set_new(answer, plain_member, json_null()) == 0 &&
	       json_object_set_new(answer, "CiphertextForRecipient", json_text_of_base64(buffer_view(&blob))) == 0;
}
