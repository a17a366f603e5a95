/* SPDX-License-Identifier: Apache-2.0 */
/* The operations about keys themselves: making them, describing them, and their policies. */
#include <openssl/rand.h>

#include "sim/kms_call.h"

#define POLICY_NAME "default" /* the only name KMS knows */

/* What KMS gives a key that is made without a policy. */
#define DEFAULT_POLICY                                                                                                             \
	"{\"Version\":\"2012-10-17\",\"Id\":\"key-default-1\",\"Statement\":[{\"Sid\":\"Enable IAM User Permissions\","            \
	"\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::%s:root\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}]}"

/* The members that may only say what the simulator does anyway. */
static const struct {
	const char *name;
	const char *value;
} create_key_constants[] = {
	{"KeyUsage", "ENCRYPT_DECRYPT"},
	{"KeySpec", "SYMMETRIC_DEFAULT"},
	{"CustomerMasterKeySpec", "SYMMETRIC_DEFAULT"},
	{"Origin", "AWS_KMS"},
};

static bool check_constants(struct kms_call *call, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(create_key_constants); i++) {
		const char *text;

		if (!json_read_text_optional(call->body, create_key_constants[i].name, &text, error))
			return false;
		if (text && strcmp(text, create_key_constants[i].value) != 0)
			return kms_fail(call, KMS_VALIDATION, error, "%s: the simulator only has %s", create_key_constants[i].name,
					create_key_constants[i].value);
	}
	return true;
}

/* A random (version 4) UUID, RFC 9562. */
static bool make_key_id(char ret_id[SIM_KEY_ID_SIZE], struct error *error)
{
	uint8_t bytes[16];
	char hex[33];

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return error_set(error, ERROR_CRYPTO, "no random bytes");
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	hex_encode(view_of(bytes, sizeof bytes), hex);
	(void)snprintf(ret_id, SIM_KEY_ID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
	return true;
}

/* Well-formed, and does not lock its author out. */
static bool check_policy(struct kms_call *call, const char *text, const char *key_id, struct error *error)
{
	AUTO_KEY_POLICY struct key_policy *policy = key_policy_parse(view_of_text(text), error);
	bool bypass = json_is_true(json_object_get(call->body, "BypassPolicyLockoutSafetyCheck"));
	char arn[SIM_ARN_SIZE];

	if (!policy) {
		call->exception = KMS_MALFORMED_POLICY;
		return false;
	}
	kms_key_arn(call, key_id, arn);
	if (bypass || kms_evaluate(call, policy, "kms:PutKeyPolicy", arn) == KEY_POLICY_ALLOWED)
		return true;
	return kms_fail(call, KMS_MALFORMED_POLICY, error,
			"The new key policy will not allow you to update the key policy in the future.");
}

static void add_metadata(const struct kms_call *call, json_t *answer)
{
	const struct sim_key *key = &call->key;
	char arn[SIM_ARN_SIZE];
	json_t *metadata;

	kms_key_arn(call, key->id, arn);
	metadata = json_pack("{s:s, s:s, s:s, s:f, s:b, s:s%, s:s, s:s, s:s, s:s, s:s, s:s, s:[s], s:b}", "AWSAccountId",
			     call->account, "KeyId", key->id, "Arn", arn, "CreationDate", (double)key->created_ms / 1000, "Enabled",
			     1, "Description", key->description.size ? (const char *)key->description.data : "",
			     key->description.size, "KeyUsage", "ENCRYPT_DECRYPT", "KeyState", "Enabled", "Origin", "AWS_KMS",
			     "KeyManager", "CUSTOMER", "CustomerMasterKeySpec", "SYMMETRIC_DEFAULT", "KeySpec", "SYMMETRIC_DEFAULT",
			     "EncryptionAlgorithms", "SYMMETRIC_DEFAULT", "MultiRegion", 0);
	(void)json_object_set_new(answer, "KeyMetadata", metadata);
}

static bool read_policy_text(struct kms_call *call, char **ret_text, struct error *error)
{
	const char *text;

	if (!json_read_text_optional(call->body, "Policy", &text, error))
		return false;
	*ret_text = text ? memory_copy_text(text) : memory_format(DEFAULT_POLICY, call->account);
	return true;
}

bool kms_create_key_handler(struct kms_call *call, json_t *answer, struct error *error)
{
	AUTO_FREE char *policy = NULL;
	const char *description;
	struct sim_key *key = &call->key;

	if (!check_constants(call, error) || !json_read_text_optional(call->body, "Description", &description, error) ||
	    !read_policy_text(call, &policy, error))
		return false;
	if (description && strlen(description) > SIM_DESCRIPTION_MAX_SIZE)
		return kms_fail(call, KMS_VALIDATION, error, "Description: at most %d bytes are allowed", SIM_DESCRIPTION_MAX_SIZE);
	if (!make_key_id(key->id, error) || !check_policy(call, policy, key->id, error) ||
	    !secret_init(&key->material, SIM_KEY_MATERIAL_SIZE, error))
		return false;
	if (RAND_priv_bytes(key->material.data, SIM_KEY_MATERIAL_SIZE) != 1)
		return error_set(error, ERROR_CRYPTO, "no random bytes");
	buffer_append_text(&key->description, description ? description : "");
	buffer_append_text(&key->policy, policy);
	key->created_ms = call->now_ms;
	if (!sim_store_add_key(call->store, key, error))
		return false;
	add_metadata(call, answer);
	return true;
}

bool kms_describe_key_handler(struct kms_call *call, json_t *answer, struct error *error)
{
	(void)error;
	add_metadata(call, answer);
	return true;
}

static bool check_policy_name(struct kms_call *call, struct error *error)
{
	const char *name;

	if (!json_read_text_optional(call->body, "PolicyName", &name, error))
		return false;
	if (!name || strcmp(name, POLICY_NAME) == 0)
		return true;
	return kms_fail(call, KMS_NOT_FOUND, error, "PolicyName: the only policy of a key is " POLICY_NAME);
}

bool kms_put_key_policy_handler(struct kms_call *call, json_t *answer, struct error *error)
{
	const char *policy;

	(void)answer;
	return check_policy_name(call, error) && json_read_text(call->body, "Policy", &policy, error) &&
	       check_policy(call, policy, call->key.id, error) &&
	       sim_store_set_policy(call->store, call->key.id, view_of_text(policy), error);
}

bool kms_get_key_policy_handler(struct kms_call *call, json_t *answer, struct error *error)
{
	const struct buffer *policy = &call->key.policy;

	if (!check_policy_name(call, error))
		return false;
	(void)json_object_set_new(answer, "Policy", json_stringn((const char *)policy->data, policy->size));
	(void)json_object_set_new(answer, "PolicyName", json_string(POLICY_NAME));
	return true;
}
