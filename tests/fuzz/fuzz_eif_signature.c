/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "image/eif_sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t pcr0[NSM_PCR_SIZE];
	AUTO_EIF_SIGNATURE struct eif_signature signature = {0};
	struct error error;

	if (eif_signature_read(view_of(data, size), &signature, &error))
		(void)!eif_signature_verify(&signature, pcr0, UINT64_C(1800000000000), &error);
	return 0;
}
