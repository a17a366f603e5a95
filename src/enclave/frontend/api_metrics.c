/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/api_internal.h"

#include "enclave/metrics.h"

static const enum metrics_refusal keeper_reasons[SIGN_STATUS_COUNT] = {
	[SIGN_OK] = REFUSAL_INTERNAL,
	[SIGN_UNKNOWN_KEY] = REFUSAL_UNKNOWN_KEY,
	[SIGN_ROOT_MISMATCH] = REFUSAL_ROOT_MISMATCH,
	[SIGN_SLASHABLE] = REFUSAL_SLASHABLE,
	[SIGN_WRONG_NETWORK] = REFUSAL_WRONG_NETWORK,
	[SIGN_LEDGER_FAILED] = REFUSAL_LEDGER_FAILED,
	[SIGN_BAD_REQUEST] = REFUSAL_INTERNAL,
	[SIGN_OVERLOADED] = REFUSAL_OVERLOADED,
	[SIGN_POLICY] = REFUSAL_POLICY,
	[SIGN_RETIRED] = REFUSAL_RETIRED,
	[SIGN_NO_HISTORY] = REFUSAL_NO_HISTORY,
};

/* Of what the keeper was not asked, or did not answer. */
static const struct {
	unsigned status;
	enum metrics_refusal reason;
} own_reasons[] = {
	{400, REFUSAL_MALFORMED},
	{403, REFUSAL_POLICY},
	{404, REFUSAL_UNKNOWN_KEY},
	{503, REFUSAL_OVERLOADED},
};

static enum metrics_refusal reason_of(unsigned status, const struct message_sign_result *result)
{
	if (result)
		return result->status < SIGN_STATUS_COUNT ? keeper_reasons[result->status] : REFUSAL_INTERNAL;
	for (size_t i = 0; i < ARRAY_SIZE(own_reasons); i++) {
		if (own_reasons[i].status == status)
			return own_reasons[i].reason;
	}
	return REFUSAL_INTERNAL;
}

void api_count_signing(uint32_t artifact_type, unsigned status, const struct message_sign_result *result)
{
	enum metrics_refusal reason = reason_of(status, result);

	metrics_add(METRIC_SIGNING_REQUESTS, artifact_type, metrics_status_label(status), 1);
	if (status == 200)
		return;
	metrics_add(METRIC_SIGNING_REFUSALS, reason, 0, 1);
	if (reason == REFUSAL_UNKNOWN_KEY)
		metrics_add(METRIC_MISSING_IDENTIFIER, 0, 0, 1);
	if (reason == REFUSAL_MALFORMED)
		metrics_add(METRIC_MALFORMED_REQUEST, 0, 0, 1);
}
