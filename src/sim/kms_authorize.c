/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the caller may: key policies, and the simulator's stand-in for identity policies. */
#include "sim/kms_call.h"

/* A condition key's name and value with their memory. */
#define ATTESTATION_KEY_SIZE 48
#define ATTESTATION_KEY_COUNT (NSM_PCR_COUNT + 1)

struct attestation_values {
	char keys[ATTESTATION_KEY_COUNT][ATTESTATION_KEY_SIZE];
	char hex[NSM_PCR_COUNT][NSM_PCR_TEXT_SIZE];
};

/* What the document proves, as condition keys. Returns how many. */
static size_t add_attestation(const struct attestation_document *document, struct attestation_values *memory,
			      struct key_policy_value *ret_values)
{
	size_t count = 0;

	for (unsigned i = 0; i < NSM_PCR_COUNT; i++) {
		if (!(document->pcr_mask >> i & 1))
			continue;
		hex_encode(view_of(document->pcrs[i], NSM_PCR_SIZE), memory->hex[i]);
		(void)snprintf(memory->keys[count], ATTESTATION_KEY_SIZE, "kms:RecipientAttestation:PCR%u", i);
		ret_values[count] = (struct key_policy_value){memory->keys[count], memory->hex[i]};
		count++;
	}
	if (document->pcr_mask & 1)
		ret_values[count++] = (struct key_policy_value){"kms:RecipientAttestation:ImageSha384", memory->hex[0]};
	return count;
}

static size_t add_context(json_t *context, char **ret_names, struct key_policy_value *ret_values)
{
	size_t count = 0;
	const char *name;
	json_t *value;

	json_object_foreach(context, name, value)
	{
		ret_names[count] = memory_format("kms:EncryptionContext:%s", name);
		ret_values[count] = (struct key_policy_value){ret_names[count], json_string_value(value)};
		count++;
	}
	return count;
}

enum key_policy_decision kms_evaluate(const struct kms_call *call, const struct key_policy *policy, const char *action,
				      const char *key_arn)
{
	size_t context_size = json_object_size(call->context);
	AUTO_FREE struct attestation_values *memory = memory_allocate_zeroed(1, sizeof *memory);
	AUTO_FREE struct key_policy_value *values = memory_allocate_zeroed(ATTESTATION_KEY_COUNT + context_size, sizeof *values);
	AUTO_FREE char **names = memory_allocate_zeroed(context_size, sizeof *names);
	struct key_policy_request request = {
		.principal_arn = call->caller.principal_arn,
		.session_arn = call->caller.session_arn[0] ? call->caller.session_arn : NULL,
		.account = call->account,
		.action = action,
		.resource = key_arn,
		.values = values,
	};
	enum key_policy_decision decision;

	if (call->recipient.present)
		request.value_count = add_attestation(&call->recipient.document, memory, values);
	request.value_count += add_context(call->context, names, values + request.value_count);
	decision = key_policy_evaluate(policy, &request);
	for (size_t i = 0; i < context_size; i++)
		free(names[i]);
	return decision;
}

/* The texts are KMS's: they do not say whether attestation was the cause. */
static bool authorize_key(struct kms_call *call, struct error *error)
{
	AUTO_KEY_POLICY struct key_policy *policy = key_policy_parse(buffer_view(&call->key.policy), error);
	const char *action = call->operation->action;
	const char *caller = sim_identity_arn(&call->caller);
	char arn[SIM_ARN_SIZE];
	enum key_policy_decision decision;

	if (!policy)
		return kms_fail(call, KMS_INTERNAL, error, "the stored policy is malformed");
	kms_key_arn(call, call->key.id, arn);
	decision = kms_evaluate(call, policy, action, arn);
	if (decision == KEY_POLICY_DENIED)
		return kms_fail(call, KMS_ACCESS_DENIED, error,
				"User: %s is not authorized to perform: %s on resource: %s with an explicit deny in a "
				"resource-based policy",
				caller, action, arn);
	if (decision == KEY_POLICY_NOT_ALLOWED)
		return kms_fail(call, KMS_ACCESS_DENIED, error,
				"User: %s is not authorized to perform: %s on resource: %s because no resource-based policy "
				"allows the %s action",
				caller, action, arn, action);
	return true;
}

/* The simulator has no identity policies. It acts as if the operator had one for everything and the rest had none. */
static bool authorize_account(struct kms_call *call, struct error *error)
{
	const char *action = call->operation->action;

	if (call->operation->resource != KMS_RESOURCE_OPERATOR || strcmp(call->caller.principal_arn, call->operator_arn) == 0)
		return true;
	return kms_fail(call, KMS_ACCESS_DENIED, error,
			"User: %s is not authorized to perform: %s because no identity-based policy allows the %s action",
			sim_identity_arn(&call->caller), action, action);
}

bool kms_authorize(struct kms_call *call, struct error *error)
{
	return call->key.id[0] ? authorize_key(call, error) : authorize_account(call, error);
}
