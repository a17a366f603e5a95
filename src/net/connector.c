/* SPDX-License-Identifier: Apache-2.0 */
#include "net/connector.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <event2/dns.h>
#include <event2/util.h>
#include <linux/vm_sockets.h>

#include "base/clock.h"

/* How soon to look again when the backlog of a unix socket is full: the kernel offers nothing to wait for. */
#define BACKLOG_RETRY_MS 5
/* "OK 4294967295\n" and some room; the answer of a hybrid peer is one short line. */
#define HYBRID_LINE_SIZE 32
/* "CONNECT 4294967295\n" and a NUL. */
#define HYBRID_GREETING_SIZE 32

enum phase { PHASE_BEGIN, PHASE_RESOLVING, PHASE_CONNECTING, PHASE_BACKLOG_FULL, PHASE_HANDSHAKE, PHASE_ENDED };

/* What the resolver holds on to; it outlives a connector that gives up first, because a cancelled query still calls back. */
struct resolution {
	struct connector *connector;
	struct evdns_getaddrinfo_request *request;
};

struct connector {
	struct connector_options options;
	enum phase phase;
	uint64_t deadline_ms;
	struct event *timer; /* the phase says what it means */
	struct event *ready; /* on `fd`, while there is one */
	int fd;
	int folder_fd; /* keeps a long unix path reachable through /proc; -1: none */
	struct resolution *resolution;
	struct evutil_addrinfo *addresses; /* of a tcp host */
	struct evutil_addrinfo *next_address;
	union {
		struct sockaddr any;
		struct sockaddr_un unix_path;
		struct sockaddr_vm vsock;
		struct sockaddr_storage storage;
	} name;
	socklen_t name_size;
	uint8_t line[HYBRID_LINE_SIZE];
	size_t line_size;
};

static void try_next_address(struct connector *connector);
static void try_connect(struct connector *connector);

static struct evutil_addrinfo numeric_hints(void)
{
	struct evutil_addrinfo hints = {0};

	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV;
	return hints;
}

bool connector_needs_resolver(const struct address *address)
{
	struct evutil_addrinfo hints = numeric_hints();
	struct evutil_addrinfo *list = NULL;
	bool numeric;

	if (address->kind != ADDRESS_TCP)
		return false;
	numeric = evutil_getaddrinfo(address->host, NULL, &hints, &list) == 0;
	if (list)
		evutil_freeaddrinfo(list);
	return !numeric;
}

static void set_timer(struct connector *connector, unsigned delay_ms)
{
	struct timeval delay = {.tv_sec = delay_ms / 1000, .tv_usec = (suseconds_t)(delay_ms % 1000) * 1000};

	(void)evtimer_add(connector->timer, &delay);
}

static unsigned left_ms(const struct connector *connector)
{
	uint64_t now_ms = clock_monotonic_ms();

	return now_ms < connector->deadline_ms ? (unsigned)(connector->deadline_ms - now_ms) : 0;
}

static void drop_socket(struct connector *connector)
{
	if (connector->ready)
		event_free(connector->ready);
	connector->ready = NULL;
	if (connector->fd >= 0)
		(void)close(connector->fd);
	connector->fd = -1;
}

/* The callee may free the connector, so nothing touches it after this. */
static void end(struct connector *connector, int fd, const struct error *error)
{
	connector->phase = PHASE_ENDED;
	(void)evtimer_del(connector->timer);
	connector->options.callback(connector->options.context, fd, error);
}

static void fail(struct connector *connector, struct error *error)
{
	char text[ADDRESS_TEXT_SIZE];

	drop_socket(connector);
	address_format(connector->options.address, text);
	(void)error_prefix(error, "%.200s", text);
	end(connector, -1, error);
}

static void fail_late(struct connector *connector)
{
	struct error error = {0};

	(void)error_set(&error, ERROR_PEER, "no connection within %u ms", connector->options.timeout_ms);
	fail(connector, &error);
}

static void succeed(struct connector *connector)
{
	int fd = take_fd(&connector->fd);

	drop_socket(connector);
	end(connector, fd, NULL);
}

static void watch(struct connector *connector, short what, event_callback_fn callback)
{
	struct error error = {0};

	if (connector->ready)
		event_free(connector->ready);
	connector->ready = event_new(connector->options.base, connector->fd, (short)(what | EV_PERSIST), callback, connector);
	if (connector->ready && event_add(connector->ready, NULL) == 0)
		return;
	(void)error_set(&error, ERROR_IO, "cannot watch a socket");
	fail(connector, &error);
}

static bool line_is_ok(struct view line)
{
	uint64_t port;

	return line.size >= 3 && memcmp(line.data, "OK ", 3) == 0 && u64_parse(view_of(line.data + 3, line.size - 3), &port);
}

/* Byte by byte: what follows the line belongs to the guest's program. */
static void on_handshake(int fd, short what, void *context)
{
	struct connector *connector = context;
	struct error error = {0};

	(void)what;
	while (connector->line_size < sizeof connector->line) {
		ssize_t got = recv(fd, connector->line + connector->line_size, 1, MSG_DONTWAIT);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0)
			break;
		if (connector->line[connector->line_size++] != '\n')
			continue;
		if (!line_is_ok(view_of(connector->line, connector->line_size - 1)))
			break;
		succeed(connector);
		return;
	}
	(void)error_set(&error, ERROR_PEER, "no \"OK PORT\" as answer to CONNECT: nothing listens on that port of the guest");
	fail(connector, &error);
}

static void say_connect(struct connector *connector)
{
	char greeting[HYBRID_GREETING_SIZE];
	int size = snprintf(greeting, sizeof greeting, "CONNECT %u\n", connector->options.address->port);
	struct error error = {0};

	/* A fresh socket has room for twenty bytes; one that has not is broken. */
	if (send(connector->fd, greeting, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) != size) {
		(void)error_set_errno(&error, ERROR_PEER, "cannot send CONNECT");
		fail(connector, &error);
		return;
	}
	connector->phase = PHASE_HANDSHAKE;
	set_timer(connector, left_ms(connector));
	watch(connector, EV_READ, on_handshake);
}

static void connected(struct connector *connector)
{
	if (connector->options.address->kind == ADDRESS_HYBRID) {
		say_connect(connector);
		return;
	}
	succeed(connector);
}

/* One address did not answer: the next of the same name may, else `problem` is the reason given. */
static void attempt_failed(struct connector *connector, int problem)
{
	struct error error = {0};

	drop_socket(connector);
	if (connector->next_address) {
		try_next_address(connector);
		return;
	}
	errno = problem;
	(void)error_set_errno(&error, ERROR_PEER, "cannot connect");
	fail(connector, &error);
}

static void on_connected(int fd, short what, void *context)
{
	struct connector *connector = context;
	int problem = 0;
	socklen_t size = sizeof problem;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0)
		problem = errno;
	if (problem == EINPROGRESS)
		return;
	if (problem != 0) {
		attempt_failed(connector, problem);
		return;
	}
	connected(connector);
}

static void prepare_socket(struct connector *connector)
{
	sa_family_t family = connector->name.any.sa_family;
	unsigned timeout_ms = left_ms(connector);
	struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
	int one = 1;

	if (family == AF_INET || family == AF_INET6)
		(void)setsockopt(connector->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	/* The kernel gives up on a vsock peer after two seconds unless told otherwise. */
	if (family == AF_VSOCK)
		(void)setsockopt(connector->fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &timeout, sizeof timeout);
}

static void try_connect(struct connector *connector)
{
	struct error error = {0};

	connector->fd = socket(connector->name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connector->fd < 0) {
		(void)error_set_errno(&error, ERROR_IO, "cannot make a socket");
		fail(connector, &error);
		return;
	}
	prepare_socket(connector);
	if (connect(connector->fd, &connector->name.any, connector->name_size) == 0) {
		connected(connector);
		return;
	}
	if (errno == EINPROGRESS || errno == EINTR) {
		connector->phase = PHASE_CONNECTING;
		watch(connector, EV_WRITE, on_connected);
		return;
	}
	if (errno == EAGAIN && connector->name.any.sa_family == AF_UNIX) {
		drop_socket(connector);
		connector->phase = PHASE_BACKLOG_FULL;
		set_timer(connector, BACKLOG_RETRY_MS);
		return;
	}
	attempt_failed(connector, errno);
}

/* Each address of a name gets an equal share of the time left, so that a silent first one does not cost the others theirs. */
static void try_next_address(struct connector *connector)
{
	struct evutil_addrinfo *address = connector->next_address;
	unsigned left = 0;

	for (const struct evutil_addrinfo *each = address; each; each = each->ai_next)
		left++;
	connector->next_address = address->ai_next;
	memcpy(&connector->name.storage, address->ai_addr, address->ai_addrlen);
	connector->name_size = (socklen_t)address->ai_addrlen;
	set_timer(connector, left_ms(connector) / left);
	try_connect(connector);
}

static void resolved(struct connector *connector, int result, struct evutil_addrinfo *list)
{
	struct error error = {0};

	if (result == 0 && list) {
		connector->addresses = connector->next_address = list;
		try_next_address(connector);
		return;
	}
	(void)error_set(&error, ERROR_PEER, "cannot resolve the name: %s", result ? evutil_gai_strerror(result) : "no address");
	fail(connector, &error);
}

static void on_resolved(int result, struct evutil_addrinfo *list, void *context)
{
	struct resolution *resolution = context;
	struct connector *connector = resolution->connector;

	free(resolution);
	if (!connector) {
		if (list)
			evutil_freeaddrinfo(list);
		return;
	}
	connector->resolution = NULL;
	resolved(connector, result, list);
}

static void resolve(struct connector *connector)
{
	struct evutil_addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC, .ai_protocol = IPPROTO_TCP};
	struct evdns_getaddrinfo_request *request;
	struct resolution *resolution = memory_allocate_zeroed(1, sizeof *resolution);
	char port[12];

	resolution->connector = connector;
	connector->resolution = resolution;
	connector->phase = PHASE_RESOLVING;
	hints.ai_flags = EVUTIL_AI_ADDRCONFIG | EVUTIL_AI_NUMERICSERV;
	set_timer(connector, left_ms(connector));
	(void)snprintf(port, sizeof port, "%u", connector->options.address->port);
	request = evdns_getaddrinfo(connector->options.resolver, connector->options.address->host, port, &hints, on_resolved,
				    resolution);
	/* NULL: it has called back already, and everything above may be gone. */
	if (request)
		resolution->request = request;
}

static void begin_tcp(struct connector *connector)
{
	struct evutil_addrinfo hints = numeric_hints();
	struct evutil_addrinfo *list = NULL;
	char port[12];
	int result;

	if (connector->options.resolver && connector_needs_resolver(connector->options.address)) {
		resolve(connector);
		return;
	}
	(void)snprintf(port, sizeof port, "%u", connector->options.address->port);
	result = evutil_getaddrinfo(connector->options.address->host, port, &hints, &list);
	resolved(connector, result, list);
}

static void set_unix_name(struct connector *connector, const char *path)
{
	connector->name.unix_path.sun_family = AF_UNIX;
	memcpy(connector->name.unix_path.sun_path, path, strlen(path) + 1);
	connector->name_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

/* Paths that fit are used as they are; longer ones are reached through their folder. */
static bool name_unix_path(struct connector *connector, const char *path, struct error *error)
{
	const size_t room = sizeof connector->name.unix_path.sun_path;
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *folder = NULL;
	AUTO_FREE char *short_path = NULL;

	if (strlen(path) < room) {
		set_unix_name(connector, path);
		return true;
	}
	if (!slash)
		return error_set(error, ERROR_INPUT, "the socket's name is longer than %zu bytes", room - 1);
	folder = memory_format("%.*s", (int)(slash - path + 1), path);
	connector->folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (connector->folder_fd < 0)
		return error_set_errno(error, ERROR_IO, "the socket's folder");
	short_path = memory_format("/proc/self/fd/%d/%s", connector->folder_fd, slash + 1);
	if (strlen(short_path) >= room)
		return error_set(error, ERROR_INPUT, "the socket's name has %zu bytes, which is too long", strlen(slash + 1));
	set_unix_name(connector, short_path);
	return true;
}

static void name_vsock(struct connector *connector)
{
	connector->name.vsock = (struct sockaddr_vm){
		.svm_family = AF_VSOCK,
		.svm_cid = connector->options.address->cid,
		.svm_port = connector->options.address->port,
	};
	connector->name_size = sizeof connector->name.vsock;
}

static void begin(struct connector *connector)
{
	const struct address *address = connector->options.address;
	struct error error = {0};

	if (address->kind == ADDRESS_TCP) {
		begin_tcp(connector);
		return;
	}
	if (address->kind == ADDRESS_VSOCK)
		name_vsock(connector);
	if (address->kind != ADDRESS_VSOCK && !name_unix_path(connector, address->path, &error)) {
		fail(connector, &error);
		return;
	}
	set_timer(connector, left_ms(connector));
	try_connect(connector);
}

static void on_timer(int fd, short what, void *context)
{
	struct connector *connector = context;

	(void)fd;
	(void)what;
	if (connector->phase == PHASE_BEGIN) {
		begin(connector);
		return;
	}
	if (connector->phase == PHASE_BACKLOG_FULL && left_ms(connector) > 0) {
		try_connect(connector);
		return;
	}
	if (connector->phase == PHASE_CONNECTING && connector->next_address) {
		attempt_failed(connector, ETIMEDOUT);
		return;
	}
	if (connector->phase != PHASE_ENDED)
		fail_late(connector);
}

struct connector *connector_start(const struct connector_options *options, struct error *error)
{
	struct connector *connector = memory_allocate_zeroed(1, sizeof *connector);

	connector->options = *options;
	connector->fd = -1;
	connector->folder_fd = -1;
	connector->deadline_ms = clock_monotonic_ms() + options->timeout_ms;
	connector->timer = evtimer_new(options->base, on_timer, connector);
	if (!connector->timer) {
		connector_free(connector);
		return error_set(error, ERROR_IO, "cannot make a timer"), NULL;
	}
	event_active(connector->timer, EV_TIMEOUT, 0);
	return connector;
}

void connector_free(struct connector *connector)
{
	if (!connector)
		return;
	if (connector->resolution) {
		connector->resolution->connector = NULL;
		evdns_getaddrinfo_cancel(connector->resolution->request);
	}
	drop_socket(connector);
	if (connector->timer)
		event_free(connector->timer);
	if (connector->folder_fd >= 0)
		(void)close(connector->folder_fd);
	if (connector->addresses)
		evutil_freeaddrinfo(connector->addresses);
	free(connector);
}
