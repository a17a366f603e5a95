/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aead.h"

#include <limits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

/* EVP counts in int; nothing that is sealed here comes near. */
#define AEAD_MAX_SIZE ((size_t)INT_MAX - AEAD_OVERHEAD)

static void cipher_done(EVP_CIPHER_CTX **context)
{
	EVP_CIPHER_CTX_free(*context);
}

#define AUTO_CIPHER CLEANUP(cipher_done)

static bool sizes_fit(struct view key, struct view additional_data, struct view text, struct error *error)
{
	if (key.size != AEAD_KEY_SIZE)
		return error_set(error, ERROR_INPUT, "AES-256-GCM key: %zu bytes, expected %d", key.size, AEAD_KEY_SIZE);
	if (additional_data.size > AEAD_MAX_SIZE || text.size > AEAD_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "AES-256-GCM: more than 2 GiB");
	return true;
}

/* Ciphertext and tag behind the nonce that is in `sealed` already. */
static bool encrypt(struct view key, struct view additional_data, struct view plaintext, uint8_t *sealed)
{
	AUTO_CIPHER EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t *ciphertext = sealed + AEAD_NONCE_SIZE;
	int size = 0;

	if (!context || EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), key.data, sealed, NULL) != 1)
		return false;
	if (EVP_EncryptUpdate(context, NULL, &size, additional_data.data, (int)additional_data.size) != 1)
		return false;
	if (EVP_EncryptUpdate(context, ciphertext, &size, plaintext.data, (int)plaintext.size) != 1)
		return false;
	if (EVP_EncryptFinal_ex(context, ciphertext + plaintext.size, &size) != 1)
		return false;
	return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, ciphertext + plaintext.size) == 1;
}

bool aead_seal(struct view key, struct view additional_data, struct view plaintext, struct buffer *ret_sealed, struct error *error)
{
	uint8_t *sealed;

	if (!sizes_fit(key, additional_data, plaintext, error))
		return false;
	buffer_reserve(ret_sealed, plaintext.size + AEAD_OVERHEAD);
	sealed = ret_sealed->data + ret_sealed->size;
	if (RAND_bytes(sealed, AEAD_NONCE_SIZE) != 1 || !encrypt(key, additional_data, plaintext, sealed)) {
		ERR_clear_error();
		return error_set(error, ERROR_CRYPTO, "AES-256-GCM: encryption failed");
	}
	ret_sealed->size += plaintext.size + AEAD_OVERHEAD;
	return true;
}

static bool decrypt(struct view key, struct view additional_data, struct view sealed, const struct secret *plaintext)
{
	AUTO_CIPHER EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	const uint8_t *ciphertext = sealed.data + AEAD_NONCE_SIZE;
	uint8_t tag[AEAD_TAG_SIZE];
	int size = 0;

	memcpy(tag, ciphertext + plaintext->size, sizeof tag);
	if (!context || EVP_DecryptInit_ex2(context, EVP_aes_256_gcm(), key.data, sealed.data, NULL) != 1)
		return false;
	if (EVP_DecryptUpdate(context, NULL, &size, additional_data.data, (int)additional_data.size) != 1)
		return false;
	if (EVP_DecryptUpdate(context, plaintext->data, &size, ciphertext, (int)plaintext->size) != 1)
		return false;
	if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) != 1)
		return false;
	return EVP_DecryptFinal_ex(context, plaintext->data + plaintext->size, &size) == 1;
}

bool aead_open(struct view key, struct view additional_data, struct view sealed, struct secret *ret_plaintext, struct error *error)
{
	AUTO_SECRET struct secret plaintext = {0};

	if (!sizes_fit(key, additional_data, sealed, error))
		return false;
	if (sealed.size < AEAD_OVERHEAD)
		return error_set(error, ERROR_CRYPTO, "AES-256-GCM: the sealed data does not open");
	if (!secret_init(&plaintext, sealed.size - AEAD_OVERHEAD, error))
		return false;
	if (!decrypt(key, additional_data, sealed, &plaintext)) {
		ERR_clear_error();
		return error_set(error, ERROR_CRYPTO, "AES-256-GCM: the sealed data does not open");
	}
	*ret_plaintext = plaintext;
	plaintext = (struct secret){0};
	return true;
}
