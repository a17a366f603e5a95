/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/http_server.h"

#include <microhttpd.h>

#include "net/address.h"

/* One laptop's clients: an enclave, a host, a few operators' commands and SDKs with their idle connections. */
#define CONNECTION_LIMIT 64
#define LISTEN_BACKLOG 64
#define THREAD_COUNT 4
/* A connection that sends or takes nothing for this long is dropped. */
#define CONNECTION_TIMEOUT_S 30
/* The request line and headers of one request must fit; session tokens are the longest and stay under 2 KiB. */
#define CONNECTION_MEMORY_SIZE 32768
/* Forward secrecy and AEAD only, no TLS below 1.2. */
#define TLS_PRIORITIES                                                                                                             \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"                                              \
	"-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305"

struct http_server {
	struct MHD_Daemon *daemon;
	uint16_t port;
	http_server_handler handler;
	void *context;
};

/* One request while it arrives. */
struct exchange {
	char *target;
	bool begun;
	struct buffer body; /* its memory is taken at once, so that no stale copies stay behind, and wiped at the end */
};

bool http_server_find_header(const struct http_server_request *request, const char *name, struct view *ret_value)
{
	size_t found = 0;

	for (size_t i = 0; i < request->header_count; i++) {
		const struct http_server_header *header = &request->headers[i];

		if (header->name.size != strlen(name) || strncasecmp((const char *)header->name.data, name, header->name.size) != 0)
			continue;
		*ret_value = header->value;
		found++;
	}
	return found == 1;
}

void http_server_add_header(struct http_server_answer *answer, const char *name, const char *value)
{
	if (answer->header_count == HTTP_SERVER_MAX_ANSWER_HEADERS)
		return;
	answer->headers[answer->header_count].name = name;
	(void)snprintf(answer->headers[answer->header_count].value, sizeof answer->headers[0].value, "%s", value);
	answer->header_count++;
}

static void *begin_exchange(void *context, const char *target, struct MHD_Connection *connection)
{
	struct exchange *exchange = memory_allocate_zeroed(1, sizeof *exchange);

	(void)context;
	(void)connection;
	exchange->target = memory_copy_text(target);
	return exchange;
}

static void end_exchange(void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
	struct exchange *exchange = *state;

	(void)context;
	(void)connection;
	(void)code;
	if (!exchange)
		return;
	buffer_wipe_done(&exchange->body);
	free(exchange->target);
	free(exchange);
	*state = NULL;
}

static void wipe_answer(void *body)
{
	secret_done(body);
	free(body);
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct http_server_answer *answer)
{
	struct secret *body = memory_allocate_zeroed(1, sizeof *body);
	struct MHD_Response *response;
	enum MHD_Result result;

	*body = answer->body;
	answer->body = (struct secret){0};
	response = MHD_create_response_from_buffer_with_free_callback_cls(body->size, body->data, wipe_answer, body);
	if (!response) {
		wipe_answer(body);
		return MHD_NO;
	}
	if (answer->content_type)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
	for (size_t i = 0; i < answer->header_count; i++)
		(void)MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status)
{
	struct http_server_answer answer = {.status = status};

	return send_answer(connection, &answer);
}

struct header_list {
	struct http_server_header headers[HTTP_SERVER_MAX_HEADERS];
	size_t count;
	bool overflow;
};

static enum MHD_Result collect_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct header_list *list = context;

	(void)kind;
	list->overflow = list->count == HTTP_SERVER_MAX_HEADERS;
	if (list->overflow)
		return MHD_NO;
	list->headers[list->count++] = (struct http_server_header){view_of_text(name), view_of_text(value ? value : "")};
	return MHD_YES;
}

static enum MHD_Result answer_request(struct http_server *server, struct MHD_Connection *connection, const char *method,
				      struct exchange *exchange)
{
	struct http_server_answer answer = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR};
	struct header_list list = {0};
	struct http_server_request request;

	(void)MHD_get_connection_values(connection, MHD_HEADER_KIND, collect_header, &list);
	if (list.overflow)
		return refuse(connection, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE);
	request = (struct http_server_request){.method = method,
					       .target = exchange->target,
					       .headers = list.headers,
					       .header_count = list.count,
					       .body = buffer_view(&exchange->body)};
	server->handler(server->context, &request, &answer);
	return send_answer(connection, &answer);
}

/* The first call of a request: its headers are here, its body is not. */
static enum MHD_Result check_head(struct MHD_Connection *connection, struct exchange *exchange)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t size = 0;

	exchange->begun = true;
	if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING))
		return refuse(connection, MHD_HTTP_LENGTH_REQUIRED);
	if (length && !u64_parse(view_of_text(length), &size))
		return refuse(connection, MHD_HTTP_BAD_REQUEST);
	if (size > HTTP_SERVER_BODY_MAX_SIZE)
		return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE);
	buffer_reserve(&exchange->body, size);
	return MHD_YES;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *upload, size_t *upload_size, void **state)
{
	struct exchange *exchange = *state;

	(void)url;
	(void)version;
	if (!exchange->begun)
		return check_head(connection, exchange);
	if (*upload_size == 0)
		return answer_request(context, connection, method, exchange);
	if (*upload_size > HTTP_SERVER_BODY_MAX_SIZE - exchange->body.size)
		return MHD_NO;
	buffer_append(&exchange->body, view_of(upload, *upload_size));
	*upload_size = 0;
	return MHD_YES;
}

/* The wanted port if it is free, else any. */
static int listen_near(uint16_t port, struct error *error)
{
	struct address address = {.kind = ADDRESS_TCP, .port = port, .host = "127.0.0.1"};
	int fd = port ? address_listen(&address, LISTEN_BACKLOG, error) : -1;

	if (fd >= 0)
		return fd;
	address.port = 0;
	return address_listen(&address, LISTEN_BACKLOG, error);
}

struct http_server *http_server_start(const struct http_server_options *options, struct error *error)
{
	const struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_KEY, 0, options->tls_key_pem ? options->tls_key_pem->data : NULL},
		{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->tls_chain_pem},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
		{MHD_OPTION_END, 0, NULL},
	};
	const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | (options->tls_key_pem ? MHD_USE_TLS : 0u);
	AUTO_FD int fd = listen_near(options->port, error);
	struct http_server *server;

	if (fd < 0)
		return NULL;
	server = memory_allocate_zeroed(1, sizeof *server);
	server->handler = options->handler;
	server->context = options->context;
	server->port = address_bound_port(fd);
	server->daemon =
		MHD_start_daemon(flags, 0, NULL, NULL, handle, server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
				 THREAD_COUNT, MHD_OPTION_CONNECTION_LIMIT, CONNECTION_LIMIT, MHD_OPTION_CONNECTION_TIMEOUT,
				 CONNECTION_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_SIZE,
				 MHD_OPTION_URI_LOG_CALLBACK, begin_exchange, NULL, MHD_OPTION_NOTIFY_COMPLETED, end_exchange, NULL,
				 MHD_OPTION_ARRAY, options->tls_key_pem ? tls : none, MHD_OPTION_END);
	if (!server->daemon) {
		free(server);
		return error_set(error, ERROR_IO, "cannot start the HTTP server on port %u", address_bound_port(fd)), NULL;
	}
	(void)take_fd(&fd); /* the daemon closes it */
	return server;
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->port;
}

void http_server_stop(struct http_server *server)
{
	if (!server)
		return;
	MHD_stop_daemon(server->daemon);
	free(server);
}
