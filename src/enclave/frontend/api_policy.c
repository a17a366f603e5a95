/* SPDX-License-Identifier: Apache-2.0 */
/* The signing policy, asked about the client of a call. */
#include "enclave/frontend/api_internal.h"

_Static_assert(sizeof(((struct http_client *)0)->fingerprint) == SIGNING_POLICY_FINGERPRINT_SIZE, "one kind of fingerprint");
_Static_assert(sizeof(((struct http_client *)0)->common_name) == SIGNING_POLICY_COMMON_NAME_SIZE, "one kind of common name");

static const struct signing_policy *policy_of(const struct http_call *call)
{
	return ((const struct api_call *)call->state)->api->policy;
}

static struct signing_policy_client client_of(const struct http_call *call)
{
	const struct http_client *client = http_call_client(call);

	return (struct signing_policy_client){client->has_certificate, client->common_name, client->fingerprint};
}

const char *api_find_refusing_rule(const struct http_call *call, uint32_t artifact_type,
				   const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	const struct signing_policy_client client = client_of(call);
	struct signing_policy_decision decision = signing_policy_decide(policy_of(call), &client, artifact_type, public_key);

	return decision.is_allowed ? NULL : decision.rule;
}

/* As a rule would name it. */
static void append_client(struct buffer *text, const struct http_client *client)
{
	char hex[2 * SIGNING_POLICY_FINGERPRINT_SIZE + 1];

	if (!client->has_certificate) {
		buffer_append_text(text, "without certificate");
		return;
	}
	hex_encode(view_of(client->fingerprint, sizeof client->fingerprint), hex);
	if (client->common_name[0])
		buffer_append_format(text, "\"%s\"", client->common_name);
	else
		buffer_append_format(text, "sha256:%s", hex);
}

void api_describe_refusing_rule(const struct http_call *call, uint32_t artifact_type, const char *rule, struct error *ret_reason)
{
	AUTO_BUFFER struct buffer client = {0};

	append_client(&client, http_call_client(call));
	(void)error_set(
		ret_reason, ERROR_POLICY,
		"%s is refused by rule \"%s\" of the signing policy (client %s); only a rule before that one, in the measured "
		"configuration, can allow it",
		artifact_type_name(artifact_type), rule, buffer_text(&client));
}

bool api_shows_key(const struct http_call *call, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	const struct signing_policy_client client = client_of(call);

	return signing_policy_types_for(policy_of(call), &client, public_key) != 0;
}
