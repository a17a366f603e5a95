/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "host/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct settings settings; /* some 50 KB; owns nothing */
	struct error error;

	/* What the host relies on wherever it was parsed. */
	if (settings_parse(view_of(data, size), &settings, &error) && !settings_find_relay(&settings, "kms"))
		abort();
	return 0;
}
