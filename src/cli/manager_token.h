/* SPDX-License-Identifier: Apache-2.0 */
/* The key manager's bearer token, in a file as validator clients have their api-token.txt. */
#pragma once

#include "image/key_manager.h"

/*
 * The digest of the token in a file; one that is missing is made, with 32 random bytes in hex, mode 0600. ERROR_INPUT names
 * --key-manager-token-file.
 */
MUST_USE bool manager_token_read(const char *path, uint8_t ret_digest[KEY_MANAGER_DIGEST_SIZE], struct error *error);
