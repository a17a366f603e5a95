/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd without a thread of its own: the event loop waits for its epoll descriptor, so that what the host counts is read where it is
 * written. A scrape is suspended until the worker has asked the enclave.
 */
#include "host/metrics_server.h"

#include <microhttpd.h>

#include "host/control_client.h"
#include "host/worker.h"

/* Prometheus gives a scrape 10 s by default. */
#define ANSWER_TIMEOUT_MS 5000
/* As long again. A server that scrapes every 15 s or more connects anew each time, which costs it nothing. */
#define IDLE_TIMEOUT_S 10u
/* At the limit of connections the daemon does not listen, and that one was closed it notices only when it is run again. */
#define RUN_INTERVAL_MS 1000
/* Scrapes that wait for one answer of the enclave: two servers and somebody with curl. */
#define WAITING_MAX 8
/* A scrape has a line and a few headers, and no body. Half of it is the read buffer. */
#define CONNECTION_MEMORY_SIZE 16384u
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics_server {
	struct metrics_server_options options;
	struct MHD_Daemon *daemon;
	struct event *ready; /* the daemon has something to do */
	uint16_t port;
	struct worker *worker;
	json_t *body;                                /* of the job that ended; NULL: it failed */
	struct buffer text;                          /* the last answer to scrapes */
	struct MHD_Connection *waiting[WAITING_MAX]; /* suspended */
	size_t waiting_count;
};

/* How far a request is: in libmicrohttpd's slot for each. */
static char is_begun, is_waiting;

/* ---- the loop ---- */

static void run_daemon(struct metrics_server *server)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;
	struct timeval delay;

	(void)MHD_run(server->daemon);
	if (MHD_get_timeout(server->daemon, &wait_ms) != MHD_YES || wait_ms > RUN_INTERVAL_MS)
		wait_ms = RUN_INTERVAL_MS;
	delay = (struct timeval){.tv_sec = (time_t)(wait_ms / 1000), .tv_usec = (suseconds_t)(wait_ms % 1000 * 1000)};
	(void)event_add(server->ready, &delay);
}

static void on_ready(int fd, short what, void *context)
{
	(void)fd;
	(void)what;
	run_daemon(context);
}

/* ---- the enclave's part ---- */

static void fetch(void *context)
{
	struct metrics_server *server = context;
	struct error ignored;

	server->body = control_call(server->options.control, view_of_text("{\"operation\":\"metrics\"}"), CONTROL_ANSWER_MAX_SIZE,
				    ANSWER_TIMEOUT_MS, ANSWER_TIMEOUT_MS, NULL, &ignored);
}

static void resume_waiting(struct metrics_server *server)
{
	for (size_t i = 0; i < server->waiting_count; i++)
		MHD_resume_connection(server->waiting[i]);
	server->waiting_count = 0;
}

static void on_fetched(void *context)
{
	struct metrics_server *server = context;
	const char *of_enclave = NULL;
	struct error ignored;

	buffer_clear(&server->text);
	if (server->body && json_read_text(server->body, "text", &of_enclave, &ignored))
		buffer_append_text(&server->text, of_enclave);
	server->options.append(server->options.context, of_enclave != NULL, &server->text);
	json_done(&server->body);
	resume_waiting(server);
	run_daemon(server);
}

/* ---- requests ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, struct view text)
{
	/* libmicrohttpd does not write to the buffer, it only lacks the const. */
	struct MHD_Response *response =
		MHD_create_response_from_buffer(text.size, (void *)(uintptr_t)text.data, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, CONTENT_TYPE);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_health(struct metrics_server *server, struct MHD_Connection *connection)
{
	AUTO_BUFFER struct buffer line = {0};
	bool serves = server->options.health(server->options.context, &line);

	return answer(connection, serves ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, buffer_view(&line));
}

static enum MHD_Result wait_for_enclave(struct metrics_server *server, struct MHD_Connection *connection, void **state)
{
	if (server->waiting_count == WAITING_MAX)
		return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, view_of_text("too many scrapes at one time\n"));
	*state = &is_waiting;
	MHD_suspend_connection(connection);
	server->waiting[server->waiting_count++] = connection;
	if (server->waiting_count == 1)
		worker_submit(server->worker, fetch);
	return MHD_YES;
}

/* Called with the headers, with each part of a body, at the end of the request, and once more when it was suspended. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path, const char *method,
				  const char *version, const char *upload, size_t *upload_size, void **state)
{
	struct metrics_server *server = context;

	(void)version;
	(void)upload;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, view_of_text("GET or HEAD\n"));
	if (*upload_size > 0)
		return MHD_NO;
	if (!*state) {
		*state = &is_begun;
		return MHD_YES;
	}
	if (*state == &is_waiting)
		return answer(connection, MHD_HTTP_OK, buffer_view(&server->text));
	if (strcmp(path, "/healthz") == 0)
		return answer_health(server, connection);
	if (strcmp(path, "/metrics") != 0)
		return answer(connection, MHD_HTTP_NOT_FOUND, view_of_text("there are /metrics and /healthz here\n"));
	return wait_for_enclave(server, connection, state);
}

/* ---- life ---- */

static bool start_daemon(struct metrics_server *server, struct error *error)
{
	unsigned idle_timeout_s = server->options.idle_timeout_s ? server->options.idle_timeout_s : IDLE_TIMEOUT_S;
	AUTO_FD int fd = address_listen(&server->options.listen, METRICS_CONNECTIONS_MAX, error);

	if (fd < 0)
		return false;
	server->port = address_bound_port(fd);
	if (evutil_make_socket_nonblocking(fd) != 0)
		return error_set(error, ERROR_IO, "cannot serve metrics");
	server->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, server,
					  MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
					  (unsigned)METRICS_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, idle_timeout_s,
					  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_SIZE,
					  MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	if (!server->daemon)
		return error_set(error, ERROR_IO, "cannot serve metrics");
	(void)take_fd(&fd); /* the daemon closes it */
	return true;
}

static bool watch_daemon(struct metrics_server *server, struct error *error)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	server->ready = info ? event_new(server->options.base, info->epoll_fd, EV_READ, on_ready, server) : NULL;
	return (server->ready && event_add(server->ready, NULL) == 0) || error_set(error, ERROR_IO, "cannot watch for scrapes");
}

struct metrics_server *metrics_server_new(const struct metrics_server_options *options, struct error *error)
{
	struct metrics_server *server = memory_allocate_zeroed(1, sizeof *server);

	server->options = *options;
	server->worker = worker_new(options->base, on_fetched, server, error);
	if (server->worker && start_daemon(server, error) && watch_daemon(server, error))
		return server;
	metrics_server_free(server);
	return NULL;
}

void metrics_server_free(struct metrics_server *server)
{
	if (!server)
		return;
	worker_free(server->worker);
	if (server->ready)
		event_free(server->ready);
	resume_waiting(server);
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	json_done(&server->body);
	buffer_done(&server->text);
	free(server);
}

uint16_t metrics_server_port(const struct metrics_server *server)
{
	return server->port;
}
