/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "lambda/operations.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lambda_event event;
	struct error error = {0};
	uint8_t pcr0[NSM_PCR_SIZE];

	if (!lambda_event_parse(view_of(data, size), &event, &error)) {
		if (error.code != ERROR_INPUT)
			abort();
		return 0;
	}
	/* What the operations rely on. */
	if (!event.operation || event.nonce_size > sizeof event.nonce ||
	    (event.pcr0[0] && !attestation_parse_pcr("pcr0", event.pcr0, pcr0, &error)))
		abort();
	if (event.overwrite && !(event.operation->fields & LAMBDA_FIELD_OVERWRITE))
		abort();
	return 0;
}
