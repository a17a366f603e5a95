/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "crypto/cms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static EVP_PKEY *key;
	AUTO_SECRET struct secret plaintext = {0};
	struct error error;

	if (!key &&
	    (!secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) || !(key = cms_recipient_key_generate(&error))))
		abort();
	(void)!cms_open(key, view_of(data, size), &plaintext, &error);
	return 0;
}
