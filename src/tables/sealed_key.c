/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/sealed_key.h"

/* pubkey ‖ chain. The key's fixed length keeps the two apart. */
static bool additional_data(const char *pubkey, const char *chain, struct buffer *ret_bytes, struct error *error)
{
	if (strspn(pubkey, "0123456789abcdef") != KEY_TABLE_PUBKEY_SIZE - 1 || pubkey[KEY_TABLE_PUBKEY_SIZE - 1] != 0)
		return error_set(error, ERROR_INPUT, "pubkey: not 96 lower-case hex digits");
	if (chain[0] == 0)
		return error_set(error, ERROR_INPUT, "chain: empty");
	buffer_append_text(ret_bytes, pubkey);
	buffer_append_text(ret_bytes, chain);
	return true;
}

static bool check_public_key(const struct secret *secret_key, const char *pubkey, struct error *error)
{
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];
	bool is_known;

	if (secret_key->size != BLS_SECRET_KEY_SIZE)
		return error_set(error, ERROR_INPUT, "pubkey %s: the secret key is %zu bytes long, not %d", pubkey,
				 secret_key->size, BLS_SECRET_KEY_SIZE);
	is_known = strlen(pubkey) == sizeof hex - 1 && hex_decode(view_of_text(pubkey), public_key, sizeof public_key) &&
		   bls_public_key_matches(secret_key->data, public_key);
	if (!is_known && !bls_public_key_derive(secret_key->data, public_key, error))
		return error_prefix(error, "pubkey %s", pubkey);
	hex_encode(view_of(public_key, sizeof public_key), hex);
	if (strcmp(hex, pubkey) != 0)
		return error_set(error, ERROR_CRYPTO, "pubkey %s: the secret key is that of another, %s", pubkey, hex);
	return true;
}

bool sealed_key_seal(struct view data_key, const char *pubkey, const char *chain, const struct secret *secret_key,
		     struct buffer *ret_sealed, struct error *error)
{
	AUTO_BUFFER struct buffer additional = {0};

	if (!additional_data(pubkey, chain, &additional, error) || !check_public_key(secret_key, pubkey, error))
		return false;
	return aead_seal(data_key, buffer_view(&additional), secret_view(secret_key), ret_sealed, error);
}

bool sealed_key_open(struct view data_key, const char *pubkey, const char *chain, struct view sealed, struct secret *ret_secret_key,
		     struct error *error)
{
	AUTO_BUFFER struct buffer additional = {0};
	AUTO_SECRET struct secret secret_key = {0};

	if (!additional_data(pubkey, chain, &additional, error))
		return false;
	if (sealed.size != SEALED_KEY_SIZE)
		return error_set(error, ERROR_INPUT, "pubkey %s: the sealed key is %zu bytes long, not %d", pubkey, sealed.size,
				 SEALED_KEY_SIZE);
	if (!aead_open(data_key, buffer_view(&additional), sealed, &secret_key, error))
		return error_prefix(error, "pubkey %s", pubkey);
	if (!check_public_key(&secret_key, pubkey, error))
		return false;
	*ret_secret_key = secret_key;
	secret_key = (struct secret){0};
	return true;
}
