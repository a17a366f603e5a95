/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "attestation/nsm_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nsm_response response;
	struct error error;

	(void)!nsm_response_decode(view_of(data, size), &response, &error);
	return 0;
}
