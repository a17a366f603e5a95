/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "sim/key_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct key_policy_value values[] = {{"kms:RecipientAttestation:PCR0", "ab"}};
	static const struct key_policy_request request = {
		.principal_arn = "arn:aws:iam::000000000000:role/host",
		.session_arn = "arn:aws:sts::000000000000:assumed-role/host/s",
		.account = "000000000000",
		.action = "kms:Decrypt",
		.resource = "arn:aws:kms:us-east-1:000000000000:key/1",
		.values = values,
		.value_count = ARRAY_SIZE(values),
	};
	struct error error;
	AUTO_KEY_POLICY struct key_policy *policy = key_policy_parse(view_of(data, size), &error);

	if (policy)
		(void)key_policy_evaluate(policy, &request);
	return 0;
}
