/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "net/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char address[PROXY_ADDRESS_SIZE];
	struct error error;
	size_t taken = 0;
	size_t missing;

	for (;;) {
		if (!proxy_header_missing(view_of(data, taken), &missing, &error))
			return 0;
		/* A reader has no more room than this, and gets on with every read. */
		if (taken + missing > PROXY_HEADER_MAX_SIZE)
			abort();
		if (missing == 0)
			break;
		if (taken + missing > size)
			return 0;
		taken += missing;
	}
	proxy_header_address(view_of(data, taken), address);
	if (strlen(address) >= sizeof address)
		abort();
	return 0;
}
