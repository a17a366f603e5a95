/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "eth/execution_address.h"

/* What is taken is, once written, the same but for the case of its letters. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t address[EXECUTION_ADDRESS_SIZE];
	char text[EXECUTION_ADDRESS_TEXT_SIZE];
	struct error error;

	if (!execution_address_parse(view_of(data, size), "address", address, &error))
		return 0;
	execution_address_format(address, text);
	if (size != strlen(text) || strncasecmp((const char *)data, text, size) != 0)
		abort();
	return 0;
}
