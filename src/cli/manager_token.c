/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/manager_token.h"

#include <openssl/rand.h>

#include "base/file.h"

#define TOKEN_RANDOM_SIZE 32
/* A line end behind the longest token, and one byte that tells a longer one. */
#define TOKEN_FILE_MAX_SIZE (KEY_MANAGER_TOKEN_MAX_SIZE + 3)

static bool make_token(const char *path, struct error *error)
{
	AUTO_SECRET struct secret text = {0};
	uint8_t random[TOKEN_RANDOM_SIZE];
	bool ok = secret_init(&text, 2 * sizeof random + 1, error);

	if (!ok)
		return false;
	if (RAND_bytes(random, sizeof random) != 1)
		return error_set(error, ERROR_CRYPTO, "no random bytes");
	hex_encode(view_of(random, sizeof random), (char *)text.data);
	secret_wipe(random, sizeof random);
	return file_write_atomic(path, view_of(text.data, text.size - 1), 0600, error);
}

static bool read_token(const char *path, uint8_t ret_digest[KEY_MANAGER_DIGEST_SIZE], struct error *error)
{
	AUTO_SECRET struct secret text = {0};

	return file_read_secret(path, TOKEN_FILE_MAX_SIZE, &text, error) &&
	       key_manager_digest_token(secret_view(&text), ret_digest, error);
}

bool manager_token_read(const char *path, uint8_t ret_digest[KEY_MANAGER_DIGEST_SIZE], struct error *error)
{
	if ((file_exists(path) || make_token(path, error)) && read_token(path, ret_digest, error))
		return true;
	error->code = ERROR_INPUT;
	return error_prefix(error, "--key-manager-token-file %s", path);
}
