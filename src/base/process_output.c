/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"

#define CHUNK_SIZE 4096
#define SIGNAL_STATUS 128

/* Reading end of one of the child's streams, and the end that the child gets. */
struct stream {
	int fds[2]; /* -1: closed */
	size_t max_size;
	bool drops_the_rest;
	struct buffer *bytes;
};

static void close_end(struct stream *stream, size_t end)
{
	if (stream->fds[end] >= 0)
		(void)close(stream->fds[end]);
	stream->fds[end] = -1;
}

enum { OUTPUT, MESSAGES, STREAM_COUNT };

struct streams {
	struct stream of[STREAM_COUNT];
};

static void streams_done(struct streams *streams)
{
	for (size_t i = 0; i < STREAM_COUNT; i++) {
		close_end(&streams->of[i], 0);
		close_end(&streams->of[i], 1);
	}
}
#define AUTO_STREAMS CLEANUP(streams_done)

static bool stream_open(struct stream *stream, struct error *error)
{
	if (pipe2(stream->fds, O_CLOEXEC) == 0)
		return true;
	stream->fds[0] = stream->fds[1] = -1;
	return error_set_errno(error, ERROR_IO, "cannot make a pipe");
}

static bool stream_take(struct stream *stream, const char *program, struct error *error)
{
	uint8_t chunk[CHUNK_SIZE];
	ssize_t got = read(stream->fds[0], chunk, sizeof chunk);
	size_t room = stream->max_size - stream->bytes->size;

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (got <= 0) {
		close_end(stream, 0);
		return true;
	}
	if ((size_t)got > room && !stream->drops_the_rest)
		return error_set(error, ERROR_PEER, "%s: prints more than %zu bytes", program, stream->max_size);
	buffer_append(stream->bytes, view_of(chunk, (size_t)got < room ? (size_t)got : room));
	return true;
}

static int left_ms(uint64_t deadline_ms)
{
	uint64_t now_ms = clock_monotonic_ms();

	return now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0;
}

/* Until both streams are closed: the child has ended, and whatever inherited them. */
static bool take_all(const struct process_call *call, struct streams *streams, uint64_t deadline_ms, struct error *error)
{
	const char *program = call->argv[0];
	struct stream *of = streams->of;

	while (of[OUTPUT].fds[0] >= 0 || of[MESSAGES].fds[0] >= 0) {
		struct pollfd polled[] = {
			{of[OUTPUT].fds[0], POLLIN, 0}, {of[MESSAGES].fds[0], POLLIN, 0}, {call->cancel_fd, POLLIN, 0}};
		int count = poll(polled, ARRAY_SIZE(polled), left_ms(deadline_ms));

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return error_set(error, ERROR_PEER, "%s: not done within %u s", program, call->timeout_ms / 1000);
		if (polled[STREAM_COUNT].revents)
			return error_set(error, ERROR_PEER, "%s: given up", program);
		for (size_t i = 0; i < STREAM_COUNT; i++) {
			if (polled[i].revents && !stream_take(&of[i], program, error))
				return false;
		}
	}
	return true;
}

/* With nothing to read, and only the writing ends of its streams. */
static bool start(const struct process_call *call, struct streams *streams, pid_t *ret_pid, struct error *error)
{
	AUTO_FD int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct stream *of = streams->of;

	if (null < 0)
		return error_set_errno(error, ERROR_IO, "/dev/null");
	if (!stream_open(&of[OUTPUT], error) || !stream_open(&of[MESSAGES], error))
		return false;
	{
		const struct process_fd fds[] = {{null, 0}, {of[OUTPUT].fds[1], 1}, {of[MESSAGES].fds[1], 2}};
		const struct process_spawn_options options = {.path = call->argv[0],
							      .argv = call->argv,
							      .envp = call->envp,
							      .fds = fds,
							      .fd_count = ARRAY_SIZE(fds),
							      .die_with_parent = true};

		if (!process_spawn(&options, ret_pid, error))
			return error_prefix(error, "%s", call->argv[0]);
	}
	close_end(&of[OUTPUT], 1);
	close_end(&of[MESSAGES], 1);
	return true;
}

/* It may close its streams a little before it ends. */
static void wait_for_end(pid_t pid, uint64_t deadline_ms)
{
	AUTO_FD int fd = pidfd_open(pid, 0);
	struct pollfd ended = {.fd = fd, .events = POLLIN};

	if (fd >= 0)
		(void)poll(&ended, 1, left_ms(deadline_ms));
}

bool process_output_read(const struct process_call *call, struct buffer *ret_output, struct buffer *ret_messages, int *ret_status,
			 struct error *error)
{
	const uint64_t deadline_ms = clock_monotonic_ms() + call->timeout_ms;
	AUTO_STREAMS struct streams streams = {
		{{.fds = {-1, -1}, .max_size = call->output_max_size, .bytes = ret_output},
		 {.fds = {-1, -1}, .max_size = call->messages_max_size, .bytes = ret_messages, .drops_the_rest = true}}};
	bool is_complete;
	int status;
	pid_t pid;

	if (!start(call, &streams, &pid, error))
		return false;
	is_complete = take_all(call, &streams, deadline_ms, error);
	if (is_complete)
		wait_for_end(pid, deadline_ms);
	status = process_stop(pid, 0);
	*ret_status = WIFSIGNALED(status) ? SIGNAL_STATUS + WTERMSIG(status) : WEXITSTATUS(status);
	return is_complete;
}
