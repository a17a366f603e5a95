/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/keystore_parts.h"

#include <pthread.h>
#include <sys/sysinfo.h>

#include <openssl/err.h>
#include <openssl/evp.h>

/* An entry: SHA-256 of what goes into the derivation, and what came out. */
#define FINGERPRINT_SIZE 32
#define ENTRY_SIZE (FINGERPRINT_SIZE + KEYSTORE_DERIVED_KEY_SIZE)

/* Of all caches, so that {0} is one: it is held for a moment only. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER; /* any derivation */

struct keystore_derivation {
	struct secret *entry; /* its fingerprint is there already */
	uint64_t memory;
	struct keystore_derivation *next;
};

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

static bool has_fingerprint_of(const struct secret *entry, const struct secret *other)
{
	return secret_equal(view_of(entry->data, FINGERPRINT_SIZE), view_of(other->data, FINGERPRINT_SIZE));
}

static const struct secret *find_entry(const struct keystore_kdf_cache *cache, const struct secret *entry)
{
	for (size_t i = 0; i < KEYSTORE_KDF_CACHE_SIZE; i++) {
		const struct secret *other = &cache->entries[i];

		if (other->data && has_fingerprint_of(other, entry))
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

static uint64_t find_memory_max(void)
{
	struct sysinfo machine;
	uint64_t half;

	if (sysinfo(&machine) != 0)
		return KEYSTORE_DERIVATION_MEMORY_MAX;
	half = (uint64_t)machine.totalram / 2 * machine.mem_unit;
	return half < KEYSTORE_DERIVATION_MEMORY_MAX ? half : KEYSTORE_DERIVATION_MEMORY_MAX;
}

/* Not what another thread derives just then, and not beyond the memory. */
static bool may_begin(const struct keystore_kdf_cache *cache, const struct keystore_derivation *derivation)
{
	uint64_t memory = 0;

	for (const struct keystore_derivation *other = cache->under_way; other; other = other->next) {
		if (has_fingerprint_of(other->entry, derivation->entry))
			return false;
		memory += other->memory;
	}
	return memory == 0 || memory + derivation->memory <= find_memory_max();
}

/* *ret_known: the key was copied out of the cache; otherwise the derivation is the caller's, who has to end it. */
static bool find_or_begin(struct keystore_kdf_cache *cache, struct keystore_derivation *derivation, bool *ret_known,
			  struct secret *ret_key, struct error *error)
{
	const struct secret *found;
	bool ok = true;

	(void)pthread_mutex_lock(&lock);
	while (!(found = find_entry(cache, derivation->entry)) && !may_begin(cache, derivation))
		(void)pthread_cond_wait(&ended, &lock);
	*ret_known = found != NULL;
	if (found) {
		ok = secret_init_copy(ret_key, view_of(found->data + FINGERPRINT_SIZE, KEYSTORE_DERIVED_KEY_SIZE), error);
	} else {
		derivation->next = cache->under_way;
		cache->under_way = derivation;
	}
	(void)pthread_mutex_unlock(&lock);
	return ok;
}

/* `key` is empty when it failed: then who waits for it tries for himself. */
static void end_derivation(struct keystore_kdf_cache *cache, const struct keystore_derivation *derivation, const struct secret *key)
{
	struct keystore_derivation **link = &cache->under_way;

	(void)pthread_mutex_lock(&lock);
	while (*link != derivation)
		link = &(*link)->next;
	*link = derivation->next;
	if (key->data) {
		memcpy(derivation->entry->data + FINGERPRINT_SIZE, key->data, KEYSTORE_DERIVED_KEY_SIZE);
		keep_entry(cache, derivation->entry);
	}
	(void)pthread_cond_broadcast(&ended);
	(void)pthread_mutex_unlock(&lock);
}

bool keystore_kdf_derive_cached(struct keystore_kdf_cache *cache, const struct keystore_kdf_parameters *kdf,
				const struct secret *password, struct secret *ret_key, struct error *error)
{
	AUTO_SECRET struct secret entry = {0};
	AUTO_SECRET struct secret key = {0};
	struct keystore_derivation derivation = {.entry = &entry, .memory = keystore_kdf_memory(kdf)};
	bool is_known = false;
	bool ok;

	if (!secret_init(&entry, ENTRY_SIZE, error) || !compute_fingerprint(kdf, password, entry.data, error) ||
	    !find_or_begin(cache, &derivation, &is_known, &key, error))
		return false;
	ok = is_known || keystore_kdf_derive(kdf, password, &key, error);
	if (!is_known)
		end_derivation(cache, &derivation, &key);
	if (!ok)
		return false;
	*ret_key = key;
	key = (struct secret){0};
	return true;
}
