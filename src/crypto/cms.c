/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cms.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "crypto/cms_fields.h"

#define RECIPIENT_KEY_BITS 2048 /* what KMS documents and everyone uses */
#define CONTENT_KEY_SIZE 32     /* AES-256 */
#define BLOCK_SIZE 16
/* What stands around the ciphertext: 461 - 16 bytes for RSA-2048, 256 more for RSA-4096. */
#define CMS_OVERHEAD_MAX 1024

static void pkey_context_done(EVP_PKEY_CTX **context)
{
	EVP_PKEY_CTX_free(*context);
}

static void cipher_done(EVP_CIPHER_CTX **context)
{
	EVP_CIPHER_CTX_free(*context);
}

#define AUTO_PKEY_CONTEXT CLEANUP(pkey_context_done)
#define AUTO_CIPHER CLEANUP(cipher_done)

EVP_PKEY *cms_recipient_key_generate(struct error *error)
{
	EVP_PKEY *key = EVP_RSA_gen(RECIPIENT_KEY_BITS);

	if (key)
		return key;
	ERR_clear_error();
	return error_set(error, ERROR_CRYPTO, "cannot generate an RSA key"), NULL;
}

bool cms_recipient_key_spki(EVP_PKEY *key, struct buffer *ret_der, struct error *error)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key, &der);

	if (size <= 0) {
		ERR_clear_error();
		return error_set(error, ERROR_CRYPTO, "cannot write the SubjectPublicKeyInfo of a key");
	}
	buffer_append(ret_der, view_of(der, (size_t)size));
	OPENSSL_free(der);
	return true;
}

static bool set_oaep_sha256(EVP_PKEY_CTX *context)
{
	return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1;
}

/* `room` is as large as the modulus, which is what EVP wants to be given. */
static bool decrypt_content_key(EVP_PKEY *key, struct view encrypted, const struct secret *room)
{
	AUTO_PKEY_CONTEXT EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	size_t size = room->size;

	if (!context || EVP_PKEY_decrypt_init(context) != 1 || !set_oaep_sha256(context))
		return false;
	return EVP_PKEY_decrypt(context, room->data, &size, encrypted.data, encrypted.size) == 1 && size == CONTENT_KEY_SIZE;
}

/* Plaintext into `room`, which has a block more than the ciphertext; *ret_size is the size without padding. */
static bool decrypt_content(const uint8_t *content_key, const struct cms_fields *fields, const struct secret *room,
			    size_t *ret_size)
{
	AUTO_CIPHER EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int size = 0;
	int last = 0;

	if (!context || EVP_DecryptInit_ex2(context, EVP_aes_256_cbc(), content_key, fields->iv, NULL) != 1)
		return false;
	if (EVP_DecryptUpdate(context, room->data, &size, fields->ciphertext.data, (int)fields->ciphertext.size) != 1)
		return false;
	if (EVP_DecryptFinal_ex(context, room->data + size, &last) != 1)
		return false;
	*ret_size = (size_t)size + (size_t)last;
	return true;
}

static bool decrypt(EVP_PKEY *key, const struct cms_fields *fields, struct secret *ret_plaintext, struct error *error)
{
	AUTO_SECRET struct secret content_key = {0};
	AUTO_SECRET struct secret room = {0};
	size_t size = 0;
	bool key_ok;
	bool content_ok;

	if (!secret_init(&content_key, (size_t)EVP_PKEY_get_size(key), error) ||
	    !secret_init(&room, fields->ciphertext.size + BLOCK_SIZE, error))
		return false;
	key_ok = decrypt_content_key(key, buffer_view(&fields->encrypted_key), &content_key);
	/* After a bad key too: which of the two was wrong shows neither in the message nor, much, in the time. */
	content_ok = decrypt_content(content_key.data, fields, &room, &size);
	ERR_clear_error();
	if (!key_ok || !content_ok)
		return error_set(error, ERROR_CRYPTO, "CMS: the blob does not open with this key");
	return secret_init_copy(ret_plaintext, view_of(room.data, size), error);
}

bool cms_open(EVP_PKEY *recipient_key, struct view blob, struct secret *ret_plaintext, struct error *error)
{
	AUTO_CMS_FIELDS struct cms_fields fields = {0};
	AUTO_BUFFER struct buffer spki = {0};
	AUTO_SECRET struct secret plaintext = {0};
	uint8_t key_identifier[SHA256_DIGEST_LENGTH];

	if (EVP_PKEY_get_base_id(recipient_key) != EVP_PKEY_RSA)
		return error_set(error, ERROR_BUG, "CMS: the recipient's key is not RSA");
	if (!cms_parse_fields(blob, &fields, error) || !cms_recipient_key_spki(recipient_key, &spki, error))
		return false;
	SHA256(spki.data, spki.size, key_identifier);
	if (memcmp(key_identifier, fields.key_identifier, sizeof key_identifier) != 0)
		return error_set(error, ERROR_CRYPTO, "CMS: the blob does not open with this key");
	if (!decrypt(recipient_key, &fields, &plaintext, error))
		return false;
	*ret_plaintext = plaintext;
	plaintext = (struct secret){0};
	return true;
}

/*
 * Sealing. Elements are written from the inside out: definite lengths are known by then, and the indefinite ones are a fixed
 * frame around everything.
 */

static void append_header(struct buffer *bytes, uint8_t tag, size_t size)
{
	buffer_append_byte(bytes, tag);
	if (size > 0xff)
		buffer_append(bytes, view_of((uint8_t[]){0x82, (uint8_t)(size >> 8), (uint8_t)size}, 3));
	else if (size > 0x7f)
		buffer_append(bytes, view_of((uint8_t[]){0x81, (uint8_t)size}, 2));
	else
		buffer_append_byte(bytes, (uint8_t)size);
}

static void append_element(struct buffer *bytes, uint8_t tag, struct view contents)
{
	append_header(bytes, tag, contents.size);
	buffer_append(bytes, contents);
}

static bool encrypt_content_key(EVP_PKEY *key, const struct secret *content_key, struct buffer *ret_encrypted)
{
	AUTO_PKEY_CONTEXT EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	size_t size = (size_t)EVP_PKEY_get_size(key);

	buffer_reserve(ret_encrypted, size);
	if (!context || EVP_PKEY_encrypt_init(context) != 1 || !set_oaep_sha256(context))
		return false;
	if (EVP_PKEY_encrypt(context, ret_encrypted->data, &size, content_key->data, content_key->size) != 1)
		return false;
	ret_encrypted->size = size;
	return true;
}

static bool encrypt_content(const struct secret *content_key, const uint8_t *iv, struct view plaintext,
			    struct buffer *ret_ciphertext)
{
	AUTO_CIPHER EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int size = 0;
	int last = 0;

	buffer_reserve(ret_ciphertext, plaintext.size + BLOCK_SIZE);
	if (!context || EVP_EncryptInit_ex2(context, EVP_aes_256_cbc(), content_key->data, iv, NULL) != 1)
		return false;
	if (EVP_EncryptUpdate(context, ret_ciphertext->data, &size, plaintext.data, (int)plaintext.size) != 1)
		return false;
	if (EVP_EncryptFinal_ex(context, ret_ciphertext->data + size, &last) != 1)
		return false;
	ret_ciphertext->size = (size_t)size + (size_t)last;
	return true;
}

/* KeyTransRecipientInfo inside the SET OF RecipientInfo, all of definite length. */
static void append_recipient_infos(struct buffer *blob, const struct cms_fields *fields)
{
	static const uint8_t version[] = {0x02, 0x01, 0x02};
	AUTO_BUFFER struct buffer contents = {0};
	AUTO_BUFFER struct buffer recipient = {0};

	buffer_append(&contents, view_of(version, sizeof version));
	append_element(&contents, 0x80, view_of(fields->key_identifier, sizeof fields->key_identifier));
	buffer_append(&contents, view_of(CMS_RSAES_OAEP_SHA256, CMS_RSAES_OAEP_SHA256_SIZE));
	append_element(&contents, 0x04, buffer_view(&fields->encrypted_key));
	append_element(&recipient, 0x30, buffer_view(&contents));
	append_element(blob, 0x31, buffer_view(&recipient));
}

static void write_blob(const struct cms_fields *fields, struct buffer *blob)
{
	/* ContentInfo, id-envelopedData, [0], EnvelopedData, version 2 */
	static const uint8_t head[] = {0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
				       0x01, 0x07, 0x03, 0xa0, 0x80, 0x30, 0x80, 0x02, 0x01, 0x02};
	/* EncryptedContentInfo, id-data, AES-256-CBC up to its IV */
	static const uint8_t content_head[] = {0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01,
					       0x30, 0x1d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a};
	static const uint8_t ciphertext_head[] = {0xa0, 0x80};
	/* of the [0] around the ciphertext, EncryptedContentInfo, EnvelopedData, [0], ContentInfo */
	static const uint8_t ends_of_contents[2 * 5] = {0};

	buffer_append(blob, view_of(head, sizeof head));
	append_recipient_infos(blob, fields);
	buffer_append(blob, view_of(content_head, sizeof content_head));
	append_element(blob, 0x04, view_of(fields->iv, sizeof fields->iv));
	buffer_append(blob, view_of(ciphertext_head, sizeof ciphertext_head));
	append_element(blob, 0x04, buffer_view(&fields->ciphertext));
	buffer_append(blob, view_of(ends_of_contents, sizeof ends_of_contents));
}

static EVP_PKEY *parse_spki(struct view spki, struct error *error)
{
	const unsigned char *next = spki.data;
	AUTO_PKEY EVP_PKEY *key = d2i_PUBKEY(NULL, &next, (long)spki.size);
	EVP_PKEY *taken = key;

	ERR_clear_error();
	if (!key || next != spki.data + spki.size)
		return error_set(error, ERROR_INPUT, "public_key: not a SubjectPublicKeyInfo in DER"), NULL;
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) < RECIPIENT_KEY_BITS)
		return error_set(error, ERROR_INPUT, "public_key: not an RSA key of at least %d bits", RECIPIENT_KEY_BITS), NULL;
	key = NULL;
	return taken;
}

bool cms_seal(struct view spki, struct view plaintext, struct buffer *ret_blob, struct error *error)
{
	AUTO_PKEY EVP_PKEY *key = NULL;
	AUTO_SECRET struct secret content_key = {0};
	AUTO_CMS_FIELDS struct cms_fields fields = {0};

	if (plaintext.size > CMS_MAX_SIZE - CMS_OVERHEAD_MAX)
		return error_set(error, ERROR_INPUT, "CMS: %zu bytes of plaintext are too many", plaintext.size);
	key = parse_spki(spki, error);
	if (!key || !secret_init(&content_key, CONTENT_KEY_SIZE, error))
		return false;
	SHA256(spki.data, spki.size, fields.key_identifier);
	if (RAND_priv_bytes(content_key.data, CONTENT_KEY_SIZE) != 1 || RAND_bytes(fields.iv, sizeof fields.iv) != 1 ||
	    !encrypt_content_key(key, &content_key, &fields.encrypted_key) ||
	    !encrypt_content(&content_key, fields.iv, plaintext, &fields.ciphertext)) {
		ERR_clear_error();
		return error_set(error, ERROR_CRYPTO, "CMS: sealing failed");
	}
	write_blob(&fields, ret_blob);
	return true;
}
