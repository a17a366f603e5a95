/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_tls.h"

#include <openssl/rand.h>

#include "base/clock.h"
#include "base/file.h"
#include "tables/tls_table.h"

/* Browsers and some TLS stacks refuse a longer life. */
#define TLS_DAYS 825
#define TLS_RENEW_AFTER_MS (730ull * 24 * 3600 * 1000)
/* As 64 hex digits. */
#define TLS_PASSWORD_RANDOM_SIZE 32
/* KMS Encrypt takes this much. */
#define KMS_PLAINTEXT_MAX_SIZE 4096
#define NO_CONTEXT ((struct kms_context){NULL, NULL})

/* ---- the operator's own ---- */

/* Whatever is wrong with a file, it is what the user gave. */
static bool blame_option(const char *option, const char *path, struct error *error)
{
	error->code = ERROR_INPUT;
	return error_prefix(error, "%s %s", option, path);
}

static bool read_keystore(const struct tls_source *source, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_BUFFER struct buffer der = {0};
	AUTO_SECRET struct secret password = {0};

	if (!source->password_file)
		return error_set(error, ERROR_INPUT, "--tls-keystore needs --tls-password-file FILE");
	if (!password_file_read(source->password_file, &password, error))
		return blame_option("--tls-password-file", source->password_file, error);
	return (file_read(source->keystore, TLS_IDENTITY_PKCS12_MAX_SIZE, &der, error) &&
		tls_identity_from_pkcs12(buffer_view(&der), secret_view(&password), ret_identity, error)) ||
	       blame_option("--tls-keystore", source->keystore, error);
}

static bool read_pem(const struct tls_source *source, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_BUFFER struct buffer chain = {0};
	AUTO_SECRET struct secret key = {0};

	if (!file_read(source->certificate, TLS_IDENTITY_CHAIN_MAX_SIZE, &chain, error))
		return blame_option("--tls-cert", source->certificate, error);
	return (file_read_secret(source->key, TLS_IDENTITY_KEY_PEM_MAX_SIZE, &key, error) &&
		tls_identity_from_pem(secret_view(&key), buffer_view(&chain), ret_identity, error)) ||
	       blame_option("--tls-key", source->key, error);
}

bool tls_source_read(const struct tls_source *source, struct tls_identity *ret_identity, struct error *error)
{
	bool has_pem = source->certificate || source->key;

	*ret_identity = (struct tls_identity){0};
	if (has_pem && (source->keystore || source->password_file))
		return error_set(error, ERROR_INPUT, "--tls-keystore and --tls-cert: give one of them");
	if (has_pem && (!source->certificate || !source->key))
		return error_set(error, ERROR_INPUT, "--tls-cert and --tls-key belong together");
	if (!source->keystore && source->password_file)
		return error_set(error, ERROR_INPUT, "--tls-keystore: missing");
	if (has_pem)
		return read_pem(source, ret_identity, error);
	if (!source->keystore || strcmp(source->keystore, TLS_SOURCE_NONE) == 0)
		return true;
	return read_keystore(source, ret_identity, error);
}

/* ---- the table ---- */

/* {"tls_password_b64","tls_keystore_b64"} as the TLS table wants it, still in the clear. */
static bool make_pkcs12_plaintext(const struct tls_identity *identity, struct secret *ret_plaintext, struct error *error)
{
	AUTO_SECRET struct secret password = {0};
	AUTO_WIPED_BUFFER struct buffer password_b64 = {0};
	AUTO_BUFFER struct buffer pkcs12_b64 = {0};
	AUTO_BUFFER struct buffer pkcs12 = {0};
	AUTO_JSON json_t *object = json_object();
	uint8_t random[TLS_PASSWORD_RANDOM_SIZE];

	if (!secret_init(&password, 2 * sizeof random + 1, error))
		return false;
	if (RAND_bytes(random, sizeof random) != 1)
		return error_set(error, ERROR_CRYPTO, "no random bytes");
	hex_encode(view_of(random, sizeof random), (char *)password.data);
	secret_wipe(random, sizeof random);
	if (!tls_identity_to_pkcs12(identity, view_of(password.data, password.size - 1), &pkcs12, error))
		return false;
	base64_encode(buffer_view(&pkcs12), &pkcs12_b64);
	/* Room at once, so that no copy of it stays behind where the buffer grew. */
	buffer_reserve(&password_b64, 2 * password.size);
	base64_encode(view_of(password.data, password.size - 1), &password_b64);
	(void)json_object_set_new(object, "tls_password_b64", json_string(buffer_text(&password_b64)));
	(void)json_object_set_new(object, "tls_keystore_b64", json_string(buffer_text(&pkcs12_b64)));
	return json_write_secret(object, ret_plaintext, error);
}

static bool set_base64(json_t *object, const char *name, struct view bytes)
{
	AUTO_WIPED_BUFFER struct buffer text = {0};

	/* Room at once, so that no copy of it stays behind where the buffer grew. */
	buffer_reserve(&text, 2 * bytes.size + 8);
	base64_encode(bytes, &text);
	return json_object_set_new(object, name, json_string(buffer_text(&text))) == 0;
}

/* {"tls_key_pem_b64","tls_chain_pem_b64"}, as an operator has them. */
static bool make_pem_plaintext(const struct tls_identity *identity, struct secret *ret_plaintext, struct error *error)
{
	AUTO_JSON json_t *object = json_object();
	AUTO_SECRET struct secret key = {0};

	return tls_identity_key_to_pem(identity, &key, error) && set_base64(object, "tls_key_pem_b64", secret_view(&key)) &&
	       set_base64(object, "tls_chain_pem_b64", buffer_view(&identity->chain)) &&
	       json_write_secret(object, ret_plaintext, error);
}

/* The row as it is, or {0}: what else is in it stays. */
static bool read_row(struct tls_table *table, struct tls_row *ret_row, struct error *error)
{
	if (tls_table_get(table, TLS_TABLE_KEY_ID, ret_row, error))
		return true;
	ret_row->key_id = TLS_TABLE_KEY_ID;
	return error->code == ERROR_NOT_FOUND;
}

bool local_tls_is_there(const struct local_folder *folder, const struct tls_identity *identity)
{
	AUTO_TLS_TABLE struct tls_table *table = NULL;
	AUTO_BUFFER struct buffer chain_b64 = {0};
	AUTO_TLS_ROW struct tls_row row = {0};
	struct error ignored;

	if (!file_exists(folder->tables))
		return false;
	table = tls_table_open_sqlite(folder->tables, &ignored);
	if (!table || !tls_table_get(table, TLS_TABLE_KEY_ID, &row, &ignored))
		return false;
	base64_encode(buffer_view(&identity->chain), &chain_b64);
	return strcmp(buffer_text(&chain_b64), row.cert_pem) == 0;
}

static bool encrypt(const struct local_setup *setup, const struct tls_identity *identity, struct buffer *ret_ciphertext,
		    struct error *error)
{
	AUTO_SECRET struct secret plaintext = {0};

	if (!(setup->settings->tls_is_own ? make_pem_plaintext : make_pkcs12_plaintext)(identity, &plaintext, error))
		return false;
	if (plaintext.size > KMS_PLAINTEXT_MAX_SIZE)
		return error_set(
			error, ERROR_INPUT,
			"the identity takes %zu bytes, and KMS seals %d: use an EC key, or leave the root out of the chain",
			plaintext.size, KMS_PLAINTEXT_MAX_SIZE);
	return kms_encrypt(&setup->kms->kms, setup->settings->kms_key_arn, NO_CONTEXT, secret_view(&plaintext), ret_ciphertext,
			   error);
}

static char *text_of_base64(struct view bytes)
{
	AUTO_BUFFER struct buffer text = {0};

	base64_encode(bytes, &text);
	return memory_copy_text(buffer_text(&text));
}

static bool store_tls(const struct local_setup *setup, const struct tls_identity *identity, struct error *error)
{
	AUTO_TLS_TABLE struct tls_table *table = tls_table_open_sqlite(setup->folder->tables, error);
	AUTO_BUFFER struct buffer ciphertext = {0};
	AUTO_TLS_ROW struct tls_row row = {0};

	if (!table || !read_row(table, &row, error) || !encrypt(setup, identity, &ciphertext, error))
		return false;
	free(row.encrypted_tls_key_b64);
	free(row.cert_pem);
	row.encrypted_tls_key_b64 = text_of_base64(buffer_view(&ciphertext));
	row.cert_pem = text_of_base64(buffer_view(&identity->chain));
	return tls_table_put(table, &row, error);
}

/* ---- setup ---- */

static bool is_usual_name(const char *host)
{
	static const char *const usual[] = {"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"};

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		if (strcmp(usual[i], host) == 0)
			return true;
	}
	return false;
}

static bool set_up_own(const struct local_setup *setup, const struct tls_identity *own, struct error *error)
{
	AUTO_BUFFER struct buffer anchor = {0};

	if (!own->key.data || local_tls_is_there(setup->folder, own))
		return true;
	return store_tls(setup, own, error) && tls_identity_anchor(own, &anchor, error) &&
	       file_write_atomic(setup->folder->ca, buffer_view(&anchor), 0644, error);
}

static bool set_up_made(const struct local_setup *setup, struct error *error)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer ca_pem = {0};
	struct local_settings *settings = setup->settings;
	char host[LOCAL_LISTEN_SIZE];
	const char *const names[] = {"localhost", "127.0.0.1", "::1", host};
	size_t name_count = ARRAY_SIZE(names);
	uint64_t now_ms = clock_realtime_ms();
	uint16_t port;

	local_settings_host(settings, host, &port);
	if (is_usual_name(host)) {
		host[0] = 0;
		name_count--;
	}
	if (file_exists(setup->folder->ca) && strcmp(host, settings->tls_listen) == 0 && settings->tls_created_ms <= now_ms &&
	    settings->tls_created_ms + TLS_RENEW_AFTER_MS > now_ms)
		return true;
	if (!tls_identity_create("ensign local", names, name_count, TLS_DAYS, &identity, &ca_pem, error) ||
	    !store_tls(setup, &identity, error) || !file_write_atomic(setup->folder->ca, buffer_view(&ca_pem), 0644, error))
		return false;
	(void)snprintf(settings->tls_listen, sizeof settings->tls_listen, "%s", host);
	settings->tls_created_ms = now_ms;
	return true;
}

bool local_setup_tls(const struct local_setup *setup, const struct tls_identity *own, struct error *error)
{
	bool done = setup->settings->tls_is_own ? set_up_own(setup, own, error) : set_up_made(setup, error);

	return done || error_prefix(error, "TLS");
}
