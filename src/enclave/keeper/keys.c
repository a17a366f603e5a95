/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/keys.h"

/* Twice the most keys, rounded up to a power of two: chains stay short. */
#define INDEX_SLOTS (1u << 18)
#define CHUNK_COUNT ((KEEPER_KEYS_MAX + KEEPER_KEYS_PER_CHUNK - 1) / KEEPER_KEYS_PER_CHUNK)

struct key_record {
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	struct watermark watermark;
};

struct keeper_keys {
	size_t count;
	size_t capacity; /* of records */
	struct key_record *records;
	struct secret chunks[CHUNK_COUNT];
	uint32_t *slots; /* index + 1; 0: free. Untouched pages cost nothing */
};

struct keeper_keys *keeper_keys_new(void)
{
	struct keeper_keys *keys = (struct keeper_keys *)memory_allocate_zeroed(1, sizeof *keys);

	keys->slots = (uint32_t *)memory_allocate_zeroed(INDEX_SLOTS, sizeof *keys->slots);
	return keys;
}

void keeper_keys_free(struct keeper_keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < CHUNK_COUNT; i++)
		secret_done(&keys->chunks[i]);
	free(keys->slots);
	free(keys->records);
	free(keys);
}

/*
 * A public key is a uniformly distributed x coordinate, so its last bytes are a hash already. Nobody but the operator adds
 * keys, so nobody can choose them to collide.
 */
static uint32_t first_slot(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	return load_be32(public_key + BLS_PUBLIC_KEY_SIZE - 4) % INDEX_SLOTS;
}

/* The slot that holds the key, or the free one where it belongs. */
static uint32_t find_slot(const struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	uint32_t slot = first_slot(public_key);

	while (keys->slots[slot] != 0 &&
	       memcmp(keys->records[keys->slots[slot] - 1].public_key, public_key, BLS_PUBLIC_KEY_SIZE) != 0)
		slot = (slot + 1) % INDEX_SLOTS;
	return slot;
}

static bool make_room(struct keeper_keys *keys, struct error *error)
{
	struct secret *chunk = &keys->chunks[keys->count / KEEPER_KEYS_PER_CHUNK];
	struct key_record *grown;

	if (!chunk->data && !secret_init(chunk, (size_t)KEEPER_KEYS_PER_CHUNK * BLS_SECRET_KEY_SIZE, error))
		return false;
	if (keys->count < keys->capacity)
		return true;
	keys->capacity = keys->capacity ? keys->capacity * 2 : 64;
	grown = (struct key_record *)memory_allocate_zeroed(keys->capacity, sizeof *grown);
	if (keys->count)
		memcpy(grown, keys->records, keys->count * sizeof *grown);
	free(keys->records);
	keys->records = grown;
	return true;
}

bool keeper_keys_add(struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
		     const uint8_t secret_key[BLS_SECRET_KEY_SIZE], struct error *error)
{
	uint8_t derived[BLS_PUBLIC_KEY_SIZE];
	uint32_t slot;

	if (keys->count == KEEPER_KEYS_MAX)
		return error_set(error, ERROR_POLICY, "more than %d keys", KEEPER_KEYS_MAX);
	if (!bls_public_key_derive(secret_key, derived, error))
		return false;
	if (memcmp(derived, public_key, sizeof derived) != 0)
		return error_set(error, ERROR_CRYPTO, "the secret key belongs to another public key");
	slot = find_slot(keys, public_key);
	if (keys->slots[slot] != 0)
		return error_set(error, ERROR_INPUT, "the key is given twice");
	if (!make_room(keys, error))
		return false;
	memcpy(keys->records[keys->count].public_key, public_key, BLS_PUBLIC_KEY_SIZE);
	memcpy(keys->chunks[keys->count / KEEPER_KEYS_PER_CHUNK].data + keys->count % KEEPER_KEYS_PER_CHUNK * BLS_SECRET_KEY_SIZE,
	       secret_key, BLS_SECRET_KEY_SIZE);
	keys->count++;
	keys->slots[slot] = (uint32_t)keys->count;
	return true;
}

size_t keeper_keys_count(const struct keeper_keys *keys)
{
	return keys->count;
}

bool keeper_keys_find(const struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], size_t *ret_index)
{
	uint32_t slot = find_slot(keys, public_key);

	if (keys->slots[slot] == 0)
		return false;
	*ret_index = keys->slots[slot] - 1;
	return true;
}

const uint8_t *keeper_keys_public(const struct keeper_keys *keys, size_t index)
{
	return keys->records[index].public_key;
}

const uint8_t *keeper_keys_secret(const struct keeper_keys *keys, size_t index)
{
	return keys->chunks[index / KEEPER_KEYS_PER_CHUNK].data + index % KEEPER_KEYS_PER_CHUNK * BLS_SECRET_KEY_SIZE;
}

struct watermark *keeper_keys_watermark(struct keeper_keys *keys, size_t index)
{
	return &keys->records[index].watermark;
}
