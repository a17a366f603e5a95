/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <unistd.h>

#include "vectors.h"

static const struct {
	uint64_t realtime_ms;
	const char *text;
	const char *basic;
} moments[] = {
	{0, "1970-01-01T00:00:00.000Z", "19700101T000000Z"},
	{1606824023000, "2020-12-01T12:00:23.000Z", "20201201T120023Z"}, /* genesis of the beacon chain */
	{951782399999, "2000-02-28T23:59:59.999Z", "20000228T235959Z"},
	{951782400001, "2000-02-29T00:00:00.001Z", "20000229T000000Z"},
	{4107542400000, "2100-03-01T00:00:00.000Z", "21000301T000000Z"},
	{253402300799999, "9999-12-31T23:59:59.999Z", "99991231T235959Z"},
};

static void test_format_and_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
		uint64_t whole_seconds = moments[i].realtime_ms / 1000 * 1000;
		char text[CLOCK_TEXT_SIZE];
		char basic[CLOCK_BASIC_TEXT_SIZE];
		uint64_t parsed = 1;

		clock_format(moments[i].realtime_ms, text);
		assert_string_equal(text, moments[i].text);
		clock_format_basic(moments[i].realtime_ms, basic);
		assert_string_equal(basic, moments[i].basic);
		assert_true(clock_parse(text, &parsed));
		assert_true(parsed == whole_seconds);
		parsed = 1;
		assert_true(clock_parse_basic(basic, &parsed));
		assert_true(parsed == whole_seconds);
	}
}

/* The operator's time zone must not matter. */
static void test_always_utc(void **state)
{
	char text[CLOCK_TEXT_SIZE];
	uint64_t parsed;

	(void)state;
	assert_int_equal(setenv("TZ", "Pacific/Auckland", 1), 0);
	tzset();
	clock_format(1606824023000, text);
	assert_string_equal(text, "2020-12-01T12:00:23.000Z");
	assert_true(clock_parse("2020-12-01T12:00:23Z", &parsed));
	assert_true(parsed == 1606824023000);
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
}

/* Every day of 430 years against the C library's calendar: leap years, centuries, the end of February. */
static void test_every_day(void **state)
{
	const time_t day = 86400;

	(void)state;
	for (time_t seconds = 0; seconds < 157000 * day; seconds += day) {
		time_t moment = seconds + seconds / day % day;
		char basic[CLOCK_BASIC_TEXT_SIZE];
		char expected[64];
		struct tm parts = {0};
		uint64_t parsed = 0;

		assert_non_null(gmtime_r(&moment, &parts));
		assert_true(strftime(expected, sizeof expected, "%Y%m%dT%H%M%SZ", &parts) > 0);
		clock_format_basic((uint64_t)moment * 1000, basic);
		assert_string_equal(basic, expected);
		assert_true(clock_parse_basic(basic, &parsed));
		assert_true(parsed == (uint64_t)moment * 1000);
	}
}

static void test_parse_fractions(void **state)
{
	static const char *const same[] = {"2020-12-01T12:00:23Z", "2020-12-01T12:00:23.9Z", "2020-12-01T12:00:23.123456789Z"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		uint64_t parsed = 0;

		assert_true(clock_parse(same[i], &parsed));
		assert_true(parsed == 1606824023000);
	}
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"Z",
		"2020-12-01",
		"2020-12-01T12:00:23",       /* no zone */
		"2020-12-01T12:00:23+00:00", /* only Z is read */
		"2020-12-01T12:00:23z",
		"2020-12-01t12:00:23Z",
		"2020-12-01 12:00:23Z",
		"2020-12-01T12:00:23.Z", /* a dot wants digits */
		"2020-12-01T12:00:23,5Z",
		"2020-12-01T12:00:23Z ",
		" 2020-12-01T12:00:23Z",
		"2020-12-01T12:00:23ZZ",
		"2020-12-01T12:00Z",
		"2020-12-1T12:00:23Z",
		"2020-12- 1T12:00:23Z",
		"2020-12-01T12:00: 3Z",
		"2020-13-01T12:00:23Z",
		"2020-00-01T12:00:23Z",
		"2020-12-00T12:00:23Z",
		"2020-12-32T12:00:23Z",
		"2021-02-29T12:00:23Z",
		"2020-04-31T12:00:23Z",
		"2020-12-01T24:00:00Z",
		"2020-12-01T12:60:00Z",
		"2020-12-01T12:00:60Z",
		"1969-12-31T23:59:59Z",
		"+020-12-01T12:00:23Z",
		"20201201T120023Z",
	};
	uint64_t parsed = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (clock_parse(bad[i], &parsed))
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(parsed, 42);
	}
}

static void test_parse_basic_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"20201201T120023",
		"20201201T120023ZZ",
		"2020-12-01T12:00:23Z",
		"20201201t120023Z",
		"20201201T120023z",
		"20201301T120023Z",
		"20210229T120023Z",
		"20201201T240000Z",
		"20201201T120060Z",
		"2020 1 1T 1 1 1Z",
		"20201201 120023Z",
		" 0201201T120023Z",
		"19691231T235959Z",
		"2020120aT120023Z",
		"20201201T12002Z",
		"020201201T120023Z",
	};
	uint64_t parsed = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (clock_parse_basic(bad[i], &parsed))
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(parsed, 42);
	}
}

static void test_clocks_run(void **state)
{
	uint64_t monotonic_ms = clock_monotonic_ms();
	uint64_t realtime_ms = clock_realtime_ms();
	uint64_t later_ms;

	(void)state;
	assert_true(realtime_ms > 1700000000000); /* milliseconds since 1970, not seconds */
	/* time() reads a coarser clock, which may be a tick behind. */
	assert_true(realtime_ms / 1000 <= (uint64_t)time(NULL) + 1);
	(void)usleep(20000);
	later_ms = clock_monotonic_ms();
	assert_true(later_ms >= monotonic_ms + 19);
	assert_true(later_ms < monotonic_ms + 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_and_parse), cmocka_unit_test(test_always_utc),
		cmocka_unit_test(test_every_day),        cmocka_unit_test(test_parse_fractions),
		cmocka_unit_test(test_parse_refuses),    cmocka_unit_test(test_parse_basic_refuses),
		cmocka_unit_test(test_clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
