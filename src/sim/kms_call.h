/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of the simulated KMS as it passes from the door (kms.c: signature, parsing) through authorisation to its operation.
 * Failures are the tree's struct error, plus the name that AWS has for them: an operation that knows it says so with
 * kms_fail(), for the rest the error's code decides.
 */
#pragma once

#include "attestation/document.h"
#include "aws/kms.h"
#include "base/json.h"
#include "sim/key_policy.h"
#include "sim/store.h"

/* Names and HTTP statuses of KMS's answers: see the table in kms_call.c. */
enum kms_exception {
	KMS_OK,
	KMS_VALIDATION,
	KMS_SERIALIZATION,
	KMS_UNKNOWN_OPERATION,
	KMS_ACCESS_DENIED,
	KMS_NOT_FOUND,
	KMS_INVALID_CIPHERTEXT,
	KMS_INCORRECT_KEY,
	KMS_INVALID_KEY_USAGE,
	KMS_MALFORMED_POLICY,
	KMS_DRY_RUN,
	KMS_MISSING_AUTHENTICATION_TOKEN,
	KMS_INCOMPLETE_SIGNATURE,
	KMS_INVALID_SIGNATURE,
	KMS_UNRECOGNIZED_CLIENT,
	KMS_EXPIRED_TOKEN,
	KMS_INTERNAL,
	KMS_EXCEPTION_COUNT,
};

struct kms_exception_kind {
	const char *name;
	unsigned status;
};

const struct kms_exception_kind *kms_exception_kind(enum kms_exception exception);

struct kms_recipient {
	bool present;
	struct buffer bytes; /* the views of `document` borrow from here */
	struct attestation_document document;
};

struct kms_operation;

struct kms_call {
	struct sim_store *store;
	X509 *attestation_root; /* borrowed */
	const char *region;
	const char *account;
	const char *operator_arn; /* the one identity that may create keys */
	uint64_t now_ms;

	struct sim_identity caller;
	const struct kms_operation *operation; /* NULL until known */
	json_t *body;
	struct buffer ciphertext; /* Decrypt's CiphertextBlob */
	json_t *context;          /* EncryptionContext, borrowed from body; NULL: none */
	struct sim_key key;       /* the key the call is about; id "" when it is about none */
	struct kms_recipient recipient;

	enum kms_exception exception; /* set by kms_fail() */
};

void kms_call_done(struct kms_call *call);
#define AUTO_KMS_CALL CLEANUP(kms_call_done)

typedef bool (*kms_handler)(struct kms_call *call, json_t *answer, struct error *error);

enum kms_resource {
	KMS_RESOURCE_ACCOUNT,    /* about no key: everybody of the account may */
	KMS_RESOURCE_OPERATOR,   /* about no key: the operator may */
	KMS_RESOURCE_KEY,        /* about the key KeyId */
	KMS_RESOURCE_CIPHERTEXT, /* about the key inside CiphertextBlob, which must be KeyId if that is given */
};

struct kms_operation {
	const char *target; /* the part of X-Amz-Target behind "TrentService." */
	const char *action; /* what a policy calls it */
	enum kms_resource resource;
	bool supports_recipient; /* the others ignore Recipient, as KMS does */
	kms_handler handler;
};

/* NULL when there is no such operation. */
const struct kms_operation *kms_operation_find(struct view target);

/* Fill the error and remember AWS's name for it. Always false. */
bool kms_fail(struct kms_call *call, enum kms_exception exception, struct error *error, const char *format, ...) PRINTF_LIKE(4, 5);
#ifdef __clang_analyzer__ /* as error_set() in base/error.h */
#define kms_fail(...) (kms_fail(__VA_ARGS__), false)
#endif
/* The name for an error, be it remembered or deduced. */
enum kms_exception kms_call_exception(const struct kms_call *call, const struct error *error);

/* arn:aws:kms:REGION:ACCOUNT:key/ID */
void kms_key_arn(const struct kms_call *call, const char *key_id, char ret_arn[SIM_ARN_SIZE]);
/* The caller, the operation and what the Recipient proves, for the key's policy. `action` as in the operation. */
enum key_policy_decision kms_evaluate(const struct kms_call *call, const struct key_policy *policy, const char *action,
				      const char *key_arn);
/* AccessDeniedException unless the caller may do this to the key. */
MUST_USE bool kms_authorize(struct kms_call *call, struct error *error);
/* Find out what the call is about (body → recipient, ciphertext, context, key), then authorise it. */
MUST_USE bool kms_prepare(struct kms_call *call, struct error *error);

/* Recipient → call->recipient; nothing happens when it is absent. Needs call->body. */
MUST_USE bool kms_recipient_read(struct kms_call *call, struct error *error);
/* The secret for the caller: in the clear as `plain_member`, or with a Recipient as CiphertextForRecipient and `plain_member` null. */
MUST_USE bool kms_answer_secret(struct kms_call *call, struct view plaintext, const char *plain_member, json_t *answer,
				struct error *error);

/* The operations. */
MUST_USE bool kms_create_key_handler(struct kms_call *call, json_t *answer, struct error *error);
MUST_USE bool kms_describe_key_handler(struct kms_call *call, json_t *answer, struct error *error);
MUST_USE bool kms_put_key_policy_handler(struct kms_call *call, json_t *answer, struct error *error);
MUST_USE bool kms_get_key_policy_handler(struct kms_call *call, json_t *answer, struct error *error);
MUST_USE bool kms_encrypt_handler(struct kms_call *call, json_t *answer, struct error *error);
MUST_USE bool kms_decrypt_handler(struct kms_call *call, json_t *answer, struct error *error);
MUST_USE bool kms_generate_data_key_handler(struct kms_call *call, json_t *answer, struct error *error);
MUST_USE bool kms_generate_data_key_pair_handler(struct kms_call *call, json_t *answer, struct error *error);
MUST_USE bool kms_generate_random_handler(struct kms_call *call, json_t *answer, struct error *error);
