/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics port as whoever reaches it sees it; the server runs in a process of its own. No enclave answers. */
#include "host/metrics_server.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "vectors.h"

#define PATIENCE_S 20
/* Long enough to be sure that it is not answered, short enough to wait for. */
#define SILENCE_MS 300
#define TEXT "of_host 1\n"
#define HEALTH "backoff: no keys\n"

struct server {
	pid_t pid;
	struct address address;
};

static void append(void *context, bool enclave_is_up, struct buffer *ret_text)
{
	(void)context;
	if (!enclave_is_up)
		buffer_append_text(ret_text, TEXT);
}

static bool health(void *context, struct buffer *ret_line)
{
	(void)context;
	buffer_append_text(ret_line, HEALTH);
	return false;
}

static __attribute__((noreturn)) void serve(unsigned idle_timeout_s, int port_fd)
{
	struct address control;
	struct error error = {0};
	struct metrics_server_options options = {.base = event_base_new(),
						 .control = &control,
						 .idle_timeout_s = idle_timeout_s,
						 .append = append,
						 .health = health};
	struct metrics_server *server;
	uint16_t port = 0;

	(void)signal(SIGPIPE, SIG_IGN);
	if (address_parse("unix:/nonexistent/control.sock", &control, &error) &&
	    address_parse("tcp:127.0.0.1:0", &options.listen, &error)) {
		server = metrics_server_new(&options, &error);
		port = server ? metrics_server_port(server) : 0;
	}
	if (port == 0 || !fd_write_all(port_fd, &port, sizeof port))
		_exit(1);
	(void)event_base_dispatch(options.base);
	_exit(2);
}

static struct server start(unsigned idle_timeout_s)
{
	struct server server = {.address = {.kind = ADDRESS_TCP, .host = "127.0.0.1"}};
	uint16_t port = 0;
	int pipe_fds[2];

	assert_int_equal(pipe(pipe_fds), 0);
	server.pid = fork();
	if (server.pid == 0)
		serve(idle_timeout_s, pipe_fds[1]);
	assert_int_equal(read(pipe_fds[0], &port, sizeof port), sizeof port);
	server.address.port = port;
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	return server;
}

/* It still runs, whatever was done to it. */
static void stop(struct server *server)
{
	int status;

	assert_int_equal(waitpid(server->pid, &status, WNOHANG), 0);
	(void)kill(server->pid, SIGKILL);
	assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
}

static int connect_to(const struct server *server)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct error error = {0};
	int fd = address_connect(&server->address, PATIENCE_S * 1000, &error);

	assert_ok(fd >= 0, &error);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

static void send_text(int fd, const char *text)
{
	assert_true(fd_write_all(fd, text, strlen(text)));
}

/* What comes until `end` has come, or the connection is closed. */
static char *receive_until(int fd, const char *end, struct buffer *answer)
{
	char *found = NULL;
	char bytes[4096];
	ssize_t got = 1;

	while (!found && got > 0) {
		got = recv(fd, bytes, sizeof bytes, 0);
		if (got > 0)
			buffer_append(answer, view_of(bytes, (size_t)got));
		found = strstr((char *)(uintptr_t)buffer_text(answer), end);
	}
	return found;
}

static void assert_answer(int fd, const char *request, const char *status, const char *end)
{
	AUTO_BUFFER struct buffer answer = {0};

	send_text(fd, request);
	assert_non_null(receive_until(fd, end, &answer));
	if (strncmp(buffer_text(&answer), status, strlen(status)) != 0)
		fail_msg("%s", buffer_text(&answer));
}

#define SCRAPE "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"

static void answers_scrapes(void **state)
{
	struct server server = start(0);
	int fd = connect_to(&server);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_answer(fd, SCRAPE, "HTTP/1.1 200 ", TEXT);
	assert_answer(fd, "GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", TEXT);
	assert_answer(fd, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", "\r\n\r\n");
	assert_answer(fd, "GET /other HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 ", "here\n");
	assert_answer(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 503 ", HEALTH);
	assert_answer(fd, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 ", "HEAD\n");
	(void)close(fd);
	stop(&server);
}

/* Each of these is the end of its connection. */
static void bad_requests_end_the_connection(void **state)
{
	static const char *const bad[] = {
		"\r\n\r\n\r\nnonsense\r\n\r\n",
		"GET\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
		"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nx",
		"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nx",
	};
	AUTO_BUFFER struct buffer endless = {0};
	struct server server = start(1);

	(void)state;
	for (size_t i = 0; i <= ARRAY_SIZE(bad); i++) {
		AUTO_BUFFER struct buffer answer = {0};
		int fd = connect_to(&server);

		if (i == ARRAY_SIZE(bad)) {
			buffer_append_text(&endless, "GET /metrics HTTP/1.1\r\nX: ");
			buffer_reserve(&endless, 100000);
			memset(endless.data + endless.size, 'x', 100000);
			endless.size += 100000;
			(void)send(fd, endless.data, endless.size, MSG_NOSIGNAL);
		} else {
			send_text(fd, bad[i]);
		}
		assert_null(receive_until(fd, TEXT, &answer));
		(void)close(fd);
	}
	stop(&server);
}

static bool is_silent(int fd)
{
	struct pollfd waiting = {fd, POLLIN, 0};

	return poll(&waiting, 1, SILENCE_MS) == 0;
}

/* They are not refused: whoever scrapes waits a little, which is what it would do for a slow host as well. */
static void connections_are_bounded(void **state)
{
	struct server server = start(PATIENCE_S);
	AUTO_BUFFER struct buffer answer = {0};
	int idle[METRICS_CONNECTIONS_MAX];
	int next;

	(void)state;
	for (size_t i = 0; i < METRICS_CONNECTIONS_MAX; i++) {
		idle[i] = connect_to(&server);
		/* Some have been answered, some never asked. */
		if (i % 2)
			assert_answer(idle[i], SCRAPE, "HTTP/1.1 200 ", TEXT);
	}
	next = connect_to(&server); /* by the kernel */
	send_text(next, SCRAPE);
	assert_true(is_silent(next));
	assert_answer(idle[3], SCRAPE, "HTTP/1.1 200 ", TEXT);
	assert_true(is_silent(next));
	(void)close(idle[0]);
	assert_non_null(receive_until(next, TEXT, &answer));
	(void)close(next);
	for (size_t i = 1; i < METRICS_CONNECTIONS_MAX; i++)
		(void)close(idle[i]);
	stop(&server);
}

static void idle_connections_are_closed(void **state)
{
	static const char *const beginnings[] = {"", "GET /metr", "GET /metrics HTTP/1.1\r\nHost: x\r\n"};
	struct server server = start(1);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
		AUTO_BUFFER struct buffer answer = {0};
		uint64_t begun_ms = clock_monotonic_ms();
		int fd = connect_to(&server);

		send_text(fd, beginnings[i]);
		assert_null(receive_until(fd, TEXT, &answer));
		assert_in_range(clock_monotonic_ms() - begun_ms, 500, (PATIENCE_S - 1) * 1000);
		(void)close(fd);
	}
	stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_scrapes),
		cmocka_unit_test(bad_requests_end_the_connection),
		cmocka_unit_test(connections_are_bounded),
		cmocka_unit_test(idle_connections_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
