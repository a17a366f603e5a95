/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/tls_sealed.h"

#include <openssl/rand.h>

/* As 64 hex digits. */
#define TLS_PASSWORD_RANDOM_SIZE 32
#define NO_CONTEXT ((struct kms_context){NULL, NULL})

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

static bool encrypt(const struct tls_identity *identity, bool as_pem, const struct kms_client *kms, const char *kms_key_arn,
		    struct buffer *ret_ciphertext, struct error *error)
{
	AUTO_SECRET struct secret plaintext = {0};

	if (!(as_pem ? make_pem_plaintext : make_pkcs12_plaintext)(identity, &plaintext, error))
		return false;
	if (plaintext.size > KMS_PLAINTEXT_MAX_SIZE)
		return error_set(
			error, ERROR_INPUT,
			"the identity takes %zu bytes, and KMS seals %d: use an EC key, or leave the root out of the chain",
			plaintext.size, KMS_PLAINTEXT_MAX_SIZE);
	return kms_encrypt(kms, kms_key_arn, NO_CONTEXT, secret_view(&plaintext), ret_ciphertext, error);
}

static char *text_of_base64(struct view bytes)
{
	AUTO_BUFFER struct buffer text = {0};

	base64_encode(bytes, &text);
	return memory_copy_text(buffer_text(&text));
}

void tls_sealed_done(struct tls_sealed *sealed)
{
	free(sealed->encrypted_tls_key_b64);
	free(sealed->cert_pem);
	*sealed = (struct tls_sealed){0};
}

bool tls_seal(const struct tls_identity *identity, bool as_pem, const struct kms_client *kms, const char *kms_key_arn,
	      struct tls_sealed *ret_sealed, struct error *error)
{
	AUTO_BUFFER struct buffer ciphertext = {0};

	if (!encrypt(identity, as_pem, kms, kms_key_arn, &ciphertext, error))
		return false;
	ret_sealed->encrypted_tls_key_b64 = text_of_base64(buffer_view(&ciphertext));
	ret_sealed->cert_pem = text_of_base64(buffer_view(&identity->chain));
	return true;
}

static struct tls_row row_of(uint64_t key_id, const struct tls_sealed *sealed)
{
	return (struct tls_row){
		.key_id = key_id, .encrypted_tls_key_b64 = sealed->encrypted_tls_key_b64, .cert_pem = sealed->cert_pem};
}

bool tls_sealed_put(struct tls_table *table, uint64_t key_id, const struct tls_sealed *sealed, struct error *error)
{
	const struct tls_row row = row_of(key_id, sealed);

	return tls_table_put_identity(table, &row, error);
}

bool tls_sealed_add(struct tls_table *table, uint64_t key_id, const struct tls_sealed *sealed, bool *ret_added, struct error *error)
{
	const struct tls_row row = row_of(key_id, sealed);

	return tls_table_add_identity(table, &row, ret_added, error);
}
