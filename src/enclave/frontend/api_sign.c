/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/api_internal.h"

#include <inttypes.h>

#include "base/clock.h"
#include "enclave/frontend/json_budget.h"
#include "enclave/metrics.h"

#define ROOT_TEXT_SIZE (2 * ROOT_SIZE + 1)
#define SIGNATURE_TEXT_SIZE (2 * BLS_SIGNATURE_SIZE + 1)

/* ---- reasons, in words ---- */

static void describe_block_too_low(const struct message_sign_result *result, struct error *ret_reason)
{
	(void)error_set(ret_reason, ERROR_SLASHABLE, "block slot %" PRIu64 " is not above the last signed slot %" PRIu64,
			result->asked_slot, result->last_slot);
}

static void describe_source_after_target(const struct message_sign_result *result, struct error *ret_reason)
{
	(void)error_set(ret_reason, ERROR_SLASHABLE, "attestation source epoch %" PRIu64 " is after its target epoch %" PRIu64,
			result->asked_source, result->asked_target);
}

static void describe_source_too_low(const struct message_sign_result *result, struct error *ret_reason)
{
	(void)error_set(ret_reason, ERROR_SLASHABLE,
			"attestation source epoch %" PRIu64 " is below the last signed source %" PRIu64 " (target %" PRIu64
			", last target %" PRIu64 ")",
			result->asked_source, result->last_source, result->asked_target, result->last_target);
}

static void describe_target_too_low(const struct message_sign_result *result, struct error *ret_reason)
{
	(void)error_set(ret_reason, ERROR_SLASHABLE,
			"attestation target epoch %" PRIu64 " is not above the last signed target %" PRIu64 " (source %" PRIu64
			", last source %" PRIu64 ")",
			result->asked_target, result->last_target, result->asked_source, result->last_source);
}

static void describe_block_above_high(const struct message_sign_result *result, struct error *ret_reason)
{
	(void)error_set(ret_reason, ERROR_SLASHABLE, "block slot %" PRIu64 " is not below the high watermark, slot %" PRIu64,
			result->asked_slot, result->last_slot);
}

static void describe_attestation_above_high(const struct message_sign_result *result, struct error *ret_reason)
{
	(void)error_set(ret_reason, ERROR_SLASHABLE,
			"attestation source epoch %" PRIu64 " and target epoch %" PRIu64
			" are not both below the high watermark, epoch %" PRIu64,
			result->asked_source, result->asked_target, result->last_target);
}

static void (*const verdict_descriptions[SLASHING_VERDICT_COUNT])(const struct message_sign_result *result,
								  struct error *ret_reason) = {
	[SLASHING_BLOCK_TOO_LOW] = describe_block_too_low,
	[SLASHING_SOURCE_AFTER_TARGET] = describe_source_after_target,
	[SLASHING_SOURCE_TOO_LOW] = describe_source_too_low,
	[SLASHING_TARGET_TOO_LOW] = describe_target_too_low,
	[SLASHING_BLOCK_ABOVE_HIGH] = describe_block_above_high,
	[SLASHING_ATTESTATION_ABOVE_HIGH] = describe_attestation_above_high,
};

static void describe_slashable(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason)
{
	(void)state;
	if (result->verdict >= SLASHING_VERDICT_COUNT || !verdict_descriptions[result->verdict]) {
		(void)error_set(ret_reason, ERROR_SLASHABLE, "slashing protection refuses it");
		return;
	}
	verdict_descriptions[result->verdict](result, ret_reason);
}

static void describe_unknown_key(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason)
{
	char key[2 * BLS_PUBLIC_KEY_SIZE + 1];

	(void)result;
	hex_encode(view_of(state->public_key, BLS_PUBLIC_KEY_SIZE), key);
	(void)error_set(ret_reason, ERROR_NOT_FOUND, "no key 0x%s is loaded", key);
}

static void describe_root_mismatch(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason)
{
	char asked[ROOT_TEXT_SIZE];
	char computed[ROOT_TEXT_SIZE];

	hex_encode(view_of(state->signing_root, ROOT_SIZE), asked);
	hex_encode(view_of(result->signing_root, ROOT_SIZE), computed);
	(void)error_set(ret_reason, ERROR_INPUT, "signing_root: the request says 0x%s, its message on network %s has 0x%s", asked,
			state->api->network.name, computed);
}

static void describe_wrong_network(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason)
{
	char root[ROOT_TEXT_SIZE];

	hex_encode(view_of(result->genesis_validators_root, ROOT_SIZE), root);
	(void)error_set(ret_reason, ERROR_POLICY,
			"fork_info: genesis_validators_root: not that of this signer's network, %s (0x%s)",
			state->api->network.name, root);
}

static void describe_ledger_failed(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason)
{
	(void)state;
	(void)result;
	(void)error_set(ret_reason, ERROR_IO, "the slashing protection store failed, so nothing was signed; try again");
}

static void describe_overloaded(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason)
{
	(void)state;
	(void)result;
	(void)error_set(ret_reason, ERROR_PEER, "more requests wait for the keeper than can be signed in time; try again");
}

/* The keeper knows types, not rules; the frontend has said no before, unless the two read different policies. */
static void describe_unsignable(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason)
{
	(void)state;
	(void)result;
	(void)error_set(ret_reason, ERROR_POLICY, "no rule of the signing policy allows this type to anybody");
}

static void describe_retired(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason)
{
	(void)state;
	(void)result;
	(void)error_set(ret_reason, ERROR_SLASHABLE,
			"this key was deleted through the key manager; it signs again when it is imported through it again");
}

static void describe_no_history(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason)
{
	char wait[64] = "";

	(void)state;
	if (result->quiet_left_ms)
		(void)snprintf(wait, sizeof wait, ", or wait %llu s more", (unsigned long long)(result->quiet_left_ms / 1000 + 1));
	(void)error_set(ret_reason, ERROR_SLASHABLE,
			"this signer knows nothing of what the key signed before: import its slashing protection history (ensign "
			"slashing import, or the key manager), or say that there is none (ensign slashing fresh)%s",
			wait);
}

static void describe_bug(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason)
{
	(void)state;
	(void)error_set(ret_reason, ERROR_BUG, "the keeper does not take this message (status %u); please report this",
			result->status);
}

/* What each refusal of the keeper is in HTTP. */
static const struct refusal {
	unsigned http_status;
	void (*describe)(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason);
} refusals[SIGN_STATUS_COUNT] = {
	[SIGN_UNKNOWN_KEY] = {404, describe_unknown_key},
	[SIGN_ROOT_MISMATCH] = {400, describe_root_mismatch},
	[SIGN_SLASHABLE] = {412, describe_slashable},
	[SIGN_WRONG_NETWORK] = {412, describe_wrong_network},
	[SIGN_LEDGER_FAILED] = {503, describe_ledger_failed},
	[SIGN_BAD_REQUEST] = {500, describe_bug},
	[SIGN_OVERLOADED] = {503, describe_overloaded},
	[SIGN_POLICY] = {403, describe_unsignable},
	[SIGN_RETIRED] = {412, describe_retired},
	[SIGN_NO_HISTORY] = {412, describe_no_history},
};

/* ---- the handler ---- */

static void answer_signature(struct http_call *call, const uint8_t signature[BLS_SIGNATURE_SIZE])
{
	char text[sizeof "{\"signature\":\"0x\"}" + SIGNATURE_TEXT_SIZE];
	char hex[SIGNATURE_TEXT_SIZE];
	bool json = api_call_of(call)->wants_json;
	int size;

	hex_encode(view_of(signature, BLS_SIGNATURE_SIZE), hex);
	size = snprintf(text, sizeof text, json ? "{\"signature\":\"0x%s\"}" : "0x%s", hex);
	http_call_answer(call, &(struct http_answer){.status = 200,
						     .content_type = json ? API_JSON : API_TEXT,
						     .body = view_of(text, (size_t)size)});
}

unsigned api_describe_result(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason)
{
	const struct refusal *refusal = &refusals[SIGN_BAD_REQUEST];

	if (result->status == SIGN_OK)
		return 200;
	if (result->status < SIGN_STATUS_COUNT)
		refusal = &refusals[result->status];
	refusal->describe(state, result, ret_reason);
	return refusal->http_status;
}

/* Before the answer: after it the call may be gone. */
static void count_result(const struct api_call *state, unsigned status, const struct message_sign_result *result)
{
	api_count_signing(state->artifact_type, status, result);
	metrics_observe(METRIC_SIGNING_DURATION, state->artifact_type, clock_monotonic_us() - state->started_us);
}

static void refuse(struct http_call *call, uint32_t artifact_type, unsigned status, const char *message)
{
	api_count_signing(artifact_type, status, NULL);
	api_answer_error(call, status, message, NULL);
}

/* On the keeper client's thread. */
static void on_result(void *context, const union message *answer, const struct error *error)
{
	struct http_call *call = (struct http_call *)context;
	struct error reason;
	unsigned status;

	if (!answer) {
		count_result(api_call_of(call), 503, NULL);
		api_answer_error(call, 503, error->message, NULL);
		return;
	}
	status = api_describe_result(api_call_of(call), &answer->sign_result, &reason);
	count_result(api_call_of(call), status, &answer->sign_result);
	if (status == 200)
		answer_signature(call, answer->sign_result.signature);
	else
		api_answer_error(call, status, reason.message, NULL);
}

bool api_parse_identifier(const char *identifier, uint8_t ret_public_key[BLS_PUBLIC_KEY_SIZE])
{
	if (identifier[0] == '0' && (identifier[1] == 'x' || identifier[1] == 'X'))
		identifier += 2;
	return strlen(identifier) == (size_t)2 * BLS_PUBLIC_KEY_SIZE &&
	       hex_decode(view_of_text(identifier), ret_public_key, BLS_PUBLIC_KEY_SIZE);
}

unsigned api_answer_bad_request(struct http_call *call, const struct error *error)
{
	bool lacks_memory = json_budget_was_exceeded();
	unsigned status = lacks_memory ? 503 : 400;

	api_answer_error(call, status,
			 lacks_memory ? "reading this request takes more memory than there is now; try again" : error->message,
			 NULL);
	return status;
}

void api_sign(struct http_call *call, const char *identifier)
{
	struct api_call *state = api_call_of(call);
	bool is_key = api_parse_identifier(identifier, state->public_key);
	struct message_sign message;
	const char *refusing_rule;
	struct error error;

	state->started_us = clock_monotonic_us();
	json_budget_begin(call->body.size);
	if (!sign_request_cache_parse(state->api->requests, call->body, state->public_key, &message, &error)) {
		api_count_signing(0, api_answer_bad_request(call, &error), NULL);
		return;
	}
	if (!is_key) {
		refuse(call, message.artifact_type, 404, "the identifier is no BLS public key (96 hex digits)");
		return;
	}
	refusing_rule = api_find_refusing_rule(call, message.artifact_type, state->public_key);
	if (refusing_rule) {
		api_describe_refusing_rule(call, message.artifact_type, refusing_rule, &error);
		refuse(call, message.artifact_type, 403, error.message);
		return;
	}
	state->wants_json = api_prefers_json(call);
	state->artifact_type = message.artifact_type;
	memcpy(state->signing_root, message.signing_root, ROOT_SIZE);
	http_call_defer(call);
	if (!keeper_client_send(state->api->keeper, &message, on_result, call, &error))
		refuse(call, message.artifact_type, 503, error.message);
}
