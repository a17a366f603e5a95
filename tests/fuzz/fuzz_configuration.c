/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "image/configuration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_CONFIGURATION struct configuration configuration = {0};
	AUTO_CONFIGURATION struct configuration again = {0};
	AUTO_BUFFER struct buffer text = {0};
	AUTO_BUFFER struct buffer text_again = {0};
	struct error error;

	if (!configuration_parse(view_of(data, size), &configuration, &error))
		return 0;
	/* What is written of it says the same. */
	configuration_write(&configuration, &text);
	if (!configuration_parse(buffer_view(&text), &again, &error) ||
	    configuration.slashing_protection != again.slashing_protection ||
	    !network_equal(&configuration.network, &again.network))
		abort();
	configuration_write(&again, &text_again);
	if (!view_equal(buffer_view(&text), buffer_view(&text_again)))
		abort();
	return 0;
}
