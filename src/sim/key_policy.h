/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KMS key policies (IAM policy language, resource-based): check a document, then ask it about a request. Pure functions.
 *
 * Understood: Effect Allow and Deny; Principal "*" or {"AWS": …}; Action and Resource with * and ?; Condition with the operators
 * and keys below. Several values of a key are OR, several keys and several operators are AND, an explicit Deny wins, nothing
 * is allowed by default. Whatever a real policy may contain and this one does not understand (NotPrincipal, NotAction,
 * policy variables, other operators, other condition keys) is refused when the policy is put, never misread.
 *
 *   operators  StringEquals, StringNotEquals, StringEqualsIgnoreCase, StringNotEqualsIgnoreCase, StringLike, StringNotLike,
 *              each also with IfExists; Null
 *   keys       kms:RecipientAttestation:ImageSha384, kms:RecipientAttestation:PCR0 … PCR31, kms:EncryptionContext:NAME,
 *              kms:CallerAccount, aws:PrincipalArn, aws:PrincipalAccount (letter case does not matter)
 *
 * Source: AWS IAM User Guide, "Policy evaluation logic", "IAM JSON policy elements: Condition operators"; KMS Developer
 * Guide, "Condition keys for AWS KMS".
 */
#pragma once

#include "base/bytes.h"

/* KMS: a key policy document has at most 32768 characters. */
#define KEY_POLICY_MAX_SIZE 32768

struct key_policy;

/* One condition key that the request carries. A key that is not listed is missing, which is not the same as empty. */
struct key_policy_value {
	const char *key;
	const char *value;
};

struct key_policy_request {
	const char *principal_arn; /* the user's or the role's ARN */
	const char *session_arn;   /* of an assumed role: arn:aws:sts::…:assumed-role/ROLE/SESSION; NULL for a user */
	const char *account;       /* 12 digits: the caller's account */
	const char *action;        /* "kms:Decrypt" */
	const char *resource;      /* the key's ARN */
	const struct key_policy_value *values;
	size_t value_count;
};

enum key_policy_decision {
	KEY_POLICY_ALLOWED,
	KEY_POLICY_NOT_ALLOWED, /* no statement allows it */
	KEY_POLICY_DENIED,      /* a statement denies it */
};

/* Check the whole document. ERROR_INPUT, naming the statement and the element, when malformed. NULL on failure. */
MUST_USE struct key_policy *key_policy_parse(struct view text, struct error *error);
void key_policy_free(struct key_policy *policy);
enum key_policy_decision key_policy_evaluate(const struct key_policy *policy, const struct key_policy_request *request);

static inline void key_policy_done(struct key_policy **policy)
{
	key_policy_free(*policy);
	*policy = NULL;
}
#define AUTO_KEY_POLICY CLEANUP(key_policy_done)
