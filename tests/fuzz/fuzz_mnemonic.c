/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "eth/mnemonic.h"

/* What is taken is written plainly, and taken again as it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_SECRET struct secret mnemonic = {0};
	AUTO_SECRET struct secret again = {0};
	struct error error;

	if (!secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error))
		abort();
	if (!mnemonic_normalize_text(view_of(data, size), &mnemonic, &error))
		return 0;
	if (!mnemonic_normalize_text(secret_view(&mnemonic), &again, &error) ||
	    !secret_equal(secret_view(&mnemonic), secret_view(&again)))
		abort();
	return 0;
}
