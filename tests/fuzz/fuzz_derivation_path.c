/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "eth/derivation.h"

/* What is taken has no more levels than slashes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct derivation_path path;
	struct error error;
	size_t slashes = 0;

	if (!derivation_path_parse(view_of(data, size), &path, &error))
		return 0;
	for (size_t i = 0; i < size; i++)
		slashes += data[i] == '/';
	if (path.depth != slashes || path.depth > DERIVATION_PATH_MAX_DEPTH)
		abort();
	return 0;
}
