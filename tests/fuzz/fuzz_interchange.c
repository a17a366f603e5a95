/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "slashing/interchange.h"

/* What is read can be written, and then reads as the same and is written as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_INTERCHANGE struct interchange interchange = {0};
	AUTO_INTERCHANGE struct interchange again = {0};
	AUTO_BUFFER struct buffer text = {0};
	AUTO_BUFFER struct buffer text_again = {0};
	struct error error;

	if (!interchange_parse(view_of(data, size), &interchange, &error))
		return 0;
	interchange_write(interchange.genesis_validators_root, interchange.keys, interchange.count, &text);
	if (!interchange_parse(buffer_view(&text), &again, &error) || again.count != interchange.count)
		abort();
	for (size_t i = 0; i < again.count; i++) {
		if (interchange_find(&again, interchange.keys[i].public_key) != &again.keys[i])
			abort();
	}
	interchange_write(again.genesis_validators_root, again.keys, again.count, &text_again);
	if (!view_equal(buffer_view(&text), buffer_view(&text_again)))
		abort();
	return 0;
}
