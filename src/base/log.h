/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured log lines for the edges (a role, a daemon, a command); library code never logs. As text or as JSON (base/log_json.h):
 *
 *   2026-11-23T00:39:22.123Z info keeper keys_loaded count=12 network=mainnet
 *   {"time":"2026-11-23T00:39:22.123Z","level":"info","program":"keeper","event":"keys_loaded","count":12,"network":"mainnet"}
 *
 * One write(2) a line to stderr, so lines of several processes do not mix. Control characters and non-ASCII bytes are
 * escaped: a peer's text can neither forge a line nor reach a terminal. Nothing secret has a printer.
 *
 * Who reads the log cannot hold up who writes it: a line for which there is no room is dropped, and the next one that finds room
 * says dropped=N.
 */
#pragma once

#include <stdatomic.h>

#include "base/error.h"

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* A longer line is cut; longer than any message of struct error with its context. */
#define LOG_LINE_SIZE 1024

/* `program` must stay valid; it is the third word of every line. The level starts as info. */
void log_init(const char *program);
void log_set_level(enum log_level level);
void log_set_format(enum log_format format); /* text at first */

/* `event` is one word, snake_case; the format gives "key=value key=value" (may be ""). Keeps errno. */
void log_write(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

/* Where a line comes from, in the words it begins with. */
struct log_origin {
	const char *time;
	const char *level;
	const char *program;
	const char *event;
};

/* A line of another program's, as that said it (base/log_relay.h checks what it says). Any level. */
void log_write_as(const struct log_origin *origin, const char *fields);
/* "error" and so on; NULL terminates the list. */
extern const char *const log_level_names[];
/* As given to log_init(). */
const char *log_program_name(void);

/*
 * How many lines a second there may be of a kind that strangers can cause. One for each kind, in static memory, with only
 * `per_second` set; any thread may use it.
 */
struct log_limit {
	uint32_t per_second;
	_Atomic uint64_t taken;      /* the latest second << 32 | lines in it */
	_Atomic uint64_t suppressed; /* since the last line */
};

/* Take a line of that second's allowance. True: write it, and say that *ret_suppressed were not written before it. */
MUST_USE bool log_limit_take(struct log_limit *limit, uint64_t monotonic_ms, uint64_t *ret_suppressed);
/* log_write() within a limit: nothing beyond it, and the next line says suppressed=N before its fields. */
void log_write_limited(struct log_limit *limit, enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(4, 5);

#define log_error(event, ...) log_write(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) log_write(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_info(event, ...) log_write(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_write(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

/* The usual line for a failure: code=… error="…". */
void log_failure(enum log_level level, const char *event, const struct error *error);
