/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All roles and init log into one pipe, which control empties whenever the parent asks. Nobody waits for the parent: lines for
 * which there is no room are dropped, and counted. When the enclave ends, what is left in the pipe goes where init's own
 * standard error was.
 */
#include <fcntl.h>
#include <limits.h>

#include "base/log_relay.h"
#include "enclave/init/init.h"

/* Some thousands of lines: what is logged while the parent is busy. It may be less where the system gives less. */
#define LOG_PIPE_SIZE (1 << 20)
/* Out of the way of the numbers that roles use. */
#define STDERR_FLOOR 64

bool init_begin_log(struct init *init, struct error *error)
{
	if (pipe2(init->log_fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return error_set_errno(error, ERROR_IO, "pipe for the log");
	(void)fcntl(init->log_fds[1], F_SETPIPE_SZ, LOG_PIPE_SIZE);
	init->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FLOOR);
	if (init->stderr_fd < 0 || dup2(init->log_fds[1], STDERR_FILENO) < 0)
		return error_set_errno(error, ERROR_IO, "pipe for the log");
	(void)close(init->log_fds[1]);
	log_set_format(LOG_FORMAT_JSON);
	return true;
}

static void relay_lines(const struct buffer *text)
{
	const uint8_t *at = text->data;
	const uint8_t *end = at + text->size;

	while (at < end) {
		const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
		struct view line = view_of(at, (size_t)((stop ? stop : end) - at));
		AUTO_JSON json_t *object = log_relay_parse(line);

		log_relay(object);
		at += line.size + 1;
	}
}

void init_end_log(struct init *init)
{
	AUTO_BUFFER struct buffer text = {0};
	ssize_t got = 1;

	if (init->stderr_fd <= 0)
		return;
	(void)dup2(init->stderr_fd, STDERR_FILENO);
	log_set_format(init->last_format);
	/* Nobody writes any more. */
	while (got > 0) {
		buffer_reserve(&text, PIPE_BUF);
		got = read(init->log_fds[0], text.data + text.size, PIPE_BUF);
		text.size += got > 0 ? (size_t)got : 0;
	}
	if (text.size > 0 && !init->is_quiet)
		relay_lines(&text);
}
