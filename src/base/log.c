/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"

static const char *log_program = "ensign";
static enum log_level log_threshold = LOG_LEVEL_INFO;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_init(const char *program)
{
	log_program = program;
}

void log_set_level(enum log_level level)
{
	log_threshold = level;
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

void log_write(enum log_level level, const char *event, const char *format, ...)
{
	int saved = errno;
	char line[LOG_LINE_SIZE];
	char fields[LOG_LINE_SIZE];
	char time[CLOCK_TEXT_SIZE];
	va_list arguments;
	size_t used;

	if (level > log_threshold)
		return;
	va_start(arguments, format);
	(void)vsnprintf(fields, sizeof fields, format, arguments);
	va_end(arguments);
	clock_format(clock_realtime_ms(), time);
	used = (size_t)snprintf(line, sizeof line, "%s %s %s %s%s", time, level_names[level], log_program, event,
				fields[0] ? " " : "");
	used = append_escaped(line, used < sizeof line ? used : sizeof line - 1, fields);
	line[used++] = '\n';
	/* A log that cannot be written must not stop a signer; there is nobody left to tell. */
	if (write(STDERR_FILENO, line, used) < 0)
		errno = saved;
	errno = saved;
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
