/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "image/kernel.h"

/* The first byte says for which machine. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_BUFFER struct buffer kernel = {0};
	char version[KERNEL_VERSION_SIZE];
	struct error error;

	if (size > 0 && kernel_prepare(view_of(data + 1, size - 1), data[0] & 1, &kernel, version, &error) &&
	    (kernel.size != size - 1 || strnlen(version, sizeof version) == sizeof version))
		abort();
	return 0;
}
