/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/keys.h"

#include <stdatomic.h>

#include "base/clock.h"

/* Twice the most records, rounded up to a power of two: chains stay short. */
#define INDEX_SLOTS (1u << 19)
/* Records never move, since signing threads count their jobs in them. */
#define RECORDS_PER_CHUNK 4096
#define RECORD_CHUNKS ((KEEPER_RECORDS_MAX + RECORDS_PER_CHUNK - 1) / RECORDS_PER_CHUNK)
/* While one set takes the place of another there may be secrets of both. */
#define SECRETS_MAX (2 * KEEPER_KEYS_MAX)
#define SECRET_CHUNKS ((SECRETS_MAX + KEEPER_KEYS_PER_CHUNK - 1) / KEEPER_KEYS_PER_CHUNK)

struct key_record {
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	struct duty_memory memory;
	uint32_t place;     /* of the secret, + 1; 0: it has none */
	uint64_t staged;    /* the load that has it; loads are counted from 1 */
	uint64_t loaded_ms; /* monotonic */
	bool is_loaded;
	bool is_leaving;
	atomic_uint jobs; /* that use the secret */
};

/* Numbers, last in, first out. */
struct stack {
	uint32_t *numbers;
	size_t count;
};

struct keeper_keys {
	struct key_record *records[RECORD_CHUNKS];
	size_t record_count;
	uint32_t *index;   /* number of a record + 1; 0: free. Untouched pages cost nothing */
	uint32_t *serving; /* numbers of the records that sign, KEEPER_KEYS_MAX of them */
	size_t serving_count;
	uint64_t generation;
	struct secret secrets[SECRET_CHUNKS];
	size_t place_count; /* ever made */
	struct stack free_places;
	struct stack leaving; /* records whose secret may have to go */
	uint64_t load;        /* the last that was begun */
	bool is_loading;
	struct stack staged; /* by the present load */
};

static struct stack stack_new(size_t capacity)
{
	return (struct stack){.numbers = (uint32_t *)memory_allocate_zeroed(capacity, sizeof(uint32_t))};
}

static void push(struct stack *stack, size_t number)
{
	stack->numbers[stack->count++] = (uint32_t)number;
}

struct keeper_keys *keeper_keys_new(void)
{
	struct keeper_keys *keys = (struct keeper_keys *)memory_allocate_zeroed(1, sizeof *keys);

	keys->index = (uint32_t *)memory_allocate_zeroed(INDEX_SLOTS, sizeof *keys->index);
	keys->serving = (uint32_t *)memory_allocate_zeroed(KEEPER_KEYS_MAX, sizeof *keys->serving);
	keys->free_places = stack_new(SECRETS_MAX);
	keys->leaving = stack_new(SECRETS_MAX);
	keys->staged = stack_new(KEEPER_KEYS_MAX);
	return keys;
}

void keeper_keys_free(struct keeper_keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < SECRET_CHUNKS; i++)
		secret_done(&keys->secrets[i]);
	for (size_t i = 0; i < RECORD_CHUNKS; i++)
		free(keys->records[i]);
	free(keys->index);
	free(keys->serving);
	free(keys->free_places.numbers);
	free(keys->leaving.numbers);
	free(keys->staged.numbers);
	free(keys);
}

/* ---- records ---- */

static struct key_record *record_at(const struct keeper_keys *keys, size_t number)
{
	return &keys->records[number / RECORDS_PER_CHUNK][number % RECORDS_PER_CHUNK];
}

/*
 * A public key is a uniformly distributed x coordinate, so its last bytes are a hash already. Nobody but the operator adds
 * keys, so nobody can choose them to collide.
 */
static uint32_t first_slot(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	return load_be32(public_key + BLS_PUBLIC_KEY_SIZE - 4) % INDEX_SLOTS;
}

/* The slot of the index that holds the key, or the free one where it belongs. */
static uint32_t find_slot(const struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	uint32_t slot = first_slot(public_key);

	while (keys->index[slot] != 0 &&
	       memcmp(record_at(keys, keys->index[slot] - 1)->public_key, public_key, BLS_PUBLIC_KEY_SIZE) != 0)
		slot = (slot + 1) % INDEX_SLOTS;
	return slot;
}

bool keeper_keys_find_record(const struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], size_t *ret_number)
{
	uint32_t slot = find_slot(keys, public_key);

	if (keys->index[slot] == 0)
		return false;
	*ret_number = keys->index[slot] - 1;
	return true;
}

bool keeper_keys_find(const struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], size_t *ret_number)
{
	return keeper_keys_find_record(keys, public_key, ret_number) && record_at(keys, *ret_number)->is_loaded;
}

static bool add_record(struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], size_t *ret_number,
		       struct error *error)
{
	struct key_record **chunk = &keys->records[keys->record_count / RECORDS_PER_CHUNK];

	if (keys->record_count == KEEPER_RECORDS_MAX)
		return error_set(error, ERROR_POLICY, "more than %d keys since the enclave started", KEEPER_RECORDS_MAX);
	if (!*chunk)
		*chunk = (struct key_record *)memory_allocate_zeroed(RECORDS_PER_CHUNK, sizeof **chunk);
	*ret_number = keys->record_count++;
	memcpy(record_at(keys, *ret_number)->public_key, public_key, BLS_PUBLIC_KEY_SIZE);
	keys->index[find_slot(keys, public_key)] = (uint32_t)keys->record_count;
	return true;
}

size_t keeper_keys_count(const struct keeper_keys *keys)
{
	return keys->serving_count;
}

uint64_t keeper_keys_generation(const struct keeper_keys *keys)
{
	return keys->generation;
}

const uint8_t *keeper_keys_public(const struct keeper_keys *keys, size_t position)
{
	return record_at(keys, keys->serving[position])->public_key;
}

uint64_t keeper_keys_loaded_ms(const struct keeper_keys *keys, size_t number)
{
	return record_at(keys, number)->loaded_ms;
}

struct duty_memory *keeper_keys_memory(struct keeper_keys *keys, size_t number)
{
	return &record_at(keys, number)->memory;
}

/* ---- secrets ---- */

static uint8_t *secret_at(const struct keeper_keys *keys, size_t place)
{
	return keys->secrets[place / KEEPER_KEYS_PER_CHUNK].data + place % KEEPER_KEYS_PER_CHUNK * BLS_SECRET_KEY_SIZE;
}

static bool take_place(struct keeper_keys *keys, size_t *ret_place, struct error *error)
{
	struct secret *chunk = &keys->secrets[keys->place_count / KEEPER_KEYS_PER_CHUNK];

	if (keys->free_places.count > 0) {
		*ret_place = keys->free_places.numbers[--keys->free_places.count];
		return true;
	}
	if (keys->place_count == SECRETS_MAX)
		return error_set(error, ERROR_POLICY, "more than %d keys", SECRETS_MAX);
	if (!chunk->data && !secret_init(chunk, (size_t)KEEPER_KEYS_PER_CHUNK * BLS_SECRET_KEY_SIZE, error))
		return false;
	*ret_place = keys->place_count++;
	return true;
}

static bool keep_secret(struct keeper_keys *keys, struct key_record *record, const uint8_t secret_key[BLS_SECRET_KEY_SIZE],
			struct error *error)
{
	size_t place = 0;

	/* It left a moment ago, and its secret is still there for its last jobs. */
	if (record->place)
		return true;
	if (!take_place(keys, &place, error))
		return false;
	memcpy(secret_at(keys, place), secret_key, BLS_SECRET_KEY_SIZE);
	record->place = (uint32_t)place + 1;
	return true;
}

const uint8_t *keeper_keys_hold(struct keeper_keys *keys, size_t number)
{
	struct key_record *record = record_at(keys, number);

	(void)atomic_fetch_add_explicit(&record->jobs, 1, memory_order_relaxed);
	return secret_at(keys, record->place - 1);
}

void keeper_keys_release(struct keeper_keys *keys, size_t number)
{
	(void)atomic_fetch_sub_explicit(&record_at(keys, number)->jobs, 1, memory_order_release);
}

static bool is_staged(const struct keeper_keys *keys, const struct key_record *record)
{
	return keys->is_loading && record->staged == keys->load;
}

/* True: its secret is gone, or wanted after all. */
static bool let_go(struct keeper_keys *keys, struct key_record *record)
{
	if (record->is_loaded || is_staged(keys, record) || !record->place)
		return true;
	if (atomic_load_explicit(&record->jobs, memory_order_acquire) > 0)
		return false;
	secret_wipe(secret_at(keys, record->place - 1), BLS_SECRET_KEY_SIZE);
	push(&keys->free_places, record->place - 1);
	record->place = 0;
	return true;
}

size_t keeper_keys_sweep(struct keeper_keys *keys)
{
	size_t left = 0;

	for (size_t i = 0; i < keys->leaving.count; i++) {
		uint32_t number = keys->leaving.numbers[i];

		record_at(keys, number)->is_leaving = !let_go(keys, record_at(keys, number));
		if (record_at(keys, number)->is_leaving)
			keys->leaving.numbers[left++] = number;
	}
	keys->leaving.count = left;
	return left;
}

/* ---- loads ---- */

static void leave(struct keeper_keys *keys, size_t number)
{
	if (!record_at(keys, number)->is_leaving)
		push(&keys->leaving, number);
	record_at(keys, number)->is_leaving = true;
}

void keeper_keys_abort(struct keeper_keys *keys)
{
	keys->is_loading = false;
	for (size_t i = 0; i < keys->staged.count; i++) {
		if (!record_at(keys, keys->staged.numbers[i])->is_loaded)
			leave(keys, keys->staged.numbers[i]);
	}
	keys->staged.count = 0;
	(void)keeper_keys_sweep(keys);
}

void keeper_keys_begin(struct keeper_keys *keys)
{
	keeper_keys_abort(keys);
	keys->load++;
	keys->is_loading = true;
}

size_t keeper_keys_staged_count(const struct keeper_keys *keys)
{
	return keys->staged.count;
}

static bool may_stage(const struct keeper_keys *keys, const struct key_record *record, struct error *error)
{
	if (is_staged(keys, record))
		return error_set(error, ERROR_INPUT, "the key is given twice");
	return keys->staged.count < KEEPER_KEYS_MAX || error_set(error, ERROR_POLICY, "more than %d keys", KEEPER_KEYS_MAX);
}

static void stage(struct keeper_keys *keys, size_t number)
{
	record_at(keys, number)->staged = keys->load;
	push(&keys->staged, number);
}

static bool check_public_key(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], const uint8_t secret_key[BLS_SECRET_KEY_SIZE],
			     struct error *error)
{
	uint8_t derived[BLS_PUBLIC_KEY_SIZE];

	if (bls_public_key_matches(secret_key, public_key))
		return true;
	if (!bls_public_key_derive(secret_key, derived, error))
		return false;
	if (memcmp(derived, public_key, sizeof derived) != 0)
		return error_set(error, ERROR_CRYPTO, "the secret key belongs to another public key");
	return true;
}

bool keeper_keys_stage(struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
		       const uint8_t secret_key[BLS_SECRET_KEY_SIZE], struct error *error)
{
	size_t number;

	if (!check_public_key(public_key, secret_key, error))
		return false;
	if (!keeper_keys_find_record(keys, public_key, &number) && !add_record(keys, public_key, &number, error))
		return false;
	if (!may_stage(keys, record_at(keys, number), error) || !keep_secret(keys, record_at(keys, number), secret_key, error))
		return false;
	stage(keys, number);
	return true;
}

bool keeper_keys_stage_held(struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], struct error *error)
{
	size_t number;

	if (!keeper_keys_find(keys, public_key, &number))
		return error_set(error, ERROR_NOT_FOUND, "the key is not loaded");
	if (!may_stage(keys, record_at(keys, number), error))
		return false;
	stage(keys, number);
	return true;
}

static uint64_t unload_the_rest(struct keeper_keys *keys)
{
	uint64_t removed = 0;

	for (size_t i = 0; i < keys->serving_count; i++) {
		struct key_record *record = record_at(keys, keys->serving[i]);

		if (is_staged(keys, record))
			continue;
		record->is_loaded = false;
		leave(keys, keys->serving[i]);
		removed++;
	}
	return removed;
}

/* One that was unloaded in the middle of the load is not staged any more. */
void keeper_keys_end(struct keeper_keys *keys, uint64_t *ret_added, uint64_t *ret_removed)
{
	uint64_t added = 0;

	*ret_removed = unload_the_rest(keys);
	keys->generation++;
	keys->serving_count = 0;
	for (size_t i = 0; i < keys->staged.count; i++) {
		struct key_record *record = record_at(keys, keys->staged.numbers[i]);

		if (!is_staged(keys, record))
			continue;
		if (!record->is_loaded)
			record->loaded_ms = clock_monotonic_ms();
		added += !record->is_loaded;
		record->is_loaded = true;
		keys->serving[keys->serving_count++] = keys->staged.numbers[i];
	}
	keys->staged.count = 0;
	keys->is_loading = false;
	*ret_added = added;
	(void)keeper_keys_sweep(keys);
}

void keeper_keys_unload(struct keeper_keys *keys, size_t number)
{
	struct key_record *record = record_at(keys, number);
	size_t left = 0;

	record->is_loaded = false;
	record->staged = 0;
	keys->generation++;
	for (size_t i = 0; i < keys->serving_count; i++) {
		if (keys->serving[i] != number)
			keys->serving[left++] = keys->serving[i];
	}
	keys->serving_count = left;
	leave(keys, number);
	(void)keeper_keys_sweep(keys);
}

void keeper_keys_measure(const struct keeper_keys *keys, size_t *ret_slots, size_t *ret_used, size_t *ret_records)
{
	*ret_slots = keys->place_count;
	*ret_used = keys->place_count - keys->free_places.count;
	*ret_records = keys->record_count;
}

bool keeper_keys_send(const struct keeper_keys *keys, int fd, const struct message_list_keys *request, struct error *error)
{
	struct message_keys page;

	message_init(&page, MESSAGE_KEYS, request->header.id);
	page.total = keeper_keys_count(keys);
	page.generation = keeper_keys_generation(keys);
	page.first = request->first;
	while (page.count < MESSAGE_KEYS_CAPACITY && page.first < page.total && page.count < page.total - page.first) {
		memcpy(page.keys[page.count], keeper_keys_public(keys, (size_t)(page.first + page.count)), BLS_PUBLIC_KEY_SIZE);
		page.count++;
	}
	return message_send(fd, &page, error);
}
