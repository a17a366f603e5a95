/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/keys.h"

#include "vectors.h"

struct pair {
	uint8_t secret_key[BLS_SECRET_KEY_SIZE];
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
};

static struct pair make_pair(uint32_t number)
{
	struct pair pair = {.secret_key = {[30] = (uint8_t)(number >> 8), [31] = (uint8_t)number}};
	struct error error = {0};

	assert_ok(bls_public_key_derive(pair.secret_key, pair.public_key, &error), &error);
	return pair;
}

static void load(struct keeper_keys *keys, const struct pair *pairs, size_t count, uint64_t *ret_added, uint64_t *ret_removed)
{
	struct error error = {0};

	keeper_keys_begin(keys);
	for (size_t i = 0; i < count; i++) {
		if (!keeper_keys_stage_held(keys, pairs[i].public_key, &error))
			assert_ok(keeper_keys_stage(keys, pairs[i].public_key, pairs[i].secret_key, &error), &error);
	}
	keeper_keys_end(keys, ret_added, ret_removed);
}

/* A window of keys that moves: each load takes one out and puts one in. */
static void ten_thousand_loads_do_not_grow(void **state)
{
	enum { KEYS = 64, WINDOW = 16, LOADS = 10000 };
	struct keeper_keys *keys = keeper_keys_new();
	struct pair pairs[KEYS + WINDOW];
	size_t slots, used, records;
	uint64_t added, removed;

	(void)state;
	for (uint32_t i = 0; i < KEYS; i++)
		pairs[i] = make_pair(i + 1);
	memcpy(pairs + KEYS, pairs, WINDOW * sizeof *pairs);
	for (size_t i = 0; i < LOADS; i++) {
		load(keys, pairs + i % KEYS, WINDOW, &added, &removed);
		assert_int_equal(added, i == 0 ? WINDOW : 1);
		assert_int_equal(removed, i == 0 ? 0 : 1);
		assert_int_equal(keeper_keys_count(keys), WINDOW);
	}
	keeper_keys_measure(keys, &slots, &used, &records);
	assert_in_range(slots, WINDOW, WINDOW + 1);
	assert_int_equal(used, WINDOW);
	assert_int_equal(records, KEYS);
	keeper_keys_free(keys);
}

static void a_secret_in_use_stays(void **state)
{
	struct keeper_keys *keys = keeper_keys_new();
	struct pair pair = make_pair(7);
	size_t number, slots, used, records;
	uint64_t added, removed;
	const uint8_t *secret;

	(void)state;
	load(keys, &pair, 1, &added, &removed);
	assert_true(keeper_keys_find(keys, pair.public_key, &number));
	secret = keeper_keys_hold(keys, number);
	load(keys, NULL, 0, &added, &removed);
	assert_false(keeper_keys_find(keys, pair.public_key, &number));
	assert_true(keeper_keys_find_record(keys, pair.public_key, &number));
	assert_int_equal(keeper_keys_sweep(keys), 1);
	assert_memory_equal(secret, pair.secret_key, sizeof pair.secret_key);
	/* It comes back and goes again meanwhile, many times. */
	for (size_t i = 0; i < 1000; i++) {
		load(keys, &pair, 1, &added, &removed);
		assert_int_equal(added, 1);
		load(keys, NULL, 0, &added, &removed);
		keeper_keys_begin(keys);
		keeper_keys_abort(keys);
	}
	assert_int_equal(keeper_keys_sweep(keys), 1);
	assert_memory_equal(secret, pair.secret_key, sizeof pair.secret_key);
	keeper_keys_release(keys, number);
	assert_int_equal(keeper_keys_sweep(keys), 0);
	keeper_keys_measure(keys, &slots, &used, &records);
	assert_int_equal(slots, 1);
	assert_int_equal(used, 0);
	assert_int_equal(records, 1);
	for (size_t i = 0; i < BLS_SECRET_KEY_SIZE; i++)
		assert_int_equal(secret[i], 0);
	keeper_keys_free(keys);
}

/* What a load gathered in vain leaves nothing behind. */
static void an_aborted_load_leaves_no_secret(void **state)
{
	struct keeper_keys *keys = keeper_keys_new();
	struct pair pairs[] = {make_pair(1), make_pair(2)};
	size_t slots, used, records;
	uint64_t added, removed;
	struct error error = {0};

	(void)state;
	load(keys, pairs, 1, &added, &removed);
	for (size_t i = 0; i < 100; i++) {
		keeper_keys_begin(keys);
		assert_ok(keeper_keys_stage(keys, pairs[1].public_key, pairs[1].secret_key, &error), &error);
		assert_ok(keeper_keys_stage_held(keys, pairs[0].public_key, &error), &error);
		assert_false(keeper_keys_stage_held(keys, pairs[0].public_key, &error));
		assert_int_equal(error.code, ERROR_INPUT);
	}
	keeper_keys_abort(keys);
	keeper_keys_measure(keys, &slots, &used, &records);
	assert_int_equal(used, 1);
	assert_int_equal(keeper_keys_count(keys), 1);
	assert_memory_equal(keeper_keys_public(keys, 0), pairs[0].public_key, BLS_PUBLIC_KEY_SIZE);
	keeper_keys_free(keys);
}

static void one_that_is_unloaded_is_not_loaded_by_the_load_under_way(void **state)
{
	struct keeper_keys *keys = keeper_keys_new();
	struct pair pairs[] = {make_pair(1), make_pair(2)};
	uint64_t added, removed;
	struct error error = {0};
	size_t number;

	(void)state;
	assert_int_equal(keeper_keys_generation(keys), 0);
	load(keys, pairs, 2, &added, &removed);
	assert_int_equal(keeper_keys_generation(keys), 1);
	keeper_keys_begin(keys);
	assert_ok(keeper_keys_stage_held(keys, pairs[0].public_key, &error), &error);
	assert_ok(keeper_keys_stage_held(keys, pairs[1].public_key, &error), &error);
	assert_true(keeper_keys_find(keys, pairs[0].public_key, &number));
	keeper_keys_unload(keys, number);
	assert_int_equal(keeper_keys_generation(keys), 2);
	keeper_keys_end(keys, &added, &removed);
	assert_int_equal(keeper_keys_count(keys), 1);
	assert_false(keeper_keys_find(keys, pairs[0].public_key, &number));
	keeper_keys_free(keys);
}

static int make_heap(void **state)
{
	struct error error = {0};

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_KEEPER, &error) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_loads_do_not_grow),
		cmocka_unit_test(a_secret_in_use_stays),
		cmocka_unit_test(an_aborted_load_leaves_no_secret),
		cmocka_unit_test(one_that_is_unloaded_is_not_loaded_by_the_load_under_way),
	};

	return cmocka_run_group_tests(tests, make_heap, NULL);
}
