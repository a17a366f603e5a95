/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "host/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings settings = {0};
	struct error error;

	if (settings_parse(view_of(data, size), &settings, &error))
		settings_done(&settings);
	return 0;
}
