/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the signer has a key manager (Ethereum keymanager-APIs), and whom it obeys. A part of the measured configuration:
 *
 *   "key_manager": {"token_sha256": "<64 hex digits>"}
 *
 * Absent, there is no key manager. The configuration is measured but no secret, so it has the token's digest; the token must be too long
 * to be guessed from that (KEY_MANAGER_TOKEN_MIN_SIZE).
 */
#pragma once

#include "base/json.h"
#include "base/secret.h"

#define KEY_MANAGER_DIGEST_SIZE 32
/* 32 hex digits are 128 bits. */
#define KEY_MANAGER_TOKEN_MIN_SIZE 32
/* It goes into one header. */
#define KEY_MANAGER_TOKEN_MAX_SIZE 256

struct key_manager {
	bool is_on;
	uint8_t token_sha256[KEY_MANAGER_DIGEST_SIZE];
};

/* Reads the member of a configuration, if it is there. */
MUST_USE bool key_manager_read(json_t *configuration, struct key_manager *ret_manager, struct error *error);
/* The member with a comma and a line end behind it, or nothing. */
void key_manager_write(const struct key_manager *manager, struct buffer *ret_json);
/* A token as a file has it: printable ASCII of the sizes above; one line end behind it is no part of it. ERROR_INPUT else. */
MUST_USE bool key_manager_digest_token(struct view text, uint8_t ret_digest[KEY_MANAGER_DIGEST_SIZE], struct error *error);
/* Constant time in the token's contents. */
bool key_manager_obeys(const struct key_manager *manager, struct view token);
