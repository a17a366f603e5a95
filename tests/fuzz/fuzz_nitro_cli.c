/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "host/nitro_cli.h"

/* An identifier goes back into an argument: nothing but what one is made of. */
static void check(const struct nitro_enclave *enclave)
{
	if (!enclave->id[0] || strpbrk(enclave->id, "/ \n") || enclave->process_id < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct view bytes = view_of(data, size);
	struct nitro_enclave enclave;
	struct error error = {0};
	bool found;

	if (nitro_enclave_parse(bytes, &enclave, &error))
		check(&enclave);
	if (nitro_enclaves_find(bytes, "ensign", &found, &enclave, &error) && found)
		check(&enclave);
	if (nitro_messages_to_error(bytes, "run-enclave", 1, &error) || error.code != ERROR_PEER)
		abort();
	return 0;
}
