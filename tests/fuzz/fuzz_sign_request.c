/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "enclave/frontend/sign_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t public_key[BLS_PUBLIC_KEY_SIZE] = {0x5a};
	struct message_sign message;
	struct error error = {0};

	if (!sign_request_parse(view_of(data, size), public_key, network_find("mainnet", NULL), &message, &error)) {
		/* Every refusal is the client's fault and says why. */
		if (error.code != ERROR_INPUT || error.message[0] == '\0')
			abort();
		return 0;
	}
	/* What is parsed is a message that the keeper may get. */
	if (message.header.type != MESSAGE_SIGN || message.header.size != sizeof message || message.artifact_type == 0 ||
	    message.artifact_type >= ARTIFACT_TYPE_COUNT || message.has_signing_root > 1 ||
	    memcmp(message.public_key, public_key, sizeof public_key) != 0)
		abort();
	return 0;
}
