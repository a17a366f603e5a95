/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of keystores share. */
#pragma once

#include "json_support.h"

#include "eth/keystore.h"
#include "eth/keystore_parts.h"

static inline const char *verdict_of(bool decrypted, const struct error *error)
{
	static const struct {
		enum error_code code;
		const char *part;
		const char *verdict;
	} verdicts[] = {
		{ERROR_CRYPTO, "wrong password", "wrong_password"}, {ERROR_CRYPTO, "pubkey: ", "pubkey_mismatch"},
		{ERROR_INPUT, "no BLS secret key", "bad_secret"},   {ERROR_INPUT, "is not supported", "unsupported"},
		{ERROR_INPUT, "too costly", "too_costly"},          {ERROR_INPUT, "", "malformed"},
	};

	if (decrypted)
		return "ok";
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		if (error->code == verdicts[i].code && strstr(error->message, verdicts[i].part))
			return verdicts[i].verdict;
	}
	return error_code_name(error->code);
}
