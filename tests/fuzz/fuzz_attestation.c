/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "attestation/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attestation_document document;
	AUTO_BUFFER struct buffer payload = {0};
	struct error error;

	if (attestation_parse(view_of(data, size), &document, &error))
		(void)!attestation_build_payload(&document, &payload, &error);
	return 0;
}
