/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/http_server.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/secret.h"
#include "enclave/frontend/http_connections.h"
#include "enclave/frontend/http_epoll.h"
#include "enclave/frontend/http_handshakes.h"
#include "enclave/frontend/http_headers.h"
#include "enclave/frontend/http_tls.h"
#include "enclave/metrics.h"

/* Enough for the burst of a client that connects anew for every request (Prysm: Go keeps only two idle sockets a host). */
#define LISTEN_BACKLOG 1024
/* Request line and headers, in libmicrohttpd's own memory; a client sends a few hundred bytes. Half of it is the read buffer. */
#define CONNECTION_MEMORY_SIZE (16u << 10)
/* A late connection is noticed this late at most, and after an eighth of the deadline when that is less. */
#define TICK_MAX_MS 1000

struct http_server {
	struct http_server_options options;
	struct MHD_Daemon *daemon;
	struct http_connections *connections;
	struct http_handshakes *handshakes;
	struct http_tls *tls;
	/* bytes of all calls together */
	_Atomic size_t bodies_charged;
	_Atomic size_t answers_charged;
	atomic_bool is_draining;
};

/* libmicrohttpd's socket context. */
struct connection {
	struct http_server *server;
	struct MHD_Connection *mhd;
	int fd;
	struct http_connection *deadline;
	struct http_tls_session *tls;
};

struct http_call_private {
	struct http_server *server;
	struct MHD_Connection *mhd;
	struct connection *connection;
	struct buffer body;
	size_t received; /* bytes of body, kept or not */
	size_t body_charged;
	size_t answer_charged;
	const char *refusal; /* decided while the body was still coming: why the answer will be 503 */
	bool is_deferred;
	unsigned status; /* 0: not answered yet */
	struct MHD_Response *response;
};

/* Call, what the server keeps of it and the handler's state: one allocation. */
struct call_memory {
	struct http_call call;
	struct http_call_private private;
	_Alignas(max_align_t) uint8_t state[];
};

/* ---- budgets ---- */

/* The total is never beyond the budget, not even for a moment: whoever needs nothing of it is not refused. */
static bool charge(_Atomic size_t *total, size_t budget, size_t size)
{
	size_t before = atomic_load_explicit(total, memory_order_relaxed);

	do
		if (size > budget - before)
			return false;
	while (!atomic_compare_exchange_weak_explicit(total, &before, before + size, memory_order_relaxed, memory_order_relaxed));
	return true;
}

static void discharge(_Atomic size_t *total, size_t *size)
{
	(void)atomic_fetch_sub_explicit(total, *size, memory_order_relaxed);
	*size = 0;
}

/* What of a body of this size is charged. */
static size_t size_beyond_small(size_t size)
{
	return size > HTTP_SERVER_SMALL_BODY_SIZE ? size - HTTP_SERVER_SMALL_BODY_SIZE : 0;
}

bool http_call_charge(struct http_call *call, size_t size)
{
	struct http_server *server = call->private->server;

	if (!charge(&server->answers_charged, server->options.answer_budget, size))
		return false;
	call->private->answer_charged += size;
	return true;
}

/* ---- one call ---- */

static struct connection *connection_of(struct MHD_Connection *mhd)
{
	return (struct connection *)MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static struct http_call *call_new(struct http_server *server, struct MHD_Connection *mhd, const char *method, const char *path)
{
	struct call_memory *memory = (struct call_memory *)memory_allocate_zeroed(1, sizeof *memory + server->options.state_size);

	memory->call = (struct http_call){.method = method, .path = path, .state = memory->state, .private = &memory->private};
	memory->private.server = server;
	memory->private.mhd = mhd;
	memory->private.connection = connection_of(mhd);
	return &memory->call;
}

/* A body may hold passwords (the key manager's does): no copy of it stays behind, neither here nor where it was before it grew. */
static void append_to_body(struct buffer *body, struct view bytes)
{
	struct buffer grown = {0};

	if (body->data && bytes.size > body->capacity - body->size) {
		buffer_reserve(&grown, 2 * body->capacity + bytes.size);
		buffer_append(&grown, buffer_view(body));
		buffer_wipe_done(body);
		*body = grown;
	}
	buffer_append(body, bytes);
}

static void call_drop_body(struct http_call *call)
{
	call->body = view_of(NULL, 0);
	buffer_wipe_done(&call->private->body);
	discharge(&call->private->server->bodies_charged, &call->private->body_charged);
}

static void call_free(struct http_call *call)
{
	struct http_server *server = call->private->server;

	if (server->options.state_done)
		server->options.state_done(call->state);
	call_drop_body(call);
	discharge(&server->answers_charged, &call->private->answer_charged);
	if (call->private->response)
		MHD_destroy_response(call->private->response);
	free(call); /* the first member of its call_memory */
}

const struct http_client *http_call_client(const struct http_call *call)
{
	return http_tls_session_client(call->private->connection->tls);
}

void http_call_defer(struct http_call *call)
{
	call_drop_body(call);
	call->private->is_deferred = true;
	MHD_suspend_connection(call->private->mhd);
}

static void add_retry_after(struct MHD_Response *response, unsigned seconds)
{
	char text[16];

	(void)snprintf(text, sizeof text, "%u", seconds);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, text);
}

void http_call_answer(struct http_call *call, const struct http_answer *answer)
{
	struct http_call_private *private = call->private;
	struct MHD_Response *response;

	/* libmicrohttpd does not write to the buffer, it only lacks the const. */
	response = MHD_create_response_from_buffer(answer->body.size, (void *)(uintptr_t)answer->body.data, MHD_RESPMEM_MUST_COPY);
	if (response) {
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
		if (answer->allow)
			(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
		if (answer->retry_after_s)
			add_retry_after(response, answer->retry_after_s);
		if (answer->authenticate)
			(void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, answer->authenticate);
		if (answer->close || atomic_load(&private->server->is_draining))
			(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	}
	private->response = response;
	private->status = answer->status;
	if (private->is_deferred)
		MHD_resume_connection(private->mhd);
}

static void call_refuse(struct http_call *call, unsigned status, const char *reason, bool close)
{
	struct http_server_options *options = &call->private->server->options;
	AUTO_BUFFER struct buffer body = {0};

	options->refuse(options->context, call, status, reason, &body);
	http_call_answer(call, &(struct http_answer){.status = status,
						     .content_type = options->refusal_content_type,
						     .body = buffer_view(&body),
						     .close = close,
						     .retry_after_s = options->retry_after_s(status)});
}

static enum MHD_Result call_queue_answer(struct http_call *call)
{
	struct http_call_private *private = call->private;

	if (!private->response)
		return MHD_NO; /* no memory for it: all that is left is to hang up */
	http_connection_set_deadline(private->connection->deadline, private->server->options.request_deadline_ms);
	return MHD_queue_response(private->mhd, private->status, private->response);
}

const char *http_call_header(const struct http_call *call, const char *name)
{
	return MHD_lookup_connection_value(call->private->mhd, MHD_HEADER_KIND, name);
}

const char *http_call_argument(const struct http_call *call, const char *name)
{
	return MHD_lookup_connection_value(call->private->mhd, MHD_GET_ARGUMENT_KIND, name);
}

bool http_call_find_header(struct http_call *call, const char *name, bool (*visit)(const void *context, struct view entry),
			   const void *context)
{
	return http_headers_find(call->private->mhd, name, visit, context);
}

/* ---- a request, as libmicrohttpd reports it ---- */

static const char too_large[] = "the body is too large";
static const char wrong_host[] = "Host not authorized. The measured configuration lists the hosts that requests may name";

static enum MHD_Result begin(struct http_server *server, struct MHD_Connection *mhd, const char *method, const char *path,
			     void **ret_call)
{
	const char *length = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	struct http_call *call;
	uint64_t size;

	/* Hung up on as in a handshake: its next one fails, and says why. */
	if (!http_tls_session_is_admitted(connection_of(mhd)->tls))
		return MHD_NO;
	call = call_new(server, mhd, method, path);
	*ret_call = call;
	if (!http_headers_allow_host(mhd, server->options.hosts)) {
		call_refuse(call, MHD_HTTP_FORBIDDEN, wrong_host, true);
		return call_queue_answer(call);
	}
	if (!length || (u64_parse(view_of_text(length), &size) && size <= server->options.body_max_size))
		return MHD_YES;
	call_refuse(call, MHD_HTTP_CONTENT_TOO_LARGE, too_large, true);
	return call_queue_answer(call);
}

/*
 * A chunked body shows its size only as it comes, and libmicrohttpd takes no answer before the body's end, which may be as far
 * off as the client likes. So the answer is written straight into the TLS session, and the connection is given up.
 */
static enum MHD_Result refuse_rest_of_body(struct http_call *call)
{
	const struct http_server_options *options = &call->private->server->options;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(call->private->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	AUTO_BUFFER struct buffer body = {0};
	AUTO_BUFFER struct buffer text = {0};
	ssize_t sent;

	call_drop_body(call);
	if (!info || !info->tls_session)
		return MHD_NO;
	options->refuse(options->context, call, MHD_HTTP_CONTENT_TOO_LARGE, too_large, &body);
	buffer_append_format(
		&text, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
		options->refusal_content_type, body.size);
	buffer_append(&text, buffer_view(&body));
	sent = gnutls_record_send((gnutls_session_t)info->tls_session, text.data, text.size);
	(void)sent; /* a client that does not even take this hears nothing */
	return MHD_NO;
}

/* Memory grows only by what has come. What is refused is read to its end all the same, so that the connection can stay. */
static enum MHD_Result receive_body(struct http_call *call, struct view bytes)
{
	struct http_call_private *private = call->private;
	struct http_server *server = private->server;
	size_t size;

	if (bytes.size > server->options.body_max_size - private->received)
		return refuse_rest_of_body(call);
	private->received += bytes.size;
	if (private->refusal)
		return MHD_YES;
	size = size_beyond_small(private->received) - private->body_charged;
	if (!charge(&server->bodies_charged, server->options.body_budget, size)) {
		call_drop_body(call);
		private->refusal = "too many large requests at one time; try again";
		return MHD_YES;
	}
	private->body_charged += size;
	append_to_body(&private->body, bytes);
	return MHD_YES;
}

static enum MHD_Result finish(struct http_call *call)
{
	struct http_call_private *private = call->private;
	const struct http_server_options *options = &private->server->options;

	if (private->refusal) {
		call_refuse(call, MHD_HTTP_SERVICE_UNAVAILABLE, private->refusal, false);
		return call_queue_answer(call);
	}
	http_connection_clear_deadline(private->connection->deadline);
	call->body = buffer_view(&private->body);
	options->handle(options->context, call);
	if (private->is_deferred)
		return MHD_YES;
	if (private->status == 0)
		call_refuse(call, MHD_HTTP_INTERNAL_SERVER_ERROR, "the request was not answered; please report this", false);
	call_drop_body(call);
	return call_queue_answer(call);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *path, const char *method,
				  const char *version, const char *upload, size_t *upload_size, void **call_slot)
{
	struct http_call *call = (struct http_call *)*call_slot;

	(void)version;
	http_tls_session_note_read(connection_of(mhd)->tls);
	if (!call)
		return begin((struct http_server *)context, mhd, method, path, call_slot);
	if (*upload_size > 0) {
		struct view bytes = view_of(upload, *upload_size);

		*upload_size = 0;
		return receive_body(call, bytes);
	}
	if (call->private->is_deferred)
		return call_queue_answer(call);
	return finish(call);
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **call_slot, enum MHD_RequestTerminationCode why)
{
	struct http_server *server = (struct http_server *)context;

	(void)why;
	http_connection_set_deadline(connection_of(mhd)->deadline, server->options.idle_timeout_ms);
	if (*call_slot)
		call_free((struct http_call *)*call_slot);
	*call_slot = NULL;
}

/* The request line is there. */
static void *on_request_line(void *context, const char *uri, struct MHD_Connection *mhd)
{
	struct http_server *server = (struct http_server *)context;

	(void)uri;
	http_connection_set_deadline(connection_of(mhd)->deadline, server->options.request_deadline_ms);
	return NULL;
}

static void wait_for_handshake(void *context)
{
	struct connection *connection = (struct connection *)context;

	http_handshakes_wait(connection->server->handshakes, connection->mhd, connection->fd);
}

static struct connection *connection_new(struct http_server *server, struct MHD_Connection *mhd)
{
	struct connection *connection = (struct connection *)memory_allocate_zeroed(1, sizeof *connection);
	int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	void *session = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;

	*connection = (struct connection){.server = server, .mhd = mhd, .fd = fd};
	connection->deadline = http_connections_add(server->connections, fd, server->options.request_deadline_ms);
	connection->tls =
		http_tls_session_new(server->tls, (gnutls_session_t)session,
				     &(struct http_tls_socket){.fd = fd, .wait = wait_for_handshake, .context = connection});
	return connection;
}

static void connection_free(struct http_server *server, struct connection *connection)
{
	http_handshakes_forget(server->handshakes, connection->fd);
	http_connections_remove(server->connections, connection->deadline);
	http_tls_session_free(connection->tls);
	free(connection);
}

/*
 * At a limit of its own libmicrohttpd stops to accept, and who comes then waits in the backlog, which looks like a hang. So it is
 * given one that it does not reach, and what is too much is refused here.
 */
static enum MHD_Result on_accept(void *context, const struct sockaddr *address, socklen_t address_size)
{
	struct http_server *server = (struct http_server *)context;

	(void)address;
	(void)address_size;
	if (http_connections_have_room(server->connections))
		return MHD_YES;
	metrics_add(METRIC_CONNECTIONS_REFUSED, 0, 0, 1);
	return MHD_NO;
}

/* libmicrohttpd has made the TLS session before it tells of a connection, and freed it before it tells of the end. */
static void on_connection(void *context, struct MHD_Connection *mhd, void **slot, enum MHD_ConnectionNotificationCode what)
{
	struct http_server *server = (struct http_server *)context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*slot = connection_new(server, mhd);
		return;
	}
	connection_free(server, (struct connection *)*slot);
	*slot = NULL;
}

/* ---- life ---- */

/*
 * libmicrohttpd closes its listening socket at the end, and in some of the cases where it does not start, so it gets a
 * descriptor of its own that nobody else closes.
 */
static int open_listener(int fd, struct error *error)
{
	int flags = fcntl(fd, F_GETFL);
	int listener;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || listen(fd, LISTEN_BACKLOG) != 0)
		return error_set_errno(error, ERROR_IO, "cannot listen on the signing socket"), -1;
	listener = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (listener < 0)
		(void)error_set_errno(error, ERROR_IO, "the signing socket");
	return listener;
}

/*
 * libmicrohttpd gives each thread an equal share of its limit. Beyond ours there may be one connection a thread that was let in at the
 * same moment as others, and one that is gone but still counted: there is always a thread below its share, and it accepts and refuses.
 */
static unsigned limit_of_daemon(const struct http_server_options *options)
{
	return options->connection_limit + 2 * options->threads;
}

static bool start_daemon(struct http_server *server, struct error *error)
{
	int listener = open_listener(server->options.listen_fd, error);

	if (listener < 0)
		return false;
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME, 0, on_accept, server, on_request, server,
		MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_THREAD_POOL_SIZE, server->options.threads,
		MHD_OPTION_CONNECTION_LIMIT, limit_of_daemon(&server->options), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY_SIZE, MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_HTTPS_CERT_CALLBACK, http_tls_certificate,
		MHD_OPTION_HTTPS_PRIORITIES, HTTP_TLS_PRIORITIES, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_END);
	return server->daemon ? true : error_set(error, ERROR_IO, "the HTTPS server cannot start");
}

struct http_server *http_server_new(const struct http_server_options *options, struct error *error)
{
	unsigned tick_ms = options->request_deadline_ms / 8 < TICK_MAX_MS ? options->request_deadline_ms / 8 + 1 : TICK_MAX_MS;
	struct http_server *server = (struct http_server *)memory_allocate_zeroed(1, sizeof *server);

	server->options = *options;
	server->options.tls_key = server->options.tls_chain = view_of(NULL, 0);
	if (!http_epoll_is_in_place())
		(void)error_set(error, ERROR_BUG, "libmicrohttpd would not call this program's epoll_wait()");
	else
		server->connections = http_connections_new(options->connection_limit, tick_ms, error);
	if (server->connections)
		server->handshakes = http_handshakes_new(error);
	if (server->handshakes)
		server->tls = http_tls_new(options->tls_key, options->tls_chain, options->client_rules, error);
	if (server->tls && start_daemon(server, error))
		return server;
	http_server_free(server);
	return NULL;
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	if (server->handshakes)
		http_handshakes_close(server->handshakes);
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	http_handshakes_free(server->handshakes);
	http_connections_free(server->connections);
	http_tls_free(server->tls);
	free(server);
}

void http_server_drain(struct http_server *server)
{
	atomic_store(&server->is_draining, true);
}

bool http_server_set_identity(struct http_server *server, struct view tls_key, struct view tls_chain, struct error *error)
{
	return http_tls_set_identity(server->tls, tls_key, tls_chain, error);
}
