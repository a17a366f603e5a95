/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS identity: opened, in each of the forms that it may be sealed in, or made. One that is made has a key that KMS made for this
 * enclave (GenerateDataKeyPair with Recipient), so what is stored of it is KMS's own ciphertext, and a certificate under a CA whose key is
 * thrown away here.
 */
#include "attestation/tls_statement.h"
#include "enclave/opener/opener.h"
#include "eth/ssz.h"

/* A sequence of ASN.1, and no JSON. */
#define DER_SEQUENCE 0x30
#define COMMON_NAME "ensign"

/* ---- opening ---- */

static bool read_pem(json_t *object, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_SECRET struct secret key = {0};
	AUTO_SECRET struct secret chain = {0};

	return json_read_base64_secret(object, "tls_key_pem_b64", &key, error) &&
	       json_read_base64_secret(object, "tls_chain_pem_b64", &chain, error) &&
	       tls_identity_from_pem(secret_view(&key), secret_view(&chain), ret_identity, error);
}

static bool read_json(const struct secret *plaintext, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(secret_view(plaintext), "TLS secret", error);
	AUTO_SECRET struct secret password = {0};
	AUTO_SECRET struct secret keystore = {0};

	if (object && json_object_get(object, "tls_key_pem_b64"))
		return read_pem(object, ret_identity, error);
	return object && json_read_base64_secret(object, "tls_password_b64", &password, error) &&
	       json_read_base64_secret(object, "tls_keystore_b64", &keystore, error) &&
	       tls_identity_from_pkcs12(secret_view(&keystore), secret_view(&password), ret_identity, error);
}

/* The certificate is the parent's to say, but only one of this very key will do. */
static bool read_der(const struct secret *plaintext, json_t *request, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_BUFFER struct buffer chain = {0};

	return json_read_base64(request, "tls_chain_pem_b64", TLS_IDENTITY_CHAIN_MAX_SIZE, &chain, error) &&
	       tls_identity_from_der(secret_view(plaintext), buffer_view(&chain), ret_identity, error);
}

bool opening_read_tls(struct opening *opening, json_t *request, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_SECRET struct secret plaintext = {0};
	bool ok;

	if (!opening_decrypt_member(opening, request, "encrypted_tls_key", (struct kms_context){0}, &plaintext, error))
		return false;
	ok = plaintext.data[0] == DER_SEQUENCE ? read_der(&plaintext, request, ret_identity, error)
					       : read_json(&plaintext, ret_identity, error);
	return ok || (error_prefix(error, "encrypted_tls_key"), opening_blame_content(error));
}

void opening_digest_tls(json_t *request, uint8_t ret_digest[DIGEST_SIZE])
{
	static const char *const names[] = {"encrypted_tls_key", "tls_chain_pem_b64"};
	AUTO_BUFFER struct buffer both = {0};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *text = json_string_value(json_object_get(request, names[i]));

		buffer_append_text(&both, text ? text : "");
		buffer_append_byte(&both, 0);
	}
	sha256(buffer_view(&both), ret_digest);
}

/* ---- making ---- */

struct wanted {
	const char *names[TLS_IDENTITY_NAMES_MAX];
	size_t name_count;
	unsigned days;
};

static bool read_wanted(json_t *request, struct wanted *ret_wanted, struct error *error)
{
	json_t *list, *item;
	uint64_t days;
	size_t index;

	if (!json_read_array(request, "names", &list, error) || !json_read_u64(request, "days", &days, error))
		return false;
	if (days == 0 || days > TLS_IDENTITY_DAYS_MAX)
		return error_set(error, ERROR_INPUT, "days: 1 to %d are allowed", TLS_IDENTITY_DAYS_MAX);
	if (json_array_size(list) == 0 || json_array_size(list) > TLS_IDENTITY_NAMES_MAX)
		return error_set(error, ERROR_INPUT, "names: 1 to %d are allowed", TLS_IDENTITY_NAMES_MAX);
	json_array_foreach(list, index, item)
	{
		if (!json_is_string(item))
			return error_set(error, ERROR_INPUT, "names[%zu]: not a string", index);
		ret_wanted->names[ret_wanted->name_count++] = json_string_value(item);
	}
	ret_wanted->days = (unsigned)days;
	return true;
}

static bool add_attestation(struct opener *opener, struct view chain, json_t *body, struct error *error)
{
	uint8_t digest[TLS_STATEMENT_DIGEST_SIZE];
	AUTO_BUFFER struct buffer document = {0};

	tls_statement_digest(chain, digest);
	if (!nsm_attest(opener->nsm, view_of(digest, sizeof digest), (struct view){0}, (struct view){0}, &document, error))
		return false;
	(void)json_object_set_new(body, "attestation_document_b64", json_text_of_base64(buffer_view(&document)));
	return true;
}

bool opener_create_tls(struct opener *opener, json_t *request, struct buffer *ret_body, struct error *error)
{
	CLEANUP(opening_done) struct opening opening = {0};
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer sealed_b64 = {0};
	AUTO_BUFFER struct buffer ca_pem = {0};
	AUTO_SECRET struct secret key = {0};
	AUTO_JSON json_t *body = NULL;
	struct wanted wanted = {0};

	if (!opening_init(&opening, opener, request, error) || !read_wanted(request, &wanted, error) ||
	    !opening_new_key_pair(&opening, &key, &sealed_b64, error) ||
	    !tls_identity_create_for_key(secret_view(&key), COMMON_NAME, wanted.names, wanted.name_count, wanted.days, &identity,
					 &ca_pem, error))
		return false;
	body = json_pack("{s:s, s:o}", "encrypted_tls_key_b64", buffer_text(&sealed_b64), "tls_chain_pem_b64",
			 json_text_of_base64(buffer_view(&identity.chain)));
	if (!add_attestation(opener, buffer_view(&identity.chain), body, error))
		return false;
	json_write(body, ret_body);
	return true;
}
