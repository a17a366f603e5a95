/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy_key.h"

#include "cli/operator_credentials.h"
#include "image/key_pinning.h"

#define ARN_REGION 3

void policy_key_done(struct policy_key *key)
{
	credentials_done(&key->credentials);
	aws_access_done(&key->access);
	json_decref(key->policy);
}

char *arn_part(const char *arn, unsigned number)
{
	const char *at = arn;

	for (unsigned i = 0; i < number && at; i++) {
		at = strchr(at, ':');
		at = at ? at + 1 : NULL;
	}
	return at && strcspn(at, ":") > 0 ? memory_format("%.*s", (int)strcspn(at, ":"), at) : NULL;
}

static struct kms_client client_of(const struct policy_key *key)
{
	return (struct kms_client){.endpoint = key->access.endpoint, .credentials = &key->credentials};
}

static bool read_policy(struct policy_key *key, struct error *error)
{
	const struct kms_client kms = client_of(key);
	AUTO_BUFFER struct buffer text = {0};

	if (!kms_get_key_policy(&kms, key->place->key, &text, error))
		return false;
	key->policy = json_parse_object(buffer_view(&text), "key policy", error);
	return key->policy != NULL;
}

bool policy_key_open(const struct policy_place *place, struct policy_key *ret_key, struct error *error)
{
	AUTO_FREE char *region = place->region ? memory_copy_text(place->region) : arn_part(place->key, ARN_REGION);
	const struct aws_place where = {region, place->kms_host, place->ca};

	ret_key->place = place;
	if (!region)
		return error_set(error, ERROR_INPUT, "--key: no ARN (arn:aws:kms:REGION:ACCOUNT:key/ID), and --region is missing");
	if (!credentials_of_operator(place->credentials, &ret_key->credentials, error) ||
	    !aws_access_init("kms", &where, &ret_key->access, error))
		return false;
	ret_key->access.endpoint.timeout_ms = OPERATOR_KMS_TIMEOUT_MS;
	ret_key->access.endpoint.attempts = OPERATOR_KMS_ATTEMPTS;
	return read_policy(ret_key, error) || error_prefix(error, "--key");
}

bool policy_key_put(const struct policy_key *key, const json_t *policy, struct error *error)
{
	const struct kms_client kms = client_of(key);
	AUTO_BUFFER struct buffer text = {0};

	json_write(policy, &text);
	return kms_put_key_policy(&kms, key->place->key, buffer_text(&text), error);
}

void policy_print_review(json_t *policy)
{
	AUTO_JSON json_t *warnings = key_pinning_review(policy);
	json_t *warning;
	size_t index;

	json_array_foreach(warnings, index, warning)
	{
		(void)fprintf(stderr, "warning: ");
		command_print_escaped(stderr, json_string_value(warning));
		(void)fprintf(stderr, "\n");
	}
}

void policy_print(const json_t *policy)
{
	(void)json_dumpf(policy, stdout, JSON_INDENT(2));
	(void)fputc('\n', stdout);
}
