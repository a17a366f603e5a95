/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's cache of points: always the signature that bls_sign() makes, within its bounds, on many threads. */
#include "enclave/keeper/points.h"

#include <pthread.h>

#include "vectors.h"

#define THREADS 4
#define SIGNATURES_PER_THREAD 100
/* More than fit, so that entries change hands while they are in use. */
#define MANY_ROOTS (KEEPER_POINTS_MAX + 8)

static void sign_and_compare(struct keeper_points *points, uint8_t key, uint64_t root_number)
{
	uint8_t secret_key[BLS_SECRET_KEY_SIZE] = {[30] = 1, [31] = key};
	uint8_t root[32] = {0}, expected[BLS_SIGNATURE_SIZE], got[BLS_SIGNATURE_SIZE];
	const struct bls_signing signing = {secret_key, got};

	store_le64(root, root_number);
	bls_sign(secret_key, root, expected);
	keeper_points_sign(points, root, &signing, 1);
	assert_memory_equal(got, expected, sizeof got);
}

static void assert_measure(struct keeper_points *points, size_t expected_points, size_t expected_tables)
{
	size_t count, tables;

	keeper_points_measure(points, &count, &tables);
	assert_int_equal(count, expected_points);
	assert_int_equal(tables, expected_tables);
}

static void a_table_from_the_second_request_on(void **state)
{
	struct keeper_points *points = keeper_points_new();

	(void)state;
	sign_and_compare(points, 1, 1);
	assert_measure(points, 1, 0);
	sign_and_compare(points, 2, 1);
	assert_measure(points, 1, 1);
	for (uint8_t key = 3; key < 20; key++)
		sign_and_compare(points, key, 1);
	assert_measure(points, 1, 1);
	keeper_points_free(points);
}

/* Of a root that nobody asked for yet: the first two are signed on the way to the table, the rest with it. */
static void several_at_one_time(void **state)
{
	struct keeper_points *points = keeper_points_new();
	uint8_t keys[G2_COMB_BATCH_MAX][BLS_SECRET_KEY_SIZE] = {{0}};
	uint8_t got[G2_COMB_BATCH_MAX][BLS_SIGNATURE_SIZE], expected[BLS_SIGNATURE_SIZE];
	const uint8_t root[32] = {9};
	struct bls_signing signings[G2_COMB_BATCH_MAX];

	(void)state;
	for (size_t i = 0; i < G2_COMB_BATCH_MAX; i++) {
		keys[i][31] = (uint8_t)(i + 1);
		keys[i][0] = (uint8_t)(8 * i);
		signings[i] = (struct bls_signing){keys[i], got[i]};
	}
	for (size_t count = G2_COMB_BATCH_MAX; count > 0; count--) {
		memset(got, 0, sizeof got);
		keeper_points_sign(points, root, signings, count);
		for (size_t i = 0; i < count; i++) {
			bls_sign(keys[i], root, expected);
			assert_memory_equal(got[i], expected, sizeof expected);
		}
	}
	assert_measure(points, 1, 1);
	keeper_points_free(points);
}

static void the_oldest_makes_room(void **state)
{
	struct keeper_points *points = keeper_points_new();

	(void)state;
	sign_and_compare(points, 1, 1);
	sign_and_compare(points, 1, 1);
	for (uint64_t i = 0; i < KEEPER_POINTS_MAX - 1; i++)
		sign_and_compare(points, 1, 100 + i);
	assert_measure(points, KEEPER_POINTS_MAX, 1);
	sign_and_compare(points, 1, 1); /* so it is not the oldest now */
	sign_and_compare(points, 1, 1000);
	assert_measure(points, KEEPER_POINTS_MAX, 1);
	for (uint64_t i = 0; i < KEEPER_POINTS_MAX; i++)
		sign_and_compare(points, 1, 2000 + i);
	assert_measure(points, KEEPER_POINTS_MAX, 0);
	keeper_points_free(points);
}

static void *sign_many(void *argument)
{
	struct keeper_points *points = (struct keeper_points *)argument;

	for (uint64_t i = 0; i < SIGNATURES_PER_THREAD; i++) {
		sign_and_compare(points, (uint8_t)(i + 1), i / 10);
		sign_and_compare(points, 1, 1000 + i % MANY_ROOTS);
	}
	return NULL;
}

static void many_threads(void **state)
{
	struct keeper_points *points = keeper_points_new();
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sign_many, points), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	keeper_points_free(points);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_from_the_second_request_on),
		cmocka_unit_test(several_at_one_time),
		cmocka_unit_test(the_oldest_makes_room),
		cmocka_unit_test(many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
