/* SPDX-License-Identifier: Apache-2.0 */
#include "host/metrics_server.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <sys/queue.h>

#include "host/control_client.h"
#include "host/worker.h"

/* Prometheus gives a scrape 10 s by default. */
#define ANSWER_TIMEOUT_MS 5000
#define CONNECTION_TIMEOUT_S 10
/* Scrapes that wait for one answer of the enclave: two servers and somebody with curl. */
#define WAITING_MAX 8
/* A scrape has a line and a few headers, and no body. */
#define HEADERS_MAX_SIZE 8192
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics_server {
	struct metrics_server_options options;
	struct evhttp *http;
	uint16_t port;
	struct worker *worker;
	json_t *body;                                /* of the job that ended; NULL: it failed */
	struct evhttp_request *waiting[WAITING_MAX]; /* NULL: free, or its client has gone */
	size_t waiting_count;
};

static void fetch(void *context)
{
	struct metrics_server *server = context;
	struct error ignored;

	server->body = control_call(server->options.control, view_of_text("{\"operation\":\"metrics\"}"), ANSWER_TIMEOUT_MS,
				    ANSWER_TIMEOUT_MS, &ignored);
}

static void reply(struct evhttp_request *request, struct view text)
{
	struct evbuffer *out = evbuffer_new();

	(void)evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", CONTENT_TYPE);
	if (out)
		(void)evbuffer_add(out, text.data, text.size);
	evhttp_send_reply(request, HTTP_OK, "OK", out);
	if (out)
		evbuffer_free(out);
}

static void on_fetched(void *context)
{
	struct metrics_server *server = context;
	AUTO_BUFFER struct buffer text = {0};
	struct error ignored;
	const char *of_enclave = NULL;

	if (server->body && json_read_text(server->body, "text", &of_enclave, &ignored))
		buffer_append_text(&text, of_enclave);
	server->options.append(server->options.context, of_enclave != NULL, &text);
	for (size_t i = 0; i < server->waiting_count; i++) {
		if (server->waiting[i])
			reply(server->waiting[i], buffer_view(&text));
		server->waiting[i] = NULL;
	}
	server->waiting_count = 0;
	json_done(&server->body);
}

/* A client that hangs up while it waits takes its request with it. */
static void on_closed(struct evhttp_connection *connection, void *context)
{
	struct metrics_server *server = context;

	for (size_t i = 0; i < server->waiting_count; i++) {
		if (server->waiting[i] && evhttp_request_get_connection(server->waiting[i]) == connection)
			server->waiting[i] = NULL;
	}
}

static void on_metrics(struct evhttp_request *request, void *context)
{
	struct metrics_server *server = context;

	if (server->waiting_count == WAITING_MAX) {
		evhttp_send_error(request, HTTP_SERVUNAVAIL, "too many scrapes at one time");
		return;
	}
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_closed, server);
	server->waiting[server->waiting_count++] = request;
	if (server->waiting_count == 1)
		worker_submit(server->worker, fetch);
}

static void on_other(struct evhttp_request *request, void *context)
{
	(void)context;
	evhttp_send_error(request, HTTP_NOTFOUND, "there is nothing at this path but /metrics");
}

static bool listen_on(struct metrics_server *server, struct error *error)
{
	int fd = address_listen(&server->options.listen, 16, error);

	if (fd < 0)
		return false;
	server->port = address_bound_port(fd);
	if (evutil_make_socket_nonblocking(fd) == 0 && evhttp_accept_socket(server->http, fd) == 0)
		return true;
	(void)close(fd);
	return error_set(error, ERROR_IO, "cannot serve metrics");
}

struct metrics_server *metrics_server_new(const struct metrics_server_options *options, struct error *error)
{
	struct metrics_server *server = memory_allocate_zeroed(1, sizeof *server);

	server->options = *options;
	server->worker = worker_new(options->base, on_fetched, server, error);
	server->http = evhttp_new(options->base);
	if (server->worker && !server->http)
		(void)error_set(error, ERROR_IO, "cannot make an HTTP server");
	if (!server->worker || !server->http) {
		metrics_server_free(server);
		return NULL;
	}
	evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_timeout(server->http, CONNECTION_TIMEOUT_S);
	evhttp_set_max_headers_size(server->http, HEADERS_MAX_SIZE);
	evhttp_set_max_body_size(server->http, 0);
	(void)evhttp_set_cb(server->http, "/metrics", on_metrics, server);
	evhttp_set_gencb(server->http, on_other, server);
	if (listen_on(server, error))
		return server;
	metrics_server_free(server);
	return NULL;
}

void metrics_server_free(struct metrics_server *server)
{
	if (!server)
		return;
	worker_free(server->worker);
	server->waiting_count = 0;
	if (server->http)
		evhttp_free(server->http);
	json_done(&server->body);
	free(server);
}

uint16_t metrics_server_port(const struct metrics_server *server)
{
	return server->port;
}
