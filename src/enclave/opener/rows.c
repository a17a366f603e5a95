/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the key table: what a ciphertext opens to is checked against what its row says before anything is kept, since the parent may
 * feed us any ciphertext it likes.
 */
#include "base/log.h"
#include "enclave/opener/opener.h"
#include "tables/sealed_key.h"

/* A whole table of another network must not push everything else out of the log. */
#define FAILURES_LOGGED_MAX 20

static bool open_sealed_row(struct opening *opening, json_t *row, const char *pubkey, const char *chain,
			    struct secret *ret_secret_key, struct error *error)
{
	AUTO_BUFFER struct buffer sealed = {0};
	struct view data_key;

	if (!json_read_base64(row, "sealed_key_b64", SEALED_KEY_SIZE, &sealed, error) ||
	    !opening_find_data_key(opening, row, &data_key, error))
		return false;
	if (!sealed_key_open(data_key, pubkey, chain, buffer_view(&sealed), ret_secret_key, error))
		return error_prefix(error, "sealed_key_b64"), opening_blame_content(error);
	return true;
}

/* The mnemonic that the sample's loader puts beside the keystore is never looked at. */
static bool read_keystore_secret(struct opening *opening, const struct secret *plaintext, struct keystore_secret *ret_secret,
				 struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(secret_view(plaintext), "keystore secret", error);
	AUTO_SECRET struct secret keystore = {0};
	AUTO_SECRET struct secret password = {0};

	return object && json_read_base64_secret(object, "keystore_b64", &keystore, error) &&
	       json_read_base64_secret(object, "password_b64", &password, error) &&
	       keystore_decrypt_cached(&opening->kdf_cache, secret_view(&keystore), secret_view(&password), ret_secret, error);
}

static bool open_keystore_row(struct opening *opening, json_t *row, const char *pubkey, const char *chain,
			      struct secret *ret_secret_key, struct error *error)
{
	static const char *const name = "encrypted_key_password_mnemonic_b64";
	AUTO_KEYSTORE_SECRET struct keystore_secret keystore = {0};
	AUTO_SECRET struct secret plaintext = {0};
	char derived[KEY_TABLE_PUBKEY_SIZE];

	(void)chain;
	if (!opening_decrypt_member(opening, row, name, (struct kms_context){0}, &plaintext, error))
		return false;
	if (!read_keystore_secret(opening, &plaintext, &keystore, error))
		return error_prefix(error, "%s", name), opening_blame_content(error);
	hex_encode(view_of(keystore.public_key, sizeof keystore.public_key), derived);
	if (strcmp(derived, pubkey) != 0)
		return error_set(error, ERROR_CRYPTO, "%s: holds the key of %s", name, derived);
	*ret_secret_key = keystore.secret_key;
	keystore.secret_key = (struct secret){0};
	return true;
}

/* The forms a row can have, by the member that tells. */
static const struct row_form {
	const char *member;
	bool (*open)(struct opening *opening, json_t *row, const char *pubkey, const char *chain, struct secret *ret_secret_key,
		     struct error *error);
} row_forms[] = {
	{"sealed_key_b64", open_sealed_row},
	{"encrypted_key_password_mnemonic_b64", open_keystore_row},
};

static const struct row_form *form_of(json_t *row, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(row_forms); i++) {
		if (json_is_string(json_object_get(row, row_forms[i].member)))
			return &row_forms[i];
	}
	return (void)error_set(error, ERROR_INPUT, "neither sealed_key_b64 nor encrypted_key_password_mnemonic_b64"), NULL;
}

bool opening_read_row(const struct opening *opening, json_t *members, struct opening_row *ret_row, struct error *error)
{
	const char *network = opening->opener->configuration.network.name;
	const char *problem;

	*ret_row = (struct opening_row){.members = members, .pubkey = "?"};
	if (!json_is_object(members))
		return error_set(error, ERROR_INPUT, "not an object");
	if (!json_read_text(members, "pubkey", &ret_row->pubkey, error) ||
	    !json_read_hex(members, "pubkey", ret_row->public_key, sizeof ret_row->public_key, error))
		return false;
	ret_row->has_public_key = true;
	/* The parent could not make sense of it; it might as well leave it out. */
	if (json_object_get(members, "problem"))
		return json_read_text(members, "problem", &problem, error) && error_set(error, ERROR_INPUT, "%s", problem);
	ret_row->form = form_of(members, error);
	if (!ret_row->form || !json_read_text(members, "chain", &ret_row->chain, error))
		return false;
	if (strcmp(ret_row->chain, network) != 0)
		return error_set(error, ERROR_CRYPTO, "chain: the row is for %.32s, this enclave's network is %s", ret_row->chain,
				 network);
	return true;
}

bool opening_open_row(struct opening *opening, const struct opening_row *row, struct secret *ret_secret_key, struct error *error)
{
	return row->form->open(opening, row->members, row->pubkey, row->chain, ret_secret_key, error);
}

json_t *opening_seal_row(const struct opening *opening, struct view data_key, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
			 const struct secret *secret_key, struct error *error)
{
	AUTO_BUFFER struct buffer sealed = {0};
	char pubkey[KEY_TABLE_PUBKEY_SIZE];

	hex_encode(view_of(public_key, BLS_PUBLIC_KEY_SIZE), pubkey);
	if (!sealed_key_seal(data_key, pubkey, opening->opener->configuration.network.name, secret_key, &sealed, error))
		return NULL;
	return json_pack("{s:s, s:o}", "pubkey", pubkey, "sealed_key_b64", json_text_of_base64(buffer_view(&sealed)));
}

/* Whatever else fails would fail for the next row as well: KMS, the relay, the NSM, memory, the permission to decrypt. */
bool opening_blames_row(const struct error *error)
{
	return error->code == ERROR_INPUT || error->code == ERROR_CRYPTO;
}

/* ---- rows that are passed over ---- */

void row_failures_add(struct row_failures *failures, size_t index, const char *pubkey, const struct error *reason)
{
	AUTO_FREE char *name = memory_format("%.98s", pubkey);
	struct error named = *reason;

	(void)error_prefix(&named, "encrypted_validator_keys[%zu] (pubkey %s)", index, name);
	if (failures->count == 0)
		failures->first = named;
	if (!failures->told)
		failures->told = json_array();
	if (failures->count < LOAD_FAILURES_TOLD_MAX)
		(void)json_array_append_new(failures->told, json_pack("{s:o, s:o}", "pubkey", json_text_of_any(name), "message",
								      json_text_of_any(reason->message)));
	if (failures->count < FAILURES_LOGGED_MAX)
		log_failure(LOG_LEVEL_WARNING, "key_not_loaded", &named);
	failures->count++;
}

void row_failures_end(const struct row_failures *failures)
{
	if (failures->count > FAILURES_LOGGED_MAX)
		log_warning("keys_not_loaded", "count=%llu named=%d", (unsigned long long)failures->count, FAILURES_LOGGED_MAX);
}

void row_failures_done(struct row_failures *failures)
{
	json_decref(failures->told);
	*failures = (struct row_failures){0};
}
