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

void row_opening_done(struct row_opening *row_opening)
{
	secret_done(&row_opening->plaintext);
	secret_done(&row_opening->secret_key);
}

static bool open_sealed_row(struct opening *opening, struct row_opening *row_opening, struct error *error)
{
	const struct opening_row *row = &row_opening->row;
	AUTO_BUFFER struct buffer sealed = {0};
	struct view data_key;

	if (!json_read_base64(row->members, "sealed_key_b64", SEALED_KEY_SIZE, &sealed, error) ||
	    !opening_find_data_key(opening, row->members, &data_key, error))
		return false;
	if (!sealed_key_open(data_key, row->pubkey, row->chain, buffer_view(&sealed), &row_opening->secret_key, error))
		return error_prefix(error, "sealed_key_b64"), opening_blame_content(error);
	return true;
}

static const char keystore_member[] = "encrypted_key_password_mnemonic_b64";

static bool fetch_keystore_row(struct opening *opening, struct row_opening *row_opening, struct error *error)
{
	char pubkey[KEY_TABLE_PUBKEY_SIZE];

	/* What is sealed under it has it in this form. */
	hex_encode(view_of(row_opening->row.public_key, BLS_PUBLIC_KEY_SIZE), pubkey);
	if (strcmp(row_opening->row.pubkey, pubkey) != 0)
		return error_set(error, ERROR_CRYPTO, "pubkey: not in lower-case hex without 0x");
	return opening_decrypt_member(opening, row_opening->row.members, keystore_member, (struct kms_context){0},
				      &row_opening->plaintext, error);
}

/* The mnemonic that the sample's loader puts beside the keystore is never looked at. */
static bool read_keystore_secret(struct keystore_kdf_cache *cache, const struct secret *plaintext,
				 struct keystore_secret *ret_secret, struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(secret_view(plaintext), "keystore secret", error);
	AUTO_SECRET struct secret keystore = {0};
	AUTO_SECRET struct secret password = {0};

	return object && json_read_base64_secret(object, "keystore_b64", &keystore, error) &&
	       json_read_base64_secret(object, "password_b64", &password, error) &&
	       keystore_decrypt_cached(cache, secret_view(&keystore), secret_view(&password), ret_secret, error);
}

static bool decrypt_keystore(const struct row_opening *row_opening, struct keystore_kdf_cache *cache, struct secret *ret_secret_key,
			     struct error *error)
{
	AUTO_KEYSTORE_SECRET struct keystore_secret keystore = {0};
	char derived[KEY_TABLE_PUBKEY_SIZE];

	if (!read_keystore_secret(cache, &row_opening->plaintext, &keystore, error))
		return error_prefix(error, "%s", keystore_member), opening_blame_content(error);
	if (memcmp(keystore.public_key, row_opening->row.public_key, sizeof keystore.public_key) != 0) {
		hex_encode(view_of(keystore.public_key, sizeof keystore.public_key), derived);
		return error_set(error, ERROR_CRYPTO, "%s: holds the key of %s", keystore_member, derived);
	}
	*ret_secret_key = keystore.secret_key;
	keystore.secret_key = (struct secret){0};
	return true;
}

void row_opening_decrypt(struct row_opening *row_opening, struct keystore_kdf_cache *cache)
{
	if (decrypt_keystore(row_opening, cache, &row_opening->secret_key, &row_opening->error))
		row_opening->error = (struct error){0};
	secret_done(&row_opening->plaintext);
}

/* The forms a row can have, by the member that tells. */
static const struct row_form {
	const char *member;
	/* As far as it goes without a key derivation. */
	bool (*open)(struct opening *opening, struct row_opening *row_opening, struct error *error);
} row_forms[] = {
	{"sealed_key_b64", open_sealed_row},
	{keystore_member, fetch_keystore_row},
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

/* The oldest ones, until no more than `count` are under way. */
static bool settle_until(struct derivations *derivations, size_t count, row_settler *settle, void *context, struct error *error)
{
	while (derivations_count(derivations) > count) {
		AUTO_ROW_OPENING struct row_opening opened = {0};

		derivations_take(derivations, &opened);
		if (!settle(context, &opened, error))
			return false;
	}
	return true;
}

bool opening_open_row(struct opening *opening, struct row_opening *row, row_settler *settle, void *context, struct error *error)
{
	struct derivations *derivations = opening->opener->derivations;
	bool failed;

	if (!settle_until(derivations, DERIVATIONS_MAX - 1, settle, context, error))
		return false;
	if (row->error.code == ERROR_NONE && row->row.form->open(opening, row, &row->error))
		row->error = (struct error){0};
	failed = row->error.code != ERROR_NONE;
	derivations_submit(derivations, row);
	/* It may end it all: nothing more is asked of KMS before that is known. */
	return !failed || settle_until(derivations, 0, settle, context, error);
}

bool opening_finish_rows(struct opening *opening, row_settler *settle, void *context, struct error *error)
{
	return settle_until(opening->opener->derivations, 0, settle, context, error);
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
