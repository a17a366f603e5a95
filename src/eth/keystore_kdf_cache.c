/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/keystore_parts.h"

#include <openssl/err.h>
#include <openssl/evp.h>

/* An entry: SHA-256 of what goes into the derivation, and what came out. */
#define FINGERPRINT_SIZE 32
#define ENTRY_SIZE (FINGERPRINT_SIZE + KEYSTORE_DERIVED_KEY_SIZE)

void keystore_kdf_cache_done(struct keystore_kdf_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < KEYSTORE_KDF_CACHE_SIZE; i++)
		secret_done(&cache->entries[i]);
	*cache = (struct keystore_kdf_cache){0};
}

/* Numbers of fixed size first, and the salt's size among them: two different inputs never read the same. */
static bool compute_fingerprint(const struct keystore_kdf_parameters *kdf, const struct secret *password,
				uint8_t ret_fingerprint[FINGERPRINT_SIZE], struct error *error)
{
	const uint64_t numbers[] = {kdf->function, kdf->n, kdf->r, kdf->p, kdf->count, kdf->salt.size};
	AUTO_SECRET struct secret text = {0};
	uint8_t *next;

	if (!secret_init(&text, ARRAY_SIZE(numbers) * 8 + kdf->salt.size + password->size, error))
		return false;
	next = text.data;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++, next += 8)
		store_le64(next, numbers[i]);
	memcpy(next, kdf->salt.data, kdf->salt.size);
	memcpy(next + kdf->salt.size, password->data, password->size);
	if (EVP_Digest(text.data, text.size, ret_fingerprint, NULL, EVP_sha256(), NULL) == 1)
		return true;
	ERR_clear_error();
	return error_set(error, ERROR_CRYPTO, "SHA-256 failed");
}

static const struct secret *find_entry(const struct keystore_kdf_cache *cache, const struct secret *entry)
{
	for (size_t i = 0; i < KEYSTORE_KDF_CACHE_SIZE; i++) {
		const struct secret *other = &cache->entries[i];

		if (other->data && secret_equal(view_of(other->data, FINGERPRINT_SIZE), view_of(entry->data, FINGERPRINT_SIZE)))
			return other;
	}
	return NULL;
}

/* In place of the oldest. */
static void keep_entry(struct keystore_kdf_cache *cache, struct secret *entry)
{
	struct secret *place = &cache->entries[cache->next];

	secret_done(place);
	*place = *entry;
	*entry = (struct secret){0};
	cache->next = (cache->next + 1) % KEYSTORE_KDF_CACHE_SIZE;
}

bool keystore_kdf_derive_cached(struct keystore_kdf_cache *cache, const struct keystore_kdf_parameters *kdf,
				const struct secret *password, struct secret *ret_key, struct error *error)
{
	AUTO_SECRET struct secret entry = {0};
	AUTO_SECRET struct secret key = {0};
	const struct secret *found;

	if (!secret_init(&entry, ENTRY_SIZE, error) || !compute_fingerprint(kdf, password, entry.data, error))
		return false;
	found = find_entry(cache, &entry);
	if (found)
		return secret_init_copy(ret_key, view_of(found->data + FINGERPRINT_SIZE, KEYSTORE_DERIVED_KEY_SIZE), error);
	if (!keystore_kdf_derive(kdf, password, &key, error))
		return false;
	memcpy(entry.data + FINGERPRINT_SIZE, key.data, KEYSTORE_DERIVED_KEY_SIZE);
	keep_entry(cache, &entry);
	*ret_key = key;
	key = (struct secret){0};
	return true;
}
