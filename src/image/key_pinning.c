/* SPDX-License-Identifier: Apache-2.0 */
#include "image/key_pinning.h"

#include <fnmatch.h>

#include "attestation/document.h"
#include "image/measurement.h"

#define SID_PREFIX "Ensign"
#define SID_ADMINISTERS SID_PREFIX "Administers"
#define SID_USES SID_PREFIX "TheseImagesUseIt"
#define SID_DENIES SID_PREFIX "NobodyElseDecrypts"
#define SID_SEALS SID_PREFIX "SealsNewKeys"
#define SID_SEALS_TLS SID_PREFIX "SealsTLSKeys"

#define ATTESTATION_PREFIX "kms:RecipientAttestation:"
#define IMAGE_KEY ATTESTATION_PREFIX "ImageSha384"
#define ROLE_KEY ATTESTATION_PREFIX "PCR3"
#define SIGNER_KEY ATTESTATION_PREFIX "PCR8"

/* Everything but the use of the key; grants are a use by others. */
static const char *const admin_actions[] = {
	"kms:CreateAlias", "kms:Describe*",     "kms:Enable*",  "kms:List*",   "kms:Put*",
	"kms:Update*",     "kms:Revoke*",       "kms:Disable*", "kms:Get*",    "kms:Delete*",
	"kms:TagResource", "kms:UntagResource", "kms:Rotate*",  "kms:Cancel*", "kms:Schedule*",
};
/* What takes an attestation document. */
static const char *const enclave_actions[] = {"kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair"};
static const char *const seal_actions[] = {"kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"};
static const char *const seal_tls_actions[] = {"kms:Encrypt"};
static const char *const deny_actions[] = {"kms:Decrypt"};

/* ---- measurements ---- */

static bool read_pcr(const char *name, const char *hex, char ret_hex[NSM_PCR_TEXT_SIZE], struct error *error)
{
	static const uint8_t zero[NSM_PCR_SIZE];
	uint8_t pcr[NSM_PCR_SIZE];

	if (!attestation_parse_pcr(name, hex, pcr, error))
		return false;
	if (memcmp(pcr, zero, sizeof pcr) == 0)
		return error_set(error, ERROR_POLICY,
				 "%s: all zero, which is any enclave in debug mode; its parent can read its memory", name);
	hex_encode(view_of(pcr, sizeof pcr), ret_hex);
	return true;
}

bool key_pinning_add_pcr0(struct key_pinning *pinning, const char *hex, struct error *error)
{
	char text[NSM_PCR_TEXT_SIZE];

	if (!read_pcr("PCR0", hex, text, error))
		return false;
	for (size_t i = 0; i < pinning->pcr0_count; i++) {
		if (strcmp(pinning->pcr0[i], text) == 0)
			return true;
	}
	if (pinning->pcr0_count == KEY_PINNING_IMAGES_MAX)
		return error_set(error, ERROR_INPUT, "PCR0: more than %d images", KEY_PINNING_IMAGES_MAX);
	memcpy(pinning->pcr0[pinning->pcr0_count++], text, sizeof text);
	return true;
}

bool key_pinning_set_pcr8(struct key_pinning *pinning, const char *hex, struct error *error)
{
	return read_pcr("PCR8", hex, pinning->pcr8, error);
}

/* ---- statements ---- */

static json_t *texts_of(const char *const *texts, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(list, json_string(texts[i]));
	return list;
}

static json_t *statement_of(const char *sid, const char *effect, const char *principal_arn, const char *const *actions,
			    size_t count)
{
	json_t *principal = principal_arn ? json_pack("{s:s}", "AWS", principal_arn) : json_string("*");

	return json_pack("{s:s, s:s, s:o, s:o, s:s}", "Sid", sid, "Effect", effect, "Principal", principal, "Action",
			 texts_of(actions, count), "Resource", "*");
}

/* {"kms:RecipientAttestation:ImageSha384": [...]}, or of PCR8. */
static json_t *images_of(const struct key_pinning *pinning)
{
	json_t *list = json_array();

	if (pinning->pcr8[0])
		return json_decref(list), json_pack("{s:s}", SIGNER_KEY, pinning->pcr8);
	for (size_t i = 0; i < pinning->pcr0_count; i++)
		(void)json_array_append_new(list, json_string(pinning->pcr0[i]));
	return json_pack("{s:o}", IMAGE_KEY, list);
}

static json_t *use_statement(const struct key_pinning *pinning)
{
	json_t *statement = statement_of(SID_USES, "Allow", pinning->role_arn, enclave_actions, ARRAY_SIZE(enclave_actions));
	json_t *condition = images_of(pinning);
	uint8_t role_pcr[NSM_PCR_SIZE];

	measurement_extend_text(pinning->role_arn, role_pcr);
	(void)json_object_set_new(condition, ROLE_KEY, json_text_of_hex("", view_of(role_pcr, sizeof role_pcr)));
	(void)json_object_set_new(statement, "Condition", json_pack("{s:o}", "StringEqualsIgnoreCase", condition));
	return statement;
}

static json_t *deny_statement(const struct key_pinning *pinning)
{
	json_t *statement = statement_of(SID_DENIES, "Deny", NULL, deny_actions, ARRAY_SIZE(deny_actions));

	(void)json_object_set_new(statement, "Condition", json_pack("{s:o}", "StringNotEqualsIgnoreCase", images_of(pinning)));
	return statement;
}

/* The list of a policy; a policy may have one statement without a list. A new reference. */
static json_t *statements_of(json_t *policy, struct error *error)
{
	json_t *statements = json_object_get(policy, "Statement");

	if (json_is_array(statements))
		return json_incref(statements);
	if (json_is_object(statements))
		return json_pack("[O]", statements);
	return (void)error_set(error, ERROR_INPUT, "Statement: neither a list nor an object"), NULL;
}

static bool is_ours(json_t *statement)
{
	const char *sid = json_string_value(json_object_get(statement, "Sid"));

	return sid && strncmp(sid, SID_PREFIX, strlen(SID_PREFIX)) == 0;
}

static bool append_others(json_t *before, json_t *list, struct error *error)
{
	AUTO_JSON json_t *statements = before ? statements_of(before, error) : NULL;
	json_t *statement;
	size_t index;

	if (before && !statements)
		return false;
	json_array_foreach(statements, index, statement)
	{
		if (!is_ours(statement))
			(void)json_array_append(list, statement);
	}
	return true;
}

json_t *key_pinning_to_policy(const struct key_pinning *pinning, json_t *before, struct error *error)
{
	AUTO_JSON json_t *list = json_array();

	if (!pinning->role_arn)
		return (void)error_set(error, ERROR_INPUT, "role: missing; whose enclaves use the key?"), NULL;
	if ((pinning->pcr0_count == 0) == (pinning->pcr8[0] == 0))
		return (void)error_set(error, ERROR_INPUT, "PCR0 or PCR8: give one of them"), NULL;
	if (pinning->admin_arn)
		(void)json_array_append_new(
			list, statement_of(SID_ADMINISTERS, "Allow", pinning->admin_arn, admin_actions, ARRAY_SIZE(admin_actions)));
	(void)json_array_append_new(list, use_statement(pinning));
	(void)json_array_append_new(list, deny_statement(pinning));
	if (pinning->keygen_arn)
		(void)json_array_append_new(
			list, statement_of(SID_SEALS, "Allow", pinning->keygen_arn, seal_actions, ARRAY_SIZE(seal_actions)));
	if (pinning->tls_sealer_arn)
		(void)json_array_append_new(list, statement_of(SID_SEALS_TLS, "Allow", pinning->tls_sealer_arn, seal_tls_actions,
							       ARRAY_SIZE(seal_tls_actions)));
	return append_others(before, list, error) ? json_pack("{s:s, s:O}", "Version", "2012-10-17", "Statement", list) : NULL;
}

/* ---- reading ---- */

static json_t *find_ours(json_t *policy, const char *wanted)
{
	struct error ignored;
	AUTO_JSON json_t *statements = statements_of(policy, &ignored);
	json_t *statement;
	size_t index;

	json_array_foreach(statements, index, statement)
	{
		const char *sid = json_string_value(json_object_get(statement, "Sid"));

		if (sid && strcmp(sid, wanted) == 0)
			return statement;
	}
	return NULL;
}

/* A value or a list of them. */
static size_t value_count(json_t *element)
{
	return json_is_array(element) ? json_array_size(element) : element != NULL;
}

static const char *value_at(json_t *element, size_t index)
{
	const char *text = json_string_value(json_is_array(element) ? json_array_get(element, index) : element);

	return text ? text : "";
}

static const char *who_of(json_t *statement)
{
	return json_string_value(json_object_get(json_object_get(statement, "Principal"), "AWS"));
}

bool key_pinning_of_policy(json_t *policy, struct key_pinning *ret_pinning, struct error *error)
{
	json_t *statement = find_ours(policy, SID_USES);
	json_t *conditions = json_object_get(json_object_get(statement, "Condition"), "StringEqualsIgnoreCase");
	json_t *images = json_object_get(conditions, IMAGE_KEY);
	json_t *signer = json_object_get(conditions, SIGNER_KEY);
	struct key_pinning pinning = {
		.role_arn = who_of(statement),
		.keygen_arn = who_of(find_ours(policy, SID_SEALS)),
		.tls_sealer_arn = who_of(find_ours(policy, SID_SEALS_TLS)),
		.admin_arn = who_of(find_ours(policy, SID_ADMINISTERS)),
	};

	if (!pinning.role_arn || (!images && !signer))
		return error_set(error, ERROR_NOT_FOUND, "the policy pins no image (no statement " SID_USES ")");
	for (size_t i = 0; i < value_count(images); i++) {
		if (!key_pinning_add_pcr0(&pinning, value_at(images, i), error))
			return error_prefix(error, SID_USES);
	}
	if (signer && !key_pinning_set_pcr8(&pinning, value_at(signer, 0), error))
		return error_prefix(error, SID_USES);
	*ret_pinning = pinning;
	return true;
}

/* ---- review ---- */

/* What lets whoever has it around the images; patterns with * are matched as KMS does. */
static const struct danger {
	const char *action;
	const char *what;
	bool is_bound_by_attestation; /* a condition on the image takes the danger away */
} dangers[] = {
	{"kms:Decrypt", "decrypt", true},
	{"kms:ReEncryptFrom", "re-encrypt what is sealed for another key", false},
	{"kms:CreateGrant", "grant the use of the key to anybody", false},
	{"kms:PutKeyPolicy", "change this policy", false},
};

static bool allows(json_t *statement, const char *action)
{
	json_t *actions = json_object_get(statement, "Action");

	for (size_t i = 0; i < value_count(actions); i++) {
		if (fnmatch(value_at(actions, i), action, FNM_CASEFOLD) == 0)
			return true;
	}
	return json_object_get(statement, "NotAction") != NULL;
}

static bool is_attested(json_t *statement)
{
	json_t *operator, * condition = json_object_get(statement, "Condition");
	const char *operator_name, *key;
	json_t *value;

	json_object_foreach(condition, operator_name, operator)
	{
		/* "…IfExists" and negations let through who has no document. */
		if (strcasecmp(operator_name, "StringEquals") != 0 && strcasecmp(operator_name, "StringEqualsIgnoreCase") != 0)
			continue;
		json_object_foreach(operator, key, value)
		{
			if (strncasecmp(key, ATTESTATION_PREFIX, strlen(ATTESTATION_PREFIX)) == 0)
				return true;
		}
	}
	return false;
}

static char *principal_of(json_t *statement)
{
	json_t *principal = json_object_get(statement, "Principal");
	json_t *aws = json_is_object(principal) ? json_object_get(principal, "AWS") : principal;

	if (value_count(aws) == 1 && json_is_string(json_is_array(aws) ? json_array_get(aws, 0) : aws))
		return memory_copy_text(value_at(aws, 0));
	return memory_format("%zu principals", value_count(aws));
}

/* Unique ids of roles and users (IAM User Guide, "IAM identifiers"). */
static bool is_gone(const char *principal)
{
	return strncmp(principal, "AROA", 4) == 0 || strncmp(principal, "AIDA", 4) == 0;
}

json_t *key_pinning_review(json_t *policy)
{
	struct error ignored;
	AUTO_JSON json_t *statements = statements_of(policy, &ignored);
	json_t *warnings = json_array();
	json_t *statement;
	size_t index;

	json_array_foreach(statements, index, statement)
	{
		const char *effect = json_string_value(json_object_get(statement, "Effect"));
		AUTO_FREE char *principal = principal_of(statement);

		if (is_gone(principal))
			(void)json_array_append_new(
				warnings,
				json_sprintf("Statement[%zu]: %.200s is what a role or user that was deleted leaves behind, and "
					     "KMS refuses a policy that has it; take the statement out by hand",
					     index, principal));
		if (is_ours(statement) || !effect || strcmp(effect, "Allow") != 0)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(dangers); i++) {
			if (!allows(statement, dangers[i].action) || (dangers[i].is_bound_by_attestation && is_attested(statement)))
				continue;
			(void)json_array_append_new(
				warnings, json_sprintf("Statement[%zu]: %.200s may %s", index, principal, dangers[i].what));
		}
	}
	return warnings;
}
