/* SPDX-License-Identifier: Apache-2.0 */
/* One cache, many threads. The linker puts a derivation of our own in place of keystore_kdf_derive(): one that takes its time and counts. */
#include "keystore_support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define THREADS 8
#define DERIVATION_US 20000

static atomic_uint derivations;
static atomic_uint failures_left;
static atomic_uint at_work;
static atomic_uint most_at_work;

bool __wrap_keystore_kdf_derive(const struct keystore_kdf_parameters *kdf, const struct secret *password, struct secret *ret_key,
				struct error *error);

bool __wrap_keystore_kdf_derive(const struct keystore_kdf_parameters *kdf, const struct secret *password, struct secret *ret_key,
				struct error *error)
{
	unsigned now_at_work = atomic_fetch_add(&at_work, 1) + 1;
	unsigned most = atomic_load(&most_at_work);

	(void)password;
	while (most < now_at_work && !atomic_compare_exchange_weak(&most_at_work, &most, now_at_work))
		;
	(void)usleep(DERIVATION_US);
	(void)atomic_fetch_sub(&at_work, 1);
	if (atomic_fetch_add(&derivations, 1) < atomic_load(&failures_left))
		return error_set(error, ERROR_IO, "out of memory");
	if (!secret_init(ret_key, KEYSTORE_DERIVED_KEY_SIZE, error))
		return false;
	memset(ret_key->data, kdf->salt.data[0], ret_key->size);
	return true;
}

static int begin(void **state)
{
	(void)state;
	atomic_store(&derivations, 0);
	atomic_store(&failures_left, 0);
	atomic_store(&most_at_work, 0);
	return 0;
}

struct user {
	struct keystore_kdf_cache *cache;
	struct keystore_kdf_parameters kdf;
	uint8_t salt;
	bool ok;
};

static void *use(void *context)
{
	struct user *user = (struct user *)context;
	uint8_t byte = 'p';
	const struct secret password = {&byte, 1};
	AUTO_SECRET struct secret key = {0};
	struct error error = {0};

	user->ok = keystore_kdf_derive_cached(user->cache, &user->kdf, &password, &key, &error) &&
		   key.size == KEYSTORE_DERIVED_KEY_SIZE && key.data[0] == user->salt;
	return NULL;
}

/* All at once with one cache, each `salts` one after the other; how many got their key. */
static size_t use_all(const struct keystore_kdf_parameters *kdf, uint8_t salts)
{
	AUTO_KEYSTORE_KDF_CACHE struct keystore_kdf_cache cache = {0};
	struct user users[THREADS];
	pthread_t threads[THREADS];
	size_t count = 0;

	for (uint8_t i = 0; i < THREADS; i++) {
		users[i] = (struct user){.cache = &cache, .kdf = *kdf, .salt = i % salts};
		users[i].kdf.salt = (struct buffer){&users[i].salt, 1, 1};
		assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		count += users[i].ok;
	}
	assert_null(cache.under_way);
	return count;
}

static const struct keystore_kdf_parameters usual = {.function = KEYSTORE_KDF_SCRYPT, .n = 1u << 18, .r = 8, .p = 1};

static void what_is_under_way_is_not_begun_again(void **state)
{
	static const struct keystore_kdf_parameters pbkdf2 = {.function = KEYSTORE_KDF_PBKDF2, .count = 1u << 18};

	(void)state;
	assert_int_equal(use_all(&usual, 1), THREADS);
	assert_int_equal(atomic_load(&derivations), 1);
	assert_int_equal(use_all(&pbkdf2, 3), THREADS);
	assert_int_equal(atomic_load(&derivations), 1 + 3);
}

/* One after the other who waited tries for himself. */
static void a_failure_is_nobody_elses(void **state)
{
	(void)state;
	atomic_store(&failures_left, 2);
	assert_int_equal(use_all(&usual, 1), THREADS - 2);
	assert_int_equal(atomic_load(&derivations), 3);
}

static void memory_is_bounded(void **state)
{
	static const struct {
		struct keystore_kdf_parameters kdf;
		unsigned most;
	} cases[] = {
		{{.function = KEYSTORE_KDF_SCRYPT, .n = 1u << 18, .r = 8, .p = 1}, 4},
		{{.function = KEYSTORE_KDF_SCRYPT, .n = 1u << 19, .r = 8, .p = 1}, 2},
		/* By itself above the bound. */
		{{.function = KEYSTORE_KDF_SCRYPT, .n = 1u << 19, .r = 8, .p = 1u << 19}, 1},
		{{.function = KEYSTORE_KDF_SCRYPT, .n = 1u << 20, .r = 8, .p = 1u << 12}, 1},
		{{.function = KEYSTORE_KDF_PBKDF2, .count = 1u << 18}, THREADS},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		atomic_store(&most_at_work, 0);
		assert_int_equal(use_all(&cases[i].kdf, THREADS), THREADS);
		assert_in_range(atomic_load(&most_at_work), 1, cases[i].most);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_under_way_is_not_begun_again, begin),
		cmocka_unit_test_setup(a_failure_is_nobody_elses, begin),
		cmocka_unit_test_setup(memory_is_bounded, begin),
	};

	return cmocka_run_group_tests(tests, prepare_secret_heap, NULL);
}
