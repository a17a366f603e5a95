/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

static uint64_t read_clock_ms(clockid_t id)
{
	struct timespec now;

	if (clock_gettime(id, &now) != 0)
		abort(); /* both clocks always exist on Linux */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_realtime_ms(void)
{
	return read_clock_ms(CLOCK_REALTIME);
}

uint64_t clock_monotonic_ms(void)
{
	return read_clock_ms(CLOCK_MONOTONIC);
}

static struct tm broken_down(uint64_t realtime_ms)
{
	time_t seconds = (time_t)(realtime_ms / 1000);
	struct tm parts = {0};

	(void)gmtime_r(&seconds, &parts);
	return parts;
}

void clock_format(uint64_t realtime_ms, char ret_text[CLOCK_TEXT_SIZE])
{
	struct tm parts = broken_down(realtime_ms);
	size_t used = strftime(ret_text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);

	(void)snprintf(ret_text + used, CLOCK_TEXT_SIZE - used, ".%03uZ", (unsigned)(realtime_ms % 1000));
}

void clock_format_basic(uint64_t realtime_ms, char ret_text[CLOCK_BASIC_TEXT_SIZE])
{
	struct tm parts = broken_down(realtime_ms);

	(void)strftime(ret_text, CLOCK_BASIC_TEXT_SIZE, "%Y%m%dT%H%M%SZ", &parts);
}

static bool to_milliseconds(struct tm *parts, uint64_t *ret_realtime_ms)
{
	time_t seconds = timegm(parts);

	if (seconds < 0)
		return false;
	*ret_realtime_ms = (uint64_t)seconds * 1000;
	return true;
}

bool clock_parse_basic(const char *text, uint64_t *ret_realtime_ms)
{
	struct tm parts = {0};
	const char *end;

	if (strlen(text) != CLOCK_BASIC_TEXT_SIZE - 1)
		return false;
	end = strptime(text, "%Y%m%dT%H%M%SZ", &parts);
	return end && *end == 0 && to_milliseconds(&parts, ret_realtime_ms);
}

bool clock_parse(const char *text, uint64_t *ret_realtime_ms)
{
	struct tm parts = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);

	if (!end)
		return false;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	return end[0] == 'Z' && end[1] == 0 && to_milliseconds(&parts, ret_realtime_ms);
}
