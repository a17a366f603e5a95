/* SPDX-License-Identifier: Apache-2.0 */
#include "image/signing_policy.h"

#include "image/configuration.h"

#define ANY "*"
#define FINGERPRINT_PREFIX "sha256:"
#define RESERVED_PREFIX "default-"
#define KEY_TEXT_SIZE (2 + 2 * BLS_PUBLIC_KEY_SIZE + 1)
#define FINGERPRINT_TEXT_SIZE (sizeof FINGERPRINT_PREFIX + 2 * (size_t)SIGNING_POLICY_FINGERPRINT_SIZE)

static const char *const policy_members[] = {"rules"};
static const char *const rule_members[] = {"name", "effect", "clients", "types", "keys"};

/* ---- sets ---- */

static int compare_items(const void *a, const void *b, void *item_size)
{
	return memcmp(a, b, *(const size_t *)item_size);
}

static void set_reserve(struct signing_policy_set *set, size_t item_size, size_t count)
{
	set->item_size = item_size;
	set->items = (uint8_t *)memory_allocate_zeroed(count, item_size);
}

static uint8_t *set_append(struct signing_policy_set *set)
{
	return set->items + set->count++ * set->item_size;
}

static void set_finish(struct signing_policy_set *set)
{
	size_t size = set->item_size;
	size_t kept = 0;

	if (set->count == 0)
		return;
	qsort_r(set->items, set->count, size, compare_items, &size);
	for (size_t i = 1; i < set->count; i++) {
		if (memcmp(set->items + kept * size, set->items + i * size, size) == 0)
			continue;
		kept++;
		memmove(set->items + kept * size, set->items + i * size, size);
	}
	set->count = kept + 1;
}

/* ---- reading ---- */

/* The names of clients, types or keys: "*", or a list of texts. */
static bool read_list(json_t *rule, const char *name, size_t max, bool *ret_any, json_t **ret_list, struct error *error)
{
	json_t *value = json_object_get(rule, name);

	*ret_any = json_is_string(value) && strcmp(json_string_value(value), ANY) == 0;
	*ret_list = NULL;
	if (*ret_any)
		return true;
	if (!value)
		return error_set(error, ERROR_INPUT, "%s: missing", name);
	if (!json_is_array(value))
		return error_set(error, ERROR_INPUT, "%s: neither \"" ANY "\" nor an array", name);
	if (json_array_size(value) == 0 || json_array_size(value) > max)
		return error_set(error, ERROR_INPUT, "%s: %zu of them; 1 to %zu are allowed", name, json_array_size(value), max);
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (!json_is_string(json_array_get(value, i)))
			return error_set(error, ERROR_INPUT, "%s[%zu]: not a string", name, i);
	}
	*ret_list = value;
	return true;
}

bool signing_policy_parse_fingerprint(const char *text, uint8_t ret_fingerprint[SIGNING_POLICY_FINGERPRINT_SIZE],
				      struct error *error)
{
	char hex[2 * SIGNING_POLICY_FINGERPRINT_SIZE];
	size_t count = 0;

	if (strncasecmp(text, FINGERPRINT_PREFIX, strlen(FINGERPRINT_PREFIX)) == 0)
		text += strlen(FINGERPRINT_PREFIX);
	for (; *text; text++) {
		if (*text == ':')
			continue;
		if (count == sizeof hex)
			return error_set(error, ERROR_INPUT, "not the 64 hex digits of a fingerprint");
		hex[count++] = *text;
	}
	if (count != sizeof hex || !hex_decode(view_of(hex, count), ret_fingerprint, SIGNING_POLICY_FINGERPRINT_SIZE))
		return error_set(error, ERROR_INPUT, "not the 64 hex digits of a fingerprint");
	return true;
}

/* Names with other letters can be told apart by fingerprint; there is more than one way to write them. */
static bool is_plain_name(const char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	}
	return true;
}

static bool read_client(const char *text, struct signing_policy_rule *rule, struct error *error)
{
	size_t size = strlen(text);

	if (strncasecmp(text, FINGERPRINT_PREFIX, strlen(FINGERPRINT_PREFIX)) == 0)
		return signing_policy_parse_fingerprint(text, set_append(&rule->fingerprints), error);
	if (size == 0 || size >= SIGNING_POLICY_COMMON_NAME_SIZE || !is_plain_name(text))
		return error_set(error, ERROR_INPUT,
				 "a common name has 1 to %d characters of printable ASCII without quotes and backslashes",
				 SIGNING_POLICY_COMMON_NAME_SIZE - 1);
	if (strcmp(text, ANY) == 0)
		return error_set(error, ERROR_INPUT, "\"" ANY "\" stands alone, not in a list");
	memcpy(set_append(&rule->common_names), text, size);
	return true;
}

static bool read_clients(json_t *object, struct signing_policy_rule *rule, struct error *error)
{
	json_t *list;

	if (!read_list(object, "clients", SIGNING_POLICY_CLIENTS_MAX, &rule->is_for_any_client, &list, error))
		return false;
	set_reserve(&rule->common_names, SIGNING_POLICY_COMMON_NAME_SIZE, json_array_size(list));
	set_reserve(&rule->fingerprints, SIGNING_POLICY_FINGERPRINT_SIZE, json_array_size(list));
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (!read_client(json_string_value(json_array_get(list, i)), rule, error))
			return error_prefix(error, "clients[%zu]", i);
	}
	set_finish(&rule->common_names);
	set_finish(&rule->fingerprints);
	return true;
}

static bool read_types(json_t *object, struct signing_policy_rule *rule, struct error *error)
{
	bool is_any;
	json_t *list;

	/* Some types have two names. */
	if (!read_list(object, "types", 2 * (size_t)ARTIFACT_TYPE_COUNT, &is_any, &list, error))
		return false;
	if (is_any)
		rule->types = ARTIFACT_ALL;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));
		enum artifact_type type;

		if (!artifact_type_parse(name, &type))
			return error_set(error, ERROR_INPUT, "types[%zu]: \"%.64s\" is no type of the signing API", i, name);
		rule->types |= ARTIFACT_BIT(type);
	}
	return true;
}

static bool read_keys(json_t *object, struct signing_policy_rule *rule, struct error *error)
{
	json_t *list;

	if (!read_list(object, "keys", SIGNING_POLICY_KEYS_MAX, &rule->is_for_any_key, &list, error))
		return false;
	set_reserve(&rule->keys, BLS_PUBLIC_KEY_SIZE, json_array_size(list));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!hex_decode(view_of_text(text), set_append(&rule->keys), BLS_PUBLIC_KEY_SIZE))
			return error_set(error, ERROR_INPUT, "keys[%zu]: not a BLS public key (0x and 96 hex digits)", i);
	}
	set_finish(&rule->keys);
	return true;
}

static bool read_name(json_t *object, const struct signing_policy *policy, struct signing_policy_rule *rule, struct error *error)
{
	const char *name;
	size_t size;

	if (!json_read_text(object, "name", &name, error))
		return false;
	size = strlen(name);
	if (size == 0 || size >= SIGNING_POLICY_NAME_SIZE ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != size)
		return error_set(error, ERROR_INPUT, "name: not of 1 to %d letters, digits, dots, hyphens and underscores",
				 SIGNING_POLICY_NAME_SIZE - 1);
	if (strncmp(name, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0)
		return error_set(error, ERROR_INPUT, "name: those that begin with " RESERVED_PREFIX " are of the built-in rules");
	for (size_t i = 0; i < policy->count; i++) {
		if (strcmp(policy->rules[i].name, name) == 0)
			return error_set(error, ERROR_INPUT, "name: rules[%zu] is called %s too", i, name);
	}
	memcpy(rule->name, name, size + 1);
	return true;
}

static bool read_effect(json_t *object, struct signing_policy_rule *rule, struct error *error)
{
	const char *effect;

	if (!json_read_text(object, "effect", &effect, error))
		return false;
	rule->is_allow = strcmp(effect, "allow") == 0;
	return rule->is_allow || strcmp(effect, "deny") == 0 || error_set(error, ERROR_INPUT, "effect: neither allow nor deny");
}

/* Into the place behind the policy's last rule, which it counts at once: whoever frees the policy frees this one too. */
static bool read_rule(json_t *object, struct signing_policy *policy, struct error *error)
{
	struct signing_policy_rule *rule = &policy->rules[policy->count];

	if (!json_is_object(object))
		return error_set(error, ERROR_INPUT, "not an object");
	if (!json_check_members(object, rule_members, ARRAY_SIZE(rule_members), error) || !read_name(object, policy, rule, error))
		return false;
	policy->count++;
	return read_effect(object, rule, error) && read_clients(object, rule, error) && read_types(object, rule, error) &&
	       read_keys(object, rule, error);
}

bool signing_policy_read(json_t *object, struct signing_policy *ret_policy, struct error *error)
{
	AUTO_SIGNING_POLICY struct signing_policy policy = {0};
	json_t *rules, *rule;
	size_t i;

	if (!json_check_members(object, policy_members, ARRAY_SIZE(policy_members), error) ||
	    !json_read_array(object, "rules", &rules, error))
		return false;
	if (json_array_size(rules) > SIGNING_POLICY_RULES_MAX)
		return error_set(error, ERROR_INPUT, "rules: %zu of them; at most %d are allowed", json_array_size(rules),
				 SIGNING_POLICY_RULES_MAX);
	policy.rules = (struct signing_policy_rule *)memory_allocate_zeroed(json_array_size(rules) + 1, sizeof *policy.rules);
	json_array_foreach(rules, i, rule)
	{
		if (!read_rule(rule, &policy, error))
			return error_prefix(error, "rules[%zu]", i);
	}
	*ret_policy = policy;
	policy = (struct signing_policy){0};
	return true;
}

bool signing_policy_parse(struct view json, struct signing_policy *ret_policy, struct error *error)
{
	AUTO_JSON json_t *object = NULL;

	if (json.size > CONFIGURATION_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "policy: larger than %u bytes", CONFIGURATION_MAX_SIZE);
	object = json_parse_object(json, "policy", error);
	return object && signing_policy_read(object, ret_policy, error);
}

/* ---- writing ---- */

static json_t *types_json(uint32_t types)
{
	json_t *list;

	if (types == ARTIFACT_ALL)
		return json_string(ANY);
	list = json_array();
	for (uint32_t type = 0; type < ARTIFACT_TYPE_COUNT; type++) {
		if (types & ARTIFACT_BIT(type))
			(void)json_array_append_new(list, json_string(artifact_type_name(type)));
	}
	return list;
}

static json_t *clients_json(const struct signing_policy_rule *rule)
{
	json_t *list;

	if (rule->is_for_any_client)
		return json_string(ANY);
	list = json_array();
	for (size_t i = 0; i < rule->common_names.count; i++)
		(void)json_array_append_new(list,
					    json_string((const char *)rule->common_names.items + i * rule->common_names.item_size));
	for (size_t i = 0; i < rule->fingerprints.count; i++) {
		char text[FINGERPRINT_TEXT_SIZE] = FINGERPRINT_PREFIX;

		hex_encode(view_of(rule->fingerprints.items + i * rule->fingerprints.item_size, rule->fingerprints.item_size),
			   text + strlen(FINGERPRINT_PREFIX));
		(void)json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *keys_json(const struct signing_policy_rule *rule)
{
	json_t *list;

	if (rule->is_for_any_key)
		return json_string(ANY);
	list = json_array();
	for (size_t i = 0; i < rule->keys.count; i++) {
		char text[KEY_TEXT_SIZE] = "0x";

		hex_encode(view_of(rule->keys.items + i * rule->keys.item_size, rule->keys.item_size), text + 2);
		(void)json_array_append_new(list, json_string(text));
	}
	return list;
}

json_t *signing_policy_json_new(const struct signing_policy *policy)
{
	json_t *object = json_object();
	json_t *rules = json_array();

	for (size_t i = 0; i < policy->count; i++) {
		const struct signing_policy_rule *rule = &policy->rules[i];
		json_t *entry = json_object();

		(void)json_object_set_new(entry, "name", json_string(rule->name));
		(void)json_object_set_new(entry, "effect", json_string(rule->is_allow ? "allow" : "deny"));
		(void)json_object_set_new(entry, "clients", clients_json(rule));
		(void)json_object_set_new(entry, "types", types_json(rule->types));
		(void)json_object_set_new(entry, "keys", keys_json(rule));
		(void)json_array_append_new(rules, entry);
	}
	(void)json_object_set_new(object, "rules", rules);
	return object;
}
