/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_json.h"

static const char *log_program = "ensign";
static enum log_level log_threshold = LOG_LEVEL_INFO;
static enum log_format log_form = LOG_FORMAT_TEXT;
static _Atomic uint64_t log_dropped; /* lines since the last that was written */

const char *const log_level_names[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug", NULL,
};

void log_init(const char *program)
{
	log_program = program;
}

void log_set_level(enum log_level level)
{
	log_threshold = level;
}

void log_set_format(enum log_format format)
{
	log_form = format;
}

const char *log_program_name(void)
{
	return log_program;
}

/* Copies `text` to line[used…], escaping what is not printable ASCII; leaves room for the newline. */
static size_t append_escaped(char *line, size_t used, const char *text)
{
	for (; *text && used < LOG_LINE_SIZE - 5; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c < 0x7f) {
			line[used++] = (char)c;
			continue;
		}
		used += (size_t)snprintf(line + used, LOG_LINE_SIZE - used, "\\x%02x", c);
	}
	return used;
}

/*
 * stderr is shared with other processes, so O_NONBLOCK is not ours to set: look for room first. A pipe that is not full takes a
 * line (less than PIPE_BUF) whole. Only if several writers go for the last room at the same time may one have to wait.
 */
static bool has_room(void)
{
	struct pollfd standard_error = {STDERR_FILENO, POLLOUT, 0};

	return poll(&standard_error, 1, 0) != 0;
}

static size_t format_text(char line[LOG_LINE_SIZE], const struct log_origin *origin, const char *fields)
{
	size_t used =
		(size_t)snprintf(line, LOG_LINE_SIZE, "%s %s %s %s", origin->time, origin->level, origin->program, origin->event);

	used = append_escaped(line, used < LOG_LINE_SIZE ? used : LOG_LINE_SIZE - 1, fields[0] ? " " : "");
	used = append_escaped(line, used, fields);
	line[used++] = '\n';
	return used;
}

static size_t format_json(char line[LOG_JSON_LINE_SIZE], const struct log_origin *origin, const char *fields)
{
	char plain[LOG_LINE_SIZE];

	plain[append_escaped(plain, 0, fields)] = '\0';
	return log_json_format(line, origin, plain);
}

/* The counts stand first: what follows may hold a peer's text, and may be cut. */
static void write_line(const struct log_origin *origin, uint64_t suppressed, const char *fields)
{
	uint64_t dropped = atomic_exchange_explicit(&log_dropped, 0, memory_order_relaxed);
	char all[2 * LOG_LINE_SIZE];
	char line[LOG_JSON_LINE_SIZE];
	size_t used = 0;

	if (dropped)
		used += (size_t)snprintf(all + used, sizeof all - used, "dropped=%" PRIu64 " ", dropped);
	if (suppressed)
		used += (size_t)snprintf(all + used, sizeof all - used, "suppressed=%" PRIu64 " ", suppressed);
	(void)snprintf(all + used, sizeof all - used, "%s", fields);
	if (used > 0 && !fields[0])
		all[used - 1] = '\0';
	used = (log_form == LOG_FORMAT_JSON ? format_json : format_text)(line, origin, all);
	/* A log that cannot be written must not stop a signer; there is nobody left to tell but who reads it later. */
	if (!has_room() || write(STDERR_FILENO, line, used) < 0)
		(void)atomic_fetch_add_explicit(&log_dropped, dropped + suppressed + 1, memory_order_relaxed);
}

static __attribute__((format(printf, 4, 0))) void format_line(enum log_level level, const char *event, uint64_t suppressed,
							      const char *format, va_list arguments)
{
	int saved = errno;
	char fields[LOG_LINE_SIZE];
	char time[CLOCK_TEXT_SIZE];

	(void)vsnprintf(fields, sizeof fields, format, arguments);
	clock_format(clock_realtime_ms(), time);
	write_line(&(struct log_origin){time, log_level_names[level], log_program, event}, suppressed, fields);
	errno = saved;
}

void log_write_as(const struct log_origin *origin, const char *fields)
{
	write_line(origin, 0, fields);
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
	va_list arguments;

	if (level > log_threshold)
		return;
	va_start(arguments, format);
	format_line(level, event, 0, format, arguments);
	va_end(arguments);
}

void log_write_limited(struct log_limit *limit, enum log_level level, const char *event, const char *format, ...)
{
	uint64_t suppressed = 0;
	va_list arguments;

	if (level > log_threshold || !log_limit_take(limit, clock_monotonic_ms(), &suppressed))
		return;
	va_start(arguments, format);
	format_line(level, event, suppressed, format, arguments);
	va_end(arguments);
}

bool log_limit_take(struct log_limit *limit, uint64_t monotonic_ms, uint64_t *ret_suppressed)
{
	uint64_t before = atomic_load_explicit(&limit->taken, memory_order_relaxed);
	uint64_t second;
	uint32_t lines;

	do {
		second = monotonic_ms / 1000;
		lines = 0;
		/* A thread that read the clock before another but comes after it counts in the other's second. */
		if (second <= before >> 32) {
			second = before >> 32;
			lines = (uint32_t)before;
		}
		if (lines >= limit->per_second) {
			(void)atomic_fetch_add_explicit(&limit->suppressed, 1, memory_order_relaxed);
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(&limit->taken, &before, second << 32 | (lines + 1), memory_order_relaxed,
							memory_order_relaxed));
	*ret_suppressed = atomic_exchange_explicit(&limit->suppressed, 0, memory_order_relaxed);
	return true;
}

void log_failure(enum log_level level, const char *event, const struct error *error)
{
	char quoted[2 * ERROR_MESSAGE_SIZE];
	size_t used = 0;

	/* A quote in the message must not end the field: what follows would read as fields of our own. */
	for (const char *c = error->message; *c; c++) {
		if (*c == '"' || *c == '\\')
			quoted[used++] = '\\';
		quoted[used++] = *c;
	}
	quoted[used] = 0;
	log_write(level, event, "code=%s error=\"%s\"", error_code_name(error->code), quoted);
}
