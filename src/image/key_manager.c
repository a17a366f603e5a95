/* SPDX-License-Identifier: Apache-2.0 */
#include "image/key_manager.h"

#include "eth/ssz.h"

static const char *const members[] = {"token_sha256"};

bool key_manager_read(json_t *configuration, struct key_manager *ret_manager, struct error *error)
{
	json_t *object;

	*ret_manager = (struct key_manager){0};
	if (!json_object_get(configuration, "key_manager"))
		return true;
	if (!json_read_object(configuration, "key_manager", &object, error))
		return false;
	if (!json_check_members(object, members, ARRAY_SIZE(members), error) ||
	    !json_read_hex(object, "token_sha256", ret_manager->token_sha256, sizeof ret_manager->token_sha256, error))
		return error_prefix(error, "key_manager");
	ret_manager->is_on = true;
	return true;
}

void key_manager_write(const struct key_manager *manager, struct buffer *ret_json)
{
	char hex[2 * KEY_MANAGER_DIGEST_SIZE + 1];

	if (!manager->is_on)
		return;
	hex_encode(view_of(manager->token_sha256, sizeof manager->token_sha256), hex);
	buffer_append_format(ret_json, " \"key_manager\": {\"token_sha256\": \"%s\"},\n", hex);
}

bool key_manager_digest_token(struct view text, uint8_t ret_digest[KEY_MANAGER_DIGEST_SIZE], struct error *error)
{
	if (text.size > 0 && text.data[text.size - 1] == '\n')
		text.size--;
	if (text.size > 0 && text.data[text.size - 1] == '\r')
		text.size--;
	if (text.size < KEY_MANAGER_TOKEN_MIN_SIZE || text.size > KEY_MANAGER_TOKEN_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "token: %zu characters, %d to %d are allowed", text.size,
				 KEY_MANAGER_TOKEN_MIN_SIZE, KEY_MANAGER_TOKEN_MAX_SIZE);
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return error_set(error, ERROR_INPUT, "token: only printable ASCII without blanks is allowed");
	}
	sha256(text, ret_digest);
	return true;
}

bool key_manager_obeys(const struct key_manager *manager, struct view token)
{
	uint8_t digest[KEY_MANAGER_DIGEST_SIZE];

	sha256(token, digest);
	return manager->is_on &&
	       secret_equal(view_of(digest, sizeof digest), view_of(manager->token_sha256, sizeof manager->token_sha256));
}
