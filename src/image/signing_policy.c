/* SPDX-License-Identifier: Apache-2.0 */
#include "image/signing_policy.h"

/* What stands behind every policy's own rules. The last one fits everything. */
static const struct built_in_rule {
	const char *name;
	bool is_allow;
	uint32_t types;
} built_in_rules[] = {
	{"default-exits", false, ARTIFACT_BIT(ARTIFACT_VOLUNTARY_EXIT)},
	{"default-deposits", false, ARTIFACT_BIT(ARTIFACT_DEPOSIT)},
	{"default-allow", true, ARTIFACT_ALL},
};

void signing_policy_done(struct signing_policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->count; i++) {
		free(policy->rules[i].common_names.items);
		free(policy->rules[i].fingerprints.items);
		free(policy->rules[i].keys.items);
	}
	free(policy->rules);
	*policy = (struct signing_policy){0};
}

static bool set_has(const struct signing_policy_set *set, const void *item)
{
	size_t low = 0;
	size_t high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(item, set->items + middle * set->item_size, set->item_size);

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static bool fits_client(const struct signing_policy_rule *rule, const struct signing_policy_client *client)
{
	char common_name[SIGNING_POLICY_COMMON_NAME_SIZE] = {0};

	if (rule->is_for_any_client)
		return true;
	if (!client->has_certificate)
		return false;
	memcpy(common_name, client->common_name, strnlen(client->common_name, sizeof common_name - 1));
	return set_has(&rule->common_names, common_name) || set_has(&rule->fingerprints, client->fingerprint);
}

static bool fits(const struct signing_policy_rule *rule, const struct signing_policy_client *client, const uint8_t *key)
{
	return fits_client(rule, client) && (rule->is_for_any_key || set_has(&rule->keys, key));
}

struct signing_policy_decision signing_policy_decide(const struct signing_policy *policy,
						     const struct signing_policy_client *client, uint32_t artifact_type,
						     const uint8_t key[BLS_PUBLIC_KEY_SIZE])
{
	uint32_t bit = artifact_type < ARTIFACT_TYPE_COUNT ? ARTIFACT_BIT(artifact_type) : 0;
	const struct built_in_rule *last = built_in_rules;

	for (size_t i = 0; i < policy->count; i++) {
		const struct signing_policy_rule *rule = &policy->rules[i];

		if ((rule->types & bit) && fits(rule, client, key))
			return (struct signing_policy_decision){rule->is_allow, rule->name};
	}
	while (last < &built_in_rules[ARRAY_SIZE(built_in_rules) - 1] && !(last->types & bit))
		last++;
	return (struct signing_policy_decision){last->is_allow && (last->types & bit), last->name};
}

/* Of the types that no rule before has decided. */
static uint32_t types_by_default(uint32_t undecided)
{
	uint32_t allowed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(built_in_rules); i++) {
		if (built_in_rules[i].is_allow)
			allowed |= undecided & built_in_rules[i].types;
		undecided &= ~built_in_rules[i].types;
	}
	return allowed;
}

uint32_t signing_policy_types_for(const struct signing_policy *policy, const struct signing_policy_client *client,
				  const uint8_t key[BLS_PUBLIC_KEY_SIZE])
{
	uint32_t undecided = ARTIFACT_ALL;
	uint32_t allowed = 0;

	for (size_t i = 0; i < policy->count && undecided; i++) {
		const struct signing_policy_rule *rule = &policy->rules[i];

		if (!fits(rule, client, key))
			continue;
		if (rule->is_allow)
			allowed |= undecided & rule->types;
		undecided &= ~rule->types;
	}
	return allowed | types_by_default(undecided);
}

uint32_t signing_policy_types(const struct signing_policy *policy)
{
	uint32_t undecided = ARTIFACT_ALL;
	uint32_t allowed = 0;

	for (size_t i = 0; i < policy->count; i++) {
		const struct signing_policy_rule *rule = &policy->rules[i];

		if (rule->is_allow)
			allowed |= undecided & rule->types;
		/* Behind a rule for everybody and every key nothing is left to be decided; behind any other there may be. */
		if (rule->is_for_any_client && rule->is_for_any_key)
			undecided &= ~rule->types;
	}
	return allowed | types_by_default(undecided);
}

bool signing_policy_names_clients(const struct signing_policy *policy)
{
	for (size_t i = 0; i < policy->count; i++) {
		if (!policy->rules[i].is_for_any_client)
			return true;
	}
	return false;
}
