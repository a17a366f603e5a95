/* SPDX-License-Identifier: Apache-2.0 */
/* What the parent may see of the roles: numbers, and lines that they wrote for it. */
#include <limits.h>

#include "base/clock.h"
#include "base/log_relay.h"
#include "enclave/control/control.h"
#include "enclave/metrics.h"

/*
 * In one answer; a line that is no JSON takes twice its size and 60 bytes more. Together they stay below what a host reads. Whoever
 * wants more asks again.
 */
#define LOG_ANSWER_MAX_SIZE 20480
#define LOG_ANSWER_LINES_MAX 256

json_t *observations_metrics_new(const struct control *control)
{
	AUTO_BUFFER struct buffer text = {0};

	metrics_set(METRIC_UPTIME, 0, (clock_monotonic_ms() - control->start.enclave_started_ms) / 1000);
	metrics_render(&text);
	return json_pack("{s:s}", "text", buffer_text(&text));
}

/* What is there, without waiting, up to the size of one answer. */
static void read_pipe(struct buffer *log)
{
	ssize_t got = 1;

	while (got > 0 && log->size + PIPE_BUF <= LOG_ANSWER_MAX_SIZE) {
		buffer_reserve(log, PIPE_BUF);
		got = read(ROLE_FD_LOG, log->data + log->size, PIPE_BUF);
		if (got > 0)
			log->size += (size_t)got;
	}
}

/* The next whole line at `offset`, or what can be none of ours any more. Size 0: there is none yet. */
static struct view next_line(const struct buffer *log, size_t offset)
{
	struct view rest = {0};
	const uint8_t *end;

	if (offset == log->size)
		return rest;
	rest = view_of(log->data + offset, log->size - offset);
	end = memchr(rest.data, '\n', rest.size);
	if (end)
		rest.size = (size_t)(end - rest.data) + 1;
	return end || rest.size >= PIPE_BUF ? rest : view_of(NULL, 0);
}

static void drop_front(struct buffer *log, size_t size)
{
	if (size == 0)
		return;
	memmove(log->data, log->data + size, log->size - size);
	log->size -= size;
}

json_t *observations_log_new(struct control *control)
{
	struct buffer *log = &control->log;
	json_t *lines = json_array();
	size_t offset = 0;
	bool is_full;

	read_pipe(log);
	is_full = log->size + PIPE_BUF > LOG_ANSWER_MAX_SIZE;
	while (json_array_size(lines) < LOG_ANSWER_LINES_MAX) {
		struct view line = next_line(log, offset);

		if (line.size == 0)
			break;
		offset += line.size;
		if (line.data[line.size - 1] == '\n')
			line.size--;
		(void)json_array_append_new(lines, log_relay_parse(line));
	}
	is_full |= json_array_size(lines) == LOG_ANSWER_LINES_MAX;
	drop_front(log, offset);
	return json_pack("{s:o, s:b}", "lines", lines, "more", is_full);
}
