/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/sign_request_cache.h"

#include <pthread.h>

struct entry {
	uint64_t asked; /* by the clock of requests; 0: empty */
	size_t size;
	uint8_t body[SIGN_REQUEST_CACHE_BODY_MAX_SIZE];
	struct message_sign message; /* whatever its key */
};

struct sign_request_cache {
	const struct network *network;
	pthread_mutex_t lock; /* what follows */
	uint64_t clock;
	struct entry entries[SIGN_REQUEST_CACHE_MAX];
};

struct sign_request_cache *sign_request_cache_new(const struct network *network)
{
	struct sign_request_cache *cache = (struct sign_request_cache *)memory_allocate_zeroed(1, sizeof *cache);

	cache->network = network;
	(void)pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

void sign_request_cache_free(struct sign_request_cache *cache)
{
	if (!cache)
		return;
	(void)pthread_mutex_destroy(&cache->lock);
	free(cache);
}

/* With the lock held. */
static struct entry *find(struct sign_request_cache *cache, struct view body)
{
	for (size_t i = 0; i < SIGN_REQUEST_CACHE_MAX; i++) {
		struct entry *entry = &cache->entries[i];

		if (entry->asked && entry->size == body.size && memcmp(entry->body, body.data, body.size) == 0)
			return entry;
	}
	return NULL;
}

static struct entry *oldest(struct sign_request_cache *cache)
{
	struct entry *oldest = &cache->entries[0];

	for (size_t i = 1; i < SIGN_REQUEST_CACHE_MAX; i++) {
		if (cache->entries[i].asked < oldest->asked)
			oldest = &cache->entries[i];
	}
	return oldest;
}

static bool recall(struct sign_request_cache *cache, struct view body, struct message_sign *ret_message)
{
	struct entry *entry;

	(void)pthread_mutex_lock(&cache->lock);
	entry = find(cache, body);
	if (entry) {
		entry->asked = ++cache->clock;
		memcpy(ret_message, &entry->message, sizeof *ret_message);
	}
	(void)pthread_mutex_unlock(&cache->lock);
	return entry != NULL;
}

/* Another thread may have read the same meanwhile. */
static void remember(struct sign_request_cache *cache, struct view body, const struct message_sign *message)
{
	struct entry *entry;

	(void)pthread_mutex_lock(&cache->lock);
	entry = find(cache, body);
	if (!entry)
		entry = oldest(cache);
	entry->asked = ++cache->clock;
	entry->size = body.size;
	memcpy(entry->body, body.data, body.size);
	memcpy(&entry->message, message, sizeof *message);
	(void)pthread_mutex_unlock(&cache->lock);
}

bool sign_request_cache_parse(struct sign_request_cache *cache, struct view body, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
			      struct message_sign *ret_message, struct error *error)
{
	bool fits = body.size > 0 && body.size <= SIGN_REQUEST_CACHE_BODY_MAX_SIZE;

	if (fits && recall(cache, body, ret_message)) {
		memcpy(ret_message->public_key, public_key, BLS_PUBLIC_KEY_SIZE);
		return true;
	}
	if (!sign_request_parse(body, public_key, cache->network, ret_message, error))
		return false;
	if (fits)
		remember(cache, body, ret_message);
	return true;
}

size_t sign_request_cache_count(struct sign_request_cache *cache)
{
	size_t count = 0;

	(void)pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < SIGN_REQUEST_CACHE_MAX; i++)
		count += cache->entries[i].asked != 0;
	(void)pthread_mutex_unlock(&cache->lock);
	return count;
}
