/* SPDX-License-Identifier: Apache-2.0 */
/* A relay on an event loop of its own thread, between a listening address and a destination that the test plays. */
#pragma once

#include "net/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/file.h"
#include "vectors.h"

/* Nothing here waits that long unless it is broken. */
#define PATIENCE_MS 10000

struct fixture {
	char folder[32];
	struct event_base *base;
	struct relay *relay;
	struct event *stop;
	int stop_pipe[2];
	pthread_t thread;
	struct address listen;  /* the relay's */
	struct address connect; /* the destination's */
	int destination_fd;     /* listening */
};

PRINTF_LIKE(1, 2)
static inline struct address address_of(const char *format, ...)
{
	struct error error = {0};
	struct address address = {0};
	va_list arguments;
	char text[ADDRESS_TEXT_SIZE];

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	assert_ok(address_parse(text, &address, &error), &error);
	return address;
}

static inline void on_stop(int fd, short what, void *context)
{
	(void)fd;
	(void)what;
	(void)event_base_loopbreak(context);
}

static inline void *run_loop(void *context)
{
	(void)event_base_dispatch(context);
	return NULL;
}

static inline int set_up(void **state)
{
	struct fixture *fixture = memory_allocate_zeroed(1, sizeof *fixture);

	memcpy(fixture->folder, "/tmp/relay-XXXXXX", sizeof "/tmp/relay-XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	fixture->base = event_base_new();
	fixture->destination_fd = -1;
	fixture->listen = address_of("unix:%s/listen", fixture->folder);
	fixture->connect = address_of("unix:%s/connect", fixture->folder);
	assert_int_equal(pipe2(fixture->stop_pipe, O_CLOEXEC), 0);
	fixture->stop = event_new(fixture->base, fixture->stop_pipe[0], EV_READ, on_stop, fixture->base);
	assert_int_equal(event_add(fixture->stop, NULL), 0);
	*state = fixture;
	return 0;
}

static inline void stop_loop(struct fixture *fixture)
{
	if (!fixture->relay || fixture->stop_pipe[1] < 0)
		return;
	(void)close(take_fd(&fixture->stop_pipe[1]));
	assert_int_equal(pthread_join(fixture->thread, NULL), 0);
}

static inline int tear_down(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FREE char *connect_path = memory_format("%s/connect", fixture->folder);
	AUTO_FREE char *listen_path = memory_format("%s/listen", fixture->folder);

	stop_loop(fixture);
	relay_free(fixture->relay);
	assert_false(file_exists(listen_path));
	event_free(fixture->stop);
	event_base_free(fixture->base);
	(void)close(fixture->stop_pipe[0]);
	if (fixture->stop_pipe[1] >= 0)
		(void)close(fixture->stop_pipe[1]);
	if (fixture->destination_fd >= 0)
		(void)close(fixture->destination_fd);
	(void)unlink(connect_path);
	(void)rmdir(fixture->folder);
	free(fixture);
	return 0;
}

static inline void listen_at_destination(struct fixture *fixture, int backlog)
{
	struct error error = {0};

	fixture->destination_fd = address_listen(&fixture->connect, backlog, &error);
	assert_ok(fixture->destination_fd >= 0, &error);
	if (fixture->connect.kind == ADDRESS_TCP && !fixture->connect.port)
		fixture->connect.port = address_bound_port(fixture->destination_fd);
}

static inline void start_relay(struct fixture *fixture, struct relay_options options)
{
	struct error error = {0};

	options.listen = fixture->listen;
	options.connect = fixture->connect;
	fixture->relay = relay_new(fixture->base, &options, &error);
	assert_ok(fixture->relay != NULL, &error);
	if (fixture->listen.kind == ADDRESS_TCP)
		fixture->listen.port = relay_bound_port(fixture->relay);
	assert_int_equal(pthread_create(&fixture->thread, NULL, run_loop, fixture->base), 0);
}

static inline void limit_waiting(int fd)
{
	const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
}

static inline int connect_to_relay(struct fixture *fixture)
{
	struct error error = {0};
	int fd = address_connect(&fixture->listen, PATIENCE_MS, &error);

	assert_ok(fd >= 0, &error);
	limit_waiting(fd);
	return fd;
}

static inline int accept_at_destination(struct fixture *fixture)
{
	struct pollfd wait = {.fd = fixture->destination_fd, .events = POLLIN};
	int fd;

	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
	fd = accept4(fixture->destination_fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	limit_waiting(fd);
	return fd;
}

static inline void assert_carries(int from, int to, const char *text)
{
	char got[64] = {0};

	assert_true(fd_write_all(from, text, strlen(text)));
	assert_true(fd_read_all(to, got, strlen(text)));
	assert_string_equal(got, text);
}

static inline void assert_end_of_stream(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

/* Closed or reset, but over. */
static inline void assert_gone(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	assert_true(got == 0 || (got < 0 && errno != EAGAIN));
}

static inline void use_hybrid_destination(struct fixture *fixture)
{
	listen_at_destination(fixture, 16);
	fixture->connect = address_of("hybrid:%s/connect:5000", fixture->folder);
}

#define RELAY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
