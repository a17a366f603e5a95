/* SPDX-License-Identifier: Apache-2.0 */
/* What the key manager was given: keystores with their passwords, each opened and sealed as the key table's rows are. */
#include "enclave/opener/opener.h"
#include "tables/sealed_key.h"

_Static_assert(MESSAGE_SEALED_KEY_SIZE == SEALED_KEY_SIZE, "one size of sealed keys");

static bool tell_control(uint64_t id, enum import_status status, const char *text, struct error *error)
{
	struct message_import_result message;

	message_init(&message, MESSAGE_IMPORT_RESULT, id);
	message.status = status;
	(void)snprintf(message.message, sizeof message.message, "%s", text);
	return message_send(ROLE_FD_CONTROL, &message, error) || error_prefix(error, "control");
}

static bool send_sealed(uint64_t id, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], struct view sealed, struct error *error)
{
	struct message_sealed_key message;

	message_init(&message, MESSAGE_SEALED_KEY, id);
	if (sealed.size != sizeof message.sealed)
		return error_set(error, ERROR_BUG, "a sealed key of %zu bytes", sealed.size);
	memcpy(message.public_key, public_key, sizeof message.public_key);
	memcpy(message.sealed, sealed.data, sealed.size);
	return message_send(ROLE_FD_CONTROL, &message, error) || error_prefix(error, "control");
}

static bool open_keystore(struct opening *opening, const struct message_import_keystore *import,
			  struct keystore_secret *ret_keystore, struct error *error)
{
	return keystore_decrypt_cached(&opening->opener->kdf_cache, view_of(import->keystore, import->keystore_size),
				       view_of(import->password, import->password_size), ret_keystore, error) ||
	       error_prefix(error, "Failed to decrypt keystore");
}

/* Fails only when control is gone; everything else is the import's own outcome. */
static bool import_one(struct opening *opening, const struct message_import_keystore *import, struct view data_key,
		       const struct held_keys *held, struct error *error)
{
	AUTO_KEYSTORE_SECRET struct keystore_secret keystore = {0};
	AUTO_BUFFER struct buffer sealed = {0};
	char pubkey[KEY_TABLE_PUBKEY_SIZE];
	struct error problem = {0};

	if (!open_keystore(opening, import, &keystore, &problem))
		return tell_control(import->header.id, IMPORT_FAILED, problem.message, error);
	if (held_keys_has(held, keystore.public_key))
		return tell_control(import->header.id, IMPORT_DUPLICATE, "this key is loaded already", error);
	hex_encode(view_of(keystore.public_key, sizeof keystore.public_key), pubkey);
	if (!sealed_key_seal(data_key, pubkey, opening->opener->configuration.network.name, &keystore.secret_key, &sealed,
			     &problem))
		return tell_control(import->header.id, IMPORT_FAILED, problem.message, error);
	return send_sealed(import->header.id, keystore.public_key, buffer_view(&sealed), error);
}

bool opener_import(struct opener *opener, json_t *request, struct secret *imports, size_t count, struct error *error)
{
	CLEANUP(opening_done) struct opening opening = {0};
	AUTO_HELD_KEYS struct held_keys held = {0};
	struct view data_key;

	if (!opening_init(&opening, opener, request, error) || !opening_find_data_key(&opening, request, &data_key, error) ||
	    !held_keys_read(&held, error))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!import_one(&opening, (const struct message_import_keystore *)(const void *)imports[i].data, data_key, &held,
				error))
			return false;
	}
	return true;
}
