/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "sim/key_policy_internal.h"

#define ACCOUNT_DIGITS 12
#define ATTESTATION_KEY_PREFIX "kms:RecipientAttestation:"
#define ENCRYPTION_CONTEXT_PREFIX "kms:EncryptionContext:"
#define PCR_COUNT 32

/* An element of a JSON object: its name, whether it must be there, and what its value must be like. */
struct element {
	const char *name;
	bool required;
	bool (*check)(json_t *value, struct error *error);
};

static bool starts_with_ignoring_case(const char *text, const char *prefix)
{
	return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/* Every member is known and well-formed, and none that is required is missing. */
static bool check_elements(json_t *object, const struct element *elements, size_t count, struct error *error)
{
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return error_set(error, ERROR_INPUT, "not a JSON object");
	for (size_t i = 0; i < count; i++) {
		if (elements[i].required && !json_object_get(object, elements[i].name))
			return error_set(error, ERROR_INPUT, "%s: missing", elements[i].name);
	}
	json_object_foreach(object, name, value)
	{
		size_t i = 0;

		while (i < count && strcmp(elements[i].name, name) != 0)
			i++;
		if (i == count)
			return error_set(error, ERROR_INPUT, "%.64s: unsupported element", name);
		if (!elements[i].check(value, error))
			return error_prefix(error, "%s", name);
	}
	return true;
}

/* A string, or a list of at least one string, each of which passes. */
static bool check_texts(json_t *element, bool (*check)(const char *text, struct error *error), struct error *error)
{
	if (key_policy_value_count(element) == 0)
		return error_set(error, ERROR_INPUT, "an empty list");
	for (size_t i = 0; i < key_policy_value_count(element); i++) {
		json_t *value = key_policy_value_at(element, i);

		if (!json_is_string(value))
			return error_set(error, ERROR_INPUT, "neither a string nor a list of strings");
		/* Variables would have to be expanded; taken literally they would mean something else than in KMS. */
		if (strstr(json_string_value(value), "${"))
			return error_set(error, ERROR_INPUT, "policy variables are unsupported");
		if (!check(json_string_value(value), error))
			return false;
	}
	return true;
}

static bool check_any_string(json_t *value, struct error *error)
{
	return json_is_string(value) || error_set(error, ERROR_INPUT, "not a string");
}

static bool check_version(json_t *value, struct error *error)
{
	const char *text = json_string_value(value);

	if (text && (strcmp(text, "2012-10-17") == 0 || strcmp(text, "2008-10-17") == 0))
		return true;
	return error_set(error, ERROR_INPUT, "neither 2012-10-17 nor 2008-10-17");
}

static bool check_effect(json_t *value, struct error *error)
{
	const char *text = json_string_value(value);

	if (text && (strcmp(text, "Allow") == 0 || strcmp(text, "Deny") == 0))
		return true;
	return error_set(error, ERROR_INPUT, "neither Allow nor Deny");
}

static bool is_account(const char *text)
{
	return strspn(text, "0123456789") == ACCOUNT_DIGITS && text[ACCOUNT_DIGITS] == 0;
}

/* arn:PARTITION:iam::ACCOUNT:root, …:user/NAME, …:role/NAME, or arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION. */
static bool is_principal_arn(const char *text)
{
	static const struct {
		const char *service;
		const char *kind;
		bool named;
	} kinds[] = {{":iam::", ":root", false},
		     {":iam::", ":user/", true},
		     {":iam::", ":role/", true},
		     {":sts::", ":assumed-role/", true}};
	const char *partition = text + strlen("arn:");
	const char *service;

	if (strncmp(text, "arn:aws", strlen("arn:aws")) != 0 || strpbrk(text, "*?"))
		return false;
	service = partition + strcspn(partition, ":");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *account = service + strlen(kinds[i].service);
		const char *kind;

		if (strncmp(service, kinds[i].service, strlen(kinds[i].service)) != 0)
			continue;
		if (strspn(account, "0123456789") != ACCOUNT_DIGITS)
			return false;
		kind = account + ACCOUNT_DIGITS;
		if (strncmp(kind, kinds[i].kind, strlen(kinds[i].kind)) == 0 &&
		    (kind[strlen(kinds[i].kind)] != 0) == kinds[i].named)
			return true;
	}
	return false;
}

static bool check_principal_text(const char *text, struct error *error)
{
	if (strcmp(text, "*") == 0 || is_account(text) || is_principal_arn(text))
		return true;
	return error_set(error, ERROR_INPUT, "\"%.128s\" is neither *, nor an account, nor an IAM ARN without wildcards", text);
}

static bool check_principal_list(json_t *value, struct error *error)
{
	return check_texts(value, check_principal_text, error);
}

static bool check_principal(json_t *value, struct error *error)
{
	static const struct element elements[] = {{"AWS", true, check_principal_list}};

	if (json_is_string(value) && strcmp(json_string_value(value), "*") == 0)
		return true;
	return check_elements(value, elements, ARRAY_SIZE(elements), error);
}

static bool check_action_text(const char *text, struct error *error)
{
	if (strcmp(text, "*") == 0 || (starts_with_ignoring_case(text, "kms:") && text[strlen("kms:")] != 0))
		return true;
	return error_set(error, ERROR_INPUT, "\"%.128s\" is neither * nor kms:…", text);
}

static bool check_action(json_t *value, struct error *error)
{
	return check_texts(value, check_action_text, error);
}

static bool check_resource_text(const char *text, struct error *error)
{
	if (strcmp(text, "*") == 0 || strncmp(text, "arn:", strlen("arn:")) == 0)
		return true;
	return error_set(error, ERROR_INPUT, "\"%.128s\" is neither * nor an ARN", text);
}

static bool check_resource(json_t *value, struct error *error)
{
	return check_texts(value, check_resource_text, error);
}

static bool is_pcr_name(const char *text)
{
	uint64_t index;

	if (strncasecmp(text, "PCR", 3) != 0 || !u64_parse(view_of_text(text + 3), &index))
		return false;
	/* "PCR07" is not a key of KMS. */
	return index < PCR_COUNT && strlen(text + 3) == (index < 10 ? 1 : 2);
}

static bool is_condition_key(const char *key)
{
	static const char *const plain[] = {"aws:PrincipalArn", "aws:PrincipalAccount", "kms:CallerAccount",
					    ATTESTATION_KEY_PREFIX "ImageSha384"};

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		if (strcasecmp(plain[i], key) == 0)
			return true;
	}
	if (starts_with_ignoring_case(key, ENCRYPTION_CONTEXT_PREFIX))
		return key[strlen(ENCRYPTION_CONTEXT_PREFIX)] != 0;
	return starts_with_ignoring_case(key, ATTESTATION_KEY_PREFIX) && is_pcr_name(key + strlen(ATTESTATION_KEY_PREFIX));
}

static bool check_any_text(const char *text, struct error *error)
{
	(void)text;
	(void)error;
	return true;
}

static bool check_null_values(json_t *element, struct error *error)
{
	if (key_policy_value_count(element) == 0)
		return error_set(error, ERROR_INPUT, "an empty list");
	for (size_t i = 0; i < key_policy_value_count(element); i++) {
		json_t *value = key_policy_value_at(element, i);
		const char *text = json_string_value(value);

		if (!json_is_boolean(value) && !(text && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)))
			return error_set(error, ERROR_INPUT, "neither true nor false");
	}
	return true;
}

static bool check_condition_keys(const struct key_policy_operator *operator, json_t * keys, struct error *error)
{
	const char *key;
	json_t *values;

	if (!json_is_object(keys) || json_object_size(keys) == 0)
		return error_set(error, ERROR_INPUT, "not an object of condition keys");
	json_object_foreach(keys, key, values)
	{
		bool ok = operator->comparison == COMPARE_NULL ? check_null_values(values, error)
							       : check_texts(values, check_any_text, error);

		if (!ok)
			return error_prefix(error, "%.128s", key);
		if (!is_condition_key(key))
			return error_set(error, ERROR_INPUT, "%.128s: unsupported condition key", key);
	}
	return true;
}

static bool check_condition(json_t *value, struct error *error)
{
	const char *name;
	json_t *keys;

	if (!json_is_object(value))
		return error_set(error, ERROR_INPUT, "not an object of operators");
	json_object_foreach(value, name, keys)
	{
		bool if_exists;
		const struct key_policy_operator *operator= key_policy_find_operator(name, &if_exists);

		if (!operator)
			return error_set(error, ERROR_INPUT, "%.64s: unsupported operator", name);
		if (!check_condition_keys(operator, keys, error))
			return error_prefix(error, "%s", name);
	}
	return true;
}

static const struct element statement_elements[] = {
	{"Sid", false, check_any_string}, {"Effect", true, check_effect},     {"Principal", true, check_principal},
	{"Action", true, check_action},   {"Resource", true, check_resource}, {"Condition", false, check_condition},
};

static bool check_statements(json_t *statements, struct error *error)
{
	if (key_policy_value_count(statements) == 0)
		return error_set(error, ERROR_INPUT, "an empty list");
	for (size_t i = 0; i < key_policy_value_count(statements); i++) {
		if (!check_elements(key_policy_value_at(statements, i), statement_elements, ARRAY_SIZE(statement_elements), error))
			return error_prefix(error, "[%zu]", i);
	}
	return true;
}

static const struct element document_elements[] = {
	{"Version", false, check_version},
	{"Id", false, check_any_string},
	{"Statement", true, check_statements},
};

struct key_policy *key_policy_parse(struct view text, struct error *error)
{
	AUTO_JSON json_t *document = NULL;
	struct key_policy *policy;

	if (text.size > KEY_POLICY_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "policy: %zu bytes, at most %d are allowed", text.size, KEY_POLICY_MAX_SIZE),
		       NULL;
	document = json_parse_object(text, "policy", error);
	if (!document)
		return NULL;
	if (!check_elements(document, document_elements, ARRAY_SIZE(document_elements), error))
		return error_prefix(error, "policy"), NULL;
	policy = memory_allocate_zeroed(1, sizeof *policy);
	policy->document = json_incref(document);
	return policy;
}
