/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

static uint64_t read_clock_us(clockid_t id)
{
	struct timespec now;

	if (clock_gettime(id, &now) != 0)
		abort(); /* both clocks always exist on Linux */
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_realtime_ms(void)
{
	return read_clock_us(CLOCK_REALTIME) / 1000;
}

uint64_t clock_monotonic_ms(void)
{
	return read_clock_us(CLOCK_MONOTONIC) / 1000;
}

uint64_t clock_monotonic_us(void)
{
	return read_clock_us(CLOCK_MONOTONIC);
}

/*
 * The C library's calendar functions open the time zone file on first use, which a sandboxed role dies of. UTC needs no zone:
 * these are the proleptic Gregorian calendar in years that begin in March, so that the leap day comes last.
 */
struct civil_time {
	unsigned year, month, day, hour, minute, second;
};

#define DAYS_PER_ERA 146097u  /* 400 years */
#define DAYS_TO_EPOCH 719468u /* from 0000-03-01 to 1970-01-01 */
#define SECONDS_PER_DAY 86400u

static struct civil_time to_civil(uint64_t seconds)
{
	uint64_t days = seconds / SECONDS_PER_DAY + DAYS_TO_EPOCH;
	unsigned rest = (unsigned)(seconds % SECONDS_PER_DAY);
	unsigned day_of_era = (unsigned)(days % DAYS_PER_ERA);
	unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned march_month = (5 * day_of_year + 2) / 153;
	unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;

	return (struct civil_time){
		.year = (unsigned)(days / DAYS_PER_ERA) * 400 + year_of_era + (month <= 2),
		.month = month,
		.day = day_of_year - (153 * march_month + 2) / 5 + 1,
		.hour = rest / 3600,
		.minute = rest / 60 % 60,
		.second = rest % 60,
	};
}

/* False for a date or time that the calendar does not have, and before 1970. */
static bool from_civil(const struct civil_time *time, uint64_t *ret_realtime_ms)
{
	unsigned year = time->month <= 2 ? time->year - 1 : time->year;
	unsigned march_month = time->month <= 2 ? time->month + 9 : time->month - 3;
	unsigned day_of_year = (153 * march_month + 2) / 5 + time->day - 1;
	unsigned day_of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + day_of_year;
	uint64_t days = (uint64_t)(year / 400) * DAYS_PER_ERA + day_of_era;
	struct civil_time check;
	uint64_t seconds;

	if (time->year < 1970 || time->month < 1 || time->month > 12 || time->day < 1 || time->hour > 23 || time->minute > 59 ||
	    time->second > 59)
		return false;
	seconds = (days - DAYS_TO_EPOCH) * SECONDS_PER_DAY + time->hour * 3600 + time->minute * 60 + time->second;
	check = to_civil(seconds);
	if (check.month != time->month || check.day != time->day)
		return false;
	*ret_realtime_ms = seconds * 1000;
	return true;
}

void clock_format(uint64_t realtime_ms, char ret_text[CLOCK_TEXT_SIZE])
{
	struct civil_time time = to_civil(realtime_ms / 1000);

	(void)snprintf(ret_text, CLOCK_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", time.year % 10000, time.month, time.day,
		       time.hour, time.minute, time.second, (unsigned)(realtime_ms % 1000));
}

void clock_format_basic(uint64_t realtime_ms, char ret_text[CLOCK_BASIC_TEXT_SIZE])
{
	struct civil_time time = to_civil(realtime_ms / 1000);

	(void)snprintf(ret_text, CLOCK_BASIC_TEXT_SIZE, "%04u%02u%02uT%02u%02u%02uZ", time.year % 10000, time.month, time.day,
		       time.hour, time.minute, time.second);
}

/*
 * Match text against a pattern in which Y, M, D, h, m and s stand for one digit of their number and all else for itself. Returns
 * what follows, or NULL.
 */
static const char *match_time(const char *text, const char *pattern, struct civil_time *ret_time)
{
	const struct {
		char letter;
		unsigned *number;
	} numbers[] = {
		{'Y', &ret_time->year}, {'M', &ret_time->month},  {'D', &ret_time->day},
		{'h', &ret_time->hour}, {'m', &ret_time->minute}, {'s', &ret_time->second},
	};

	*ret_time = (struct civil_time){0};
	for (; *pattern; pattern++, text++) {
		unsigned *number = NULL;

		for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
			number = numbers[i].letter == *pattern ? numbers[i].number : number;
		if (number ? *text < '0' || *text > '9' : *text != *pattern)
			return NULL;
		if (number)
			*number = *number * 10 + (unsigned)(*text - '0');
	}
	return text;
}

bool clock_parse_basic(const char *text, uint64_t *ret_realtime_ms)
{
	struct civil_time time;
	const char *end = match_time(text, "YYYYMMDDThhmmssZ", &time);

	return end && *end == 0 && from_civil(&time, ret_realtime_ms);
}

bool clock_parse(const char *text, uint64_t *ret_realtime_ms)
{
	struct civil_time time;
	const char *end = match_time(text, "YYYY-MM-DDThh:mm:ss", &time);

	if (!end)
		return false;
	if (*end == '.') {
		size_t digits = strspn(end + 1, "0123456789");

		if (digits == 0)
			return false;
		end += 1 + digits;
	}
	return end[0] == 'Z' && end[1] == 0 && from_civil(&time, ret_realtime_ms);
}
