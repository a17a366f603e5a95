/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/keystore.h"

#include <limits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "eth/keystore_parts.h"

#define SALT_SIZE 32
#define SCRYPT_R 8
#define SCRYPT_P 1
/* 2^63 is no count any more; what is allowed is far below and checked as for a file. */
#define COST_LOG2_MAX 62

static void cipher_done(EVP_CIPHER_CTX **context)
{
	EVP_CIPHER_CTX_free(*context);
}

static void digest_done(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

#define AUTO_CIPHER CLEANUP(cipher_done)
#define AUTO_DIGEST CLEANUP(digest_done)

void keystore_secret_done(struct keystore_secret *secret)
{
	if (secret)
		secret_done(&secret->secret_key);
}

/* SHA-256 of the second half of the derived key and the ciphertext. */
static bool compute_checksum(const struct secret *derived_key, struct view ciphertext, uint8_t ret_checksum[KEYSTORE_CHECKSUM_SIZE],
			     struct error *error)
{
	AUTO_DIGEST EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (context && EVP_DigestInit_ex2(context, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(context, derived_key->data + KEYSTORE_CIPHER_KEY_SIZE,
			     KEYSTORE_DERIVED_KEY_SIZE - KEYSTORE_CIPHER_KEY_SIZE) == 1 &&
	    EVP_DigestUpdate(context, ciphertext.data, ciphertext.size) == 1 &&
	    EVP_DigestFinal_ex(context, ret_checksum, NULL) == 1)
		return true;
	ERR_clear_error();
	return error_set(error, ERROR_CRYPTO, "SHA-256 failed");
}

/* AES-128-CTR, the same in both directions; 32 bytes. */
static bool apply_cipher(const struct secret *derived_key, const uint8_t iv[KEYSTORE_IV_SIZE],
			 const uint8_t bytes[BLS_SECRET_KEY_SIZE], uint8_t ret_bytes[BLS_SECRET_KEY_SIZE], struct error *error)
{
	AUTO_CIPHER EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int size = 0;

	if (context && EVP_EncryptInit_ex2(context, EVP_aes_128_ctr(), derived_key->data, iv, NULL) == 1 &&
	    EVP_EncryptUpdate(context, ret_bytes, &size, bytes, BLS_SECRET_KEY_SIZE) == 1)
		return true;
	ERR_clear_error();
	return error_set(error, ERROR_CRYPTO, "AES-128-CTR failed");
}

/* `cache` may be NULL. */
static bool derive_key(struct keystore_kdf_cache *cache, const struct keystore_kdf_parameters *kdf, struct view password,
		       struct secret *ret_key, struct error *error)
{
	AUTO_SECRET struct secret encoded = {0};

	if (!keystore_password_encode(password, &encoded, error))
		return false;
	return cache ? keystore_kdf_derive_cached(cache, kdf, &encoded, ret_key, error)
		     : keystore_kdf_derive(kdf, &encoded, ret_key, error);
}

/* The IV is not under the checksum: a changed one gives another key, which only the public key can tell. */
static bool check_public_key(const struct keystore_file *file, struct keystore_secret *secret, struct error *error)
{
	if (!bls_secret_key_valid(secret->secret_key.data))
		return error_set(error, ERROR_INPUT, "crypto: cipher: message: what is inside is no BLS secret key");
	if (!bls_public_key_derive(secret->secret_key.data, secret->public_key, error))
		return false;
	if (file->has_public_key && memcmp(secret->public_key, file->public_key, BLS_PUBLIC_KEY_SIZE) != 0)
		return error_set(error, ERROR_CRYPTO, "pubkey: not that of the secret key inside");
	return true;
}

static bool open_file(const struct keystore_file *file, const struct secret *derived_key, struct keystore_secret *ret_secret,
		      struct error *error)
{
	AUTO_KEYSTORE_SECRET struct keystore_secret secret = {0};
	uint8_t checksum[KEYSTORE_CHECKSUM_SIZE];

	if (!compute_checksum(derived_key, buffer_view(&file->ciphertext), checksum, error))
		return false;
	if (!secret_equal(view_of(checksum, sizeof checksum), view_of(file->checksum, sizeof file->checksum)))
		return error_set(error, ERROR_CRYPTO, "wrong password");
	if (file->ciphertext.size != BLS_SECRET_KEY_SIZE)
		return error_set(error, ERROR_INPUT, "crypto: cipher: message: %zu bytes are no BLS secret key",
				 file->ciphertext.size);
	if (!secret_init(&secret.secret_key, BLS_SECRET_KEY_SIZE, error) ||
	    !apply_cipher(derived_key, file->iv, file->ciphertext.data, secret.secret_key.data, error) ||
	    !check_public_key(file, &secret, error))
		return false;
	*ret_secret = secret;
	secret = (struct keystore_secret){0};
	return true;
}

bool keystore_decrypt_cached(struct keystore_kdf_cache *cache, struct view json, struct view password,
			     struct keystore_secret *ret_secret, struct error *error)
{
	AUTO_KEYSTORE_FILE struct keystore_file file = {0};
	AUTO_SECRET struct secret derived_key = {0};

	return keystore_file_parse(json, &file, error) && derive_key(cache, &file.kdf, password, &derived_key, error) &&
	       open_file(&file, &derived_key, ret_secret, error);
}

bool keystore_decrypt(struct view json, struct view password, struct keystore_secret *ret_secret, struct error *error)
{
	return keystore_decrypt_cached(NULL, json, password, ret_secret, error);
}

static bool choose_kdf(enum keystore_kdf kdf, unsigned cost_log2, struct keystore_kdf_parameters *ret_kdf, struct error *error)
{
	if (cost_log2 > COST_LOG2_MAX)
		return error_set(error, ERROR_INPUT, "kdf cost: 2^%u is too costly", cost_log2);
	ret_kdf->function = kdf;
	ret_kdf->n = 1ull << cost_log2;
	ret_kdf->r = SCRYPT_R;
	ret_kdf->p = SCRYPT_P;
	ret_kdf->count = 1ull << cost_log2;
	if (!keystore_kdf_check(ret_kdf, error))
		return error_prefix(error, "kdf cost");
	buffer_reserve(&ret_kdf->salt, SALT_SIZE);
	if (RAND_bytes(ret_kdf->salt.data, SALT_SIZE) != 1)
		return error_set(error, ERROR_CRYPTO, "no random bytes");
	ret_kdf->salt.size = SALT_SIZE;
	return true;
}

static bool seal_file(const struct secret *secret_key, const struct secret *derived_key, struct keystore_file *file,
		      struct error *error)
{
	if (RAND_bytes(file->iv, sizeof file->iv) != 1)
		return error_set(error, ERROR_CRYPTO, "no random bytes");
	buffer_reserve(&file->ciphertext, BLS_SECRET_KEY_SIZE);
	if (!apply_cipher(derived_key, file->iv, secret_key->data, file->ciphertext.data, error))
		return false;
	file->ciphertext.size = BLS_SECRET_KEY_SIZE;
	return compute_checksum(derived_key, buffer_view(&file->ciphertext), file->checksum, error);
}

struct keystore_batch {
	struct keystore_kdf_parameters kdf;
	struct secret derived_key;
};

struct keystore_batch *keystore_batch_new(struct view password, enum keystore_kdf kdf, unsigned kdf_cost_log2, struct error *error)
{
	struct keystore_batch *batch = (struct keystore_batch *)memory_allocate_zeroed(1, sizeof *batch);

	if (choose_kdf(kdf, kdf_cost_log2, &batch->kdf, error) &&
	    derive_key(NULL, &batch->kdf, password, &batch->derived_key, error))
		return batch;
	keystore_batch_free(batch);
	return NULL;
}

void keystore_batch_free(struct keystore_batch *batch)
{
	if (!batch)
		return;
	buffer_done(&batch->kdf.salt);
	secret_done(&batch->derived_key);
	free(batch);
}

static bool check_secret_key(const struct secret *secret_key, uint8_t ret_public_key[BLS_PUBLIC_KEY_SIZE], struct error *error)
{
	if (secret_key->size != BLS_SECRET_KEY_SIZE)
		return error_set(error, ERROR_INPUT, "secret key: %zu bytes, expected %d", secret_key->size, BLS_SECRET_KEY_SIZE);
	return bls_public_key_derive(secret_key->data, ret_public_key, error);
}

bool keystore_batch_encrypt(const struct keystore_batch *batch, const struct secret *secret_key, const char *path,
			    const char *description, struct buffer *ret_json, struct error *error)
{
	AUTO_KEYSTORE_FILE struct keystore_file file = {.kdf = batch->kdf, .has_public_key = true};

	/* A copy, for the file owns its salt. */
	file.kdf.salt = (struct buffer){0};
	buffer_append(&file.kdf.salt, buffer_view(&batch->kdf.salt));
	return check_secret_key(secret_key, file.public_key, error) && seal_file(secret_key, &batch->derived_key, &file, error) &&
	       keystore_file_write(&file, path, description, ret_json, error);
}

bool keystore_encrypt(const struct secret *secret_key, struct view password, enum keystore_kdf kdf, unsigned kdf_cost_log2,
		      const char *path, const char *description, struct buffer *ret_json, struct error *error)
{
	AUTO_KEYSTORE_BATCH struct keystore_batch *batch = NULL;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];

	/* Before the costly part. */
	if (!check_secret_key(secret_key, public_key, error))
		return false;
	batch = keystore_batch_new(password, kdf, kdf_cost_log2, error);
	return batch && keystore_batch_encrypt(batch, secret_key, path, description, ret_json, error);
}
