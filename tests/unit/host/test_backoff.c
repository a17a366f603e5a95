/* SPDX-License-Identifier: Apache-2.0 */
#include "host/backoff.h"

#include "vectors.h"

static void doubles_up_to_the_cap(void **state)
{
	static const unsigned longest_ms[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
	struct backoff backoff = {.first_ms = 1000, .max_ms = 30000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(longest_ms); i++)
		assert_in_range(backoff_next_ms(&backoff, false), longest_ms[i] / 2, longest_ms[i]);
	assert_int_equal(backoff.failures, ARRAY_SIZE(longest_ms));
}

static void first_is_free_once(void **state)
{
	struct backoff backoff = {.first_ms = 1000, .max_ms = 30000};

	(void)state;
	assert_int_equal(backoff_next_ms(&backoff, true), 0);
	assert_in_range(backoff_next_ms(&backoff, true), 500, 1000);
	assert_in_range(backoff_next_ms(&backoff, true), 1000, 2000);
	backoff.failures = 0;
	assert_int_equal(backoff_next_ms(&backoff, true), 0);
}

static void never_overflows(void **state)
{
	struct backoff backoff = {.first_ms = 1000, .max_ms = 30000, .failures = UINT32_MAX};

	(void)state;
	assert_in_range(backoff_next_ms(&backoff, false), 15000, 30000);
	assert_int_equal(backoff.failures, UINT32_MAX);
	backoff = (struct backoff){.first_ms = 60000, .max_ms = 30000};
	assert_in_range(backoff_next_ms(&backoff, false), 15000, 30000);
}

static void has_jitter(void **state)
{
	bool differs = false;

	(void)state;
	for (int i = 0; i < 50 && !differs; i++) {
		struct backoff a = {.first_ms = 1000000, .max_ms = 1000000};
		struct backoff b = a;

		differs = backoff_next_ms(&a, false) != backoff_next_ms(&b, false);
	}
	assert_true(differs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_up_to_the_cap),
		cmocka_unit_test(first_is_free_once),
		cmocka_unit_test(never_overflows),
		cmocka_unit_test(has_jitter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
