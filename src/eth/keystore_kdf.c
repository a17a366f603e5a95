/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/keystore_parts.h"

#include <limits.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "eth/nfkd.h"

static bool is_control(int32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

bool keystore_password_encode(struct view password, struct secret *ret_bytes, struct error *error)
{
	if (password.size > KEYSTORE_PASSWORD_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "password: %zu bytes, at most %d are allowed", password.size,
				 KEYSTORE_PASSWORD_MAX_SIZE);
	/* Control codes go after the decomposition: what one kept apart stays in its order (ERC-2335). */
	return nfkd_normalize_text(password, "password", is_control, ret_bytes, error);
}

static bool check_scrypt(const struct keystore_kdf_parameters *kdf, struct error *error)
{
	uint64_t block = 0;
	uint64_t memory = 0;
	uint64_t work = 0;

	if (kdf->n < 2 || (kdf->n & (kdf->n - 1)) != 0)
		return error_set(error, ERROR_INPUT, "n: not a power of two above 1");
	if (kdf->r == 0 || kdf->p == 0)
		return error_set(error, ERROR_INPUT, "%s: 0", kdf->r ? "p" : "r");
	/* Memory is 128 r (n + p) bytes; n and p each alone within the limit, so that p cannot hide in it. */
	if (__builtin_mul_overflow(kdf->r, 128u, &block) ||
	    __builtin_mul_overflow(block, kdf->n > kdf->p ? kdf->n : kdf->p, &memory) || memory > KEYSTORE_SCRYPT_MEMORY_MAX)
		return error_set(error, ERROR_INPUT, "n, r, p: too costly, more than %llu MiB of memory",
				 KEYSTORE_SCRYPT_MEMORY_MAX >> 20);
	if (__builtin_mul_overflow(block * kdf->n, kdf->p, &work) || work > KEYSTORE_SCRYPT_WORK_MAX)
		return error_set(error, ERROR_INPUT, "n, r, p: too costly, p is too large");
	/* RFC 7914 section 2: n < 2^(128 r / 8). */
	if (kdf->r < 4 && kdf->n >= 1ull << (16 * kdf->r))
		return error_set(error, ERROR_INPUT, "n: not below 2^(16 r)");
	return true;
}

static bool check_pbkdf2(const struct keystore_kdf_parameters *kdf, struct error *error)
{
	if (kdf->count == 0)
		return error_set(error, ERROR_INPUT, "c: 0");
	if (kdf->count > KEYSTORE_PBKDF2_COUNT_MAX)
		return error_set(error, ERROR_INPUT, "c: too costly, more than %u rounds", KEYSTORE_PBKDF2_COUNT_MAX);
	return true;
}

bool keystore_kdf_check(const struct keystore_kdf_parameters *kdf, struct error *error)
{
	return kdf->function == KEYSTORE_KDF_SCRYPT ? check_scrypt(kdf, error) : check_pbkdf2(kdf, error);
}

uint64_t keystore_kdf_memory(const struct keystore_kdf_parameters *kdf)
{
	/* What OpenSSL counts: V and one block more than T, and B. */
	return kdf->function == KEYSTORE_KDF_SCRYPT ? 128 * kdf->r * (kdf->n + kdf->p + 2) : 0;
}

static bool derive_scrypt(const struct keystore_kdf_parameters *kdf, const struct secret *password, const struct secret *key)
{
	return EVP_PBE_scrypt((const char *)password->data, password->size, kdf->salt.data, kdf->salt.size, kdf->n, kdf->r, kdf->p,
			      keystore_kdf_memory(kdf), key->data, key->size) == 1;
}

static bool derive_pbkdf2(const struct keystore_kdf_parameters *kdf, const struct secret *password, const struct secret *key)
{
	return PKCS5_PBKDF2_HMAC((const char *)password->data, (int)password->size, kdf->salt.data, (int)kdf->salt.size,
				 (int)kdf->count, EVP_sha256(), (int)key->size, key->data) == 1;
}

bool keystore_kdf_derive(const struct keystore_kdf_parameters *kdf, const struct secret *password, struct secret *ret_key,
			 struct error *error)
{
	AUTO_SECRET struct secret key = {0};
	bool derived;

	if (!secret_init(&key, KEYSTORE_DERIVED_KEY_SIZE, error))
		return false;
	derived = kdf->function == KEYSTORE_KDF_SCRYPT ? derive_scrypt(kdf, password, &key) : derive_pbkdf2(kdf, password, &key);
	if (!derived) {
		ERR_clear_error();
		return error_set(error, ERROR_IO, "key derivation failed: not enough memory?");
	}
	*ret_key = key;
	key = (struct secret){0};
	return true;
}
