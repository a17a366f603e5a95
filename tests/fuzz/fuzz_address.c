/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "net/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = memory_format("%.*s", (int)(size > 4096 ? 4096 : size), size ? (const char *)data : "");
	char formatted[ADDRESS_TEXT_SIZE];
	struct address address, again;
	struct error error;

	if (!address_parse(text, &address, &error))
		return 0;
	/* What was understood must be understood again, and the same. */
	address_format(&address, formatted);
	if (!address_parse(formatted, &again, &error) || address.kind != again.kind || address.port != again.port)
		abort();
	return 0;
}
