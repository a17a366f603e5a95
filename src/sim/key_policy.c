/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/key_policy.h"

#include <ctype.h>

#include "sim/key_policy_internal.h"

#define IF_EXISTS "IfExists"

static const struct key_policy_operator operators[] = {
	{"StringEquals", COMPARE_EXACT, false},
	{"StringNotEquals", COMPARE_EXACT, true},
	{"StringEqualsIgnoreCase", COMPARE_IGNORE_CASE, false},
	{"StringNotEqualsIgnoreCase", COMPARE_IGNORE_CASE, true},
	{"StringLike", COMPARE_WILDCARD, false},
	{"StringNotLike", COMPARE_WILDCARD, true},
	{"Null", COMPARE_NULL, false},
};

const struct key_policy_operator *key_policy_find_operator(const char *name, bool *ret_if_exists)
{
	size_t size = strlen(name);
	size_t suffix_size = strlen(IF_EXISTS);

	*ret_if_exists = size > suffix_size && strcmp(name + size - suffix_size, IF_EXISTS) == 0;
	if (*ret_if_exists)
		size -= suffix_size;
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		if (strlen(operators[i].name) != size || memcmp(operators[i].name, name, size) != 0)
			continue;
		/* IAM has no NullIfExists: it would say nothing. */
		return operators[i].comparison == COMPARE_NULL && *ret_if_exists ? NULL : &operators[i];
	}
	return NULL;
}

size_t key_policy_value_count(const json_t *element)
{
	return json_is_array(element) ? json_array_size(element) : 1;
}

json_t *key_policy_value_at(json_t *element, size_t index)
{
	return json_is_array(element) ? json_array_get(element, index) : element;
}

static bool same_letter(char a, char b, bool ignore_case)
{
	return a == b || (ignore_case && tolower((unsigned char)a) == tolower((unsigned char)b));
}

/* `*` stands for any run of characters, `?` for any one. Remembers only the last star, so it is quadratic at worst. */
static bool matches_wildcard(const char *pattern, const char *text, bool ignore_case)
{
	const char *star = NULL;
	const char *resume = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			resume = text;
			continue;
		}
		if (*pattern && (*pattern == '?' || same_letter(*pattern, *text, ignore_case))) {
			pattern++;
			text++;
			continue;
		}
		if (!star)
			return false;
		pattern = star + 1;
		text = ++resume;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == 0;
}

static bool any_matches(json_t *element, const char *text, bool ignore_case)
{
	for (size_t i = 0; i < key_policy_value_count(element); i++) {
		if (matches_wildcard(json_string_value(key_policy_value_at(element, i)), text, ignore_case))
			return true;
	}
	return false;
}

static bool is_account_of(const char *principal, const char *account)
{
	const char *root = strstr(principal, ":iam::");

	if (strcmp(principal, account) == 0)
		return true;
	if (!root)
		return false;
	root += strlen(":iam::");
	return strncmp(root, account, strlen(account)) == 0 && strcmp(root + strlen(account), ":root") == 0;
}

static bool principal_matches(json_t *principal, const struct key_policy_request *request)
{
	json_t *list = json_is_object(principal) ? json_object_get(principal, "AWS") : principal;

	for (size_t i = 0; i < key_policy_value_count(list); i++) {
		const char *text = json_string_value(key_policy_value_at(list, i));

		if (strcmp(text, "*") == 0 || strcmp(text, request->principal_arn) == 0 || is_account_of(text, request->account))
			return true;
		if (request->session_arn && strcmp(text, request->session_arn) == 0)
			return true;
	}
	return false;
}

static const char *find_value(const struct key_policy_request *request, const char *key)
{
	for (size_t i = 0; i < request->value_count; i++) {
		if (strcasecmp(request->values[i].key, key) == 0)
			return request->values[i].value;
	}
	if (strcasecmp(key, "aws:PrincipalArn") == 0)
		return request->principal_arn;
	if (strcasecmp(key, "aws:PrincipalAccount") == 0 || strcasecmp(key, "kms:CallerAccount") == 0)
		return request->account;
	return NULL;
}

static bool value_matches(enum key_policy_comparison comparison, const char *wanted, const char *actual)
{
	switch (comparison) {
	case COMPARE_EXACT:
		return strcmp(wanted, actual) == 0;
	case COMPARE_IGNORE_CASE:
		return strcasecmp(wanted, actual) == 0;
	case COMPARE_WILDCARD:
		return matches_wildcard(wanted, actual, false);
	case COMPARE_NULL:
		break;
	}
	return false;
}

static bool null_holds(json_t *wanted, const char *actual)
{
	for (size_t i = 0; i < key_policy_value_count(wanted); i++) {
		json_t *value = key_policy_value_at(wanted, i);
		bool want_missing = json_is_true(value) || (json_is_string(value) && strcmp(json_string_value(value), "true") == 0);

		if (want_missing == !actual)
			return true;
	}
	return false;
}

static bool condition_holds(const struct key_policy_operator *operator, bool if_exists, json_t *wanted, const char *actual)
{
	if (operator->comparison == COMPARE_NULL)
		return null_holds(wanted, actual);
	/* IAM: a missing key fails a positive operator and passes a negated one. */
	if (!actual)
		return if_exists || operator->negated;
	for (size_t i = 0; i < key_policy_value_count(wanted); i++) {
		if (value_matches(operator->comparison, json_string_value(key_policy_value_at(wanted, i)), actual))
			return !operator->negated;
	}
	return operator->negated;
}

static bool conditions_hold(json_t *condition, const struct key_policy_request *request)
{
	const char *operator_name;
	const char *key;
	json_t *keys;
	json_t *wanted;

	json_object_foreach(condition, operator_name, keys)
	{
		bool if_exists;
		const struct key_policy_operator *operator= key_policy_find_operator(operator_name, &if_exists);

		json_object_foreach(keys, key, wanted)
		{
			if (!condition_holds(operator, if_exists, wanted, find_value(request, key)))
				return false;
		}
	}
	return true;
}

static bool statement_applies(json_t *statement, const struct key_policy_request *request)
{
	return principal_matches(json_object_get(statement, "Principal"), request) &&
	       any_matches(json_object_get(statement, "Action"), request->action, true) &&
	       any_matches(json_object_get(statement, "Resource"), request->resource, false) &&
	       conditions_hold(json_object_get(statement, "Condition"), request);
}

enum key_policy_decision key_policy_evaluate(const struct key_policy *policy, const struct key_policy_request *request)
{
	enum key_policy_decision decision = KEY_POLICY_NOT_ALLOWED;
	json_t *statements = json_object_get(policy->document, "Statement");

	for (size_t i = 0; i < key_policy_value_count(statements); i++) {
		json_t *statement = key_policy_value_at(statements, i);

		if (!statement_applies(statement, request))
			continue;
		if (strcmp(json_string_value(json_object_get(statement, "Effect")), "Deny") == 0)
			return KEY_POLICY_DENIED;
		decision = KEY_POLICY_ALLOWED;
	}
	return decision;
}

void key_policy_free(struct key_policy *policy)
{
	if (!policy)
		return;
	json_decref(policy->document);
	free(policy);
}
