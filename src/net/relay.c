/* SPDX-License-Identifier: Apache-2.0 */
#include "net/relay.h"

#include <errno.h>
#include <sys/socket.h>

#include <event2/dns.h>

#include "net/connector.h"
#include "net/proxy_protocol.h"
#include "net/pump.h"

/* Clients of a restarted host all come back at once. The kernel cuts it to net.core.somaxconn. */
#define BACKLOG 4096
/* Accepts in one turn: a flood of connections must not keep the event loop from those that exist. */
#define ACCEPTS_PER_TURN 64
/* accept() without descriptors or memory would fail again at once and spin. */
#define ACCEPT_PAUSE_MS 100

/* One accepted connection: first connecting, then pumping. */
struct link {
	struct relay *relay;
	struct link *previous;
	struct link *next;
	int fd; /* accepted; the pump's once there is one */
	struct sockaddr_storage peer;
	struct connector *connector;
	struct pump *pump;
};

struct relay {
	struct event_base *base;
	struct relay_options options;
	struct relay_statistics statistics;
	int listen_fd;
	struct event *acceptable;
	struct event *resume_timer;
	struct evdns_base *resolver; /* only where the destination is a name */
	struct link *links;
	uint8_t scratch[PUMP_BUFFER_SIZE];
};

static void link_free(struct link *link)
{
	struct relay *relay = link->relay;

	if (link->previous)
		link->previous->next = link->next;
	if (!link->previous)
		relay->links = link->next;
	if (link->next)
		link->next->previous = link->previous;
	relay->statistics.connections--;
	connector_free(link->connector);
	pump_free(link->pump);
	if (link->fd >= 0)
		(void)close(link->fd);
	free(link);
}

static void link_failed(struct link *link, const struct error *error)
{
	link->relay->statistics.failed++;
	link->relay->statistics.last_failure = *error;
	link_free(link);
}

static void on_pump_ended(void *context)
{
	link_free(context);
}

/* A socket that was just connected has room for so little. */
static bool announce_client(const struct link *link, int fd, struct error *error)
{
	AUTO_BUFFER struct buffer header = {0};

	if (!link->relay->options.announces_clients)
		return true;
	proxy_header_write(link->fd, (const struct sockaddr *)&link->peer, &header);
	if (send(fd, header.data, header.size, MSG_NOSIGNAL) == (ssize_t)header.size)
		return true;
	return error_set_errno(error, ERROR_IO, "cannot say whose connection it is");
}

static void on_connected(void *context, int fd, const struct error *connect_error)
{
	struct link *link = context;
	struct relay *relay = link->relay;
	struct error error = {0};
	struct pump_options options = {
		.base = relay->base,
		.idle_timeout_ms = relay->options.idle_timeout_ms,
		.scratch = relay->scratch,
		.bytes_to_second = &relay->statistics.bytes_to_connect,
		.bytes_to_first = &relay->statistics.bytes_to_listen,
		.callback = on_pump_ended,
		.context = link,
	};

	if (fd < 0) {
		link_failed(link, connect_error);
		return;
	}
	connector_free(link->connector);
	link->connector = NULL;
	if (!announce_client(link, fd, &error)) {
		(void)close(fd);
		link_failed(link, &error);
		return;
	}
	link->pump = pump_start(&options, take_fd(&link->fd), fd, &error);
	if (!link->pump)
		link_failed(link, &error);
}

/* Takes the accepted socket. */
static void link_start(struct relay *relay, int fd, const struct sockaddr_storage *peer)
{
	struct link *link = memory_allocate_zeroed(1, sizeof *link);
	struct error error = {0};
	struct connector_options options = {
		.base = relay->base,
		.resolver = relay->resolver,
		.address = &relay->options.connect,
		.timeout_ms = relay->options.connect_timeout_ms,
		.callback = on_connected,
		.context = link,
	};

	link->relay = relay;
	link->fd = fd;
	link->peer = *peer;
	link->next = relay->links;
	if (relay->links)
		relay->links->previous = link;
	relay->links = link;
	relay->statistics.connections++;
	relay->statistics.accepted++;
	link->connector = connector_start(&options, &error);
	if (!link->connector)
		link_failed(link, &error);
}

static void pause_accepting(struct relay *relay)
{
	const struct timeval pause = {.tv_usec = ACCEPT_PAUSE_MS * 1000};

	relay->statistics.accept_pauses++;
	(void)event_del(relay->acceptable);
	(void)evtimer_add(relay->resume_timer, &pause);
}

static void on_resume(int fd, short what, void *context)
{
	struct relay *relay = context;

	(void)fd;
	(void)what;
	(void)event_add(relay->acceptable, NULL);
}

/* What accept() says about the one connection that it did not give: the next may be fine (accept(2), "Error handling"). */
static bool concerns_one_connection(int problem)
{
	static const int problems[] = {EINTR,     ECONNABORTED, EPROTO,       ENETDOWN,   ENOPROTOOPT,
				       EHOSTDOWN, ENONET,       EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH};

	for (size_t i = 0; i < ARRAY_SIZE(problems); i++) {
		if (problems[i] == problem)
			return true;
	}
	return false;
}

static void on_acceptable(int listen_fd, short what, void *context)
{
	struct relay *relay = context;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage peer = {0};
		socklen_t size = sizeof peer;
		int fd = accept4(listen_fd, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0 && concerns_one_connection(errno))
			continue;
		if (fd < 0) {
			pause_accepting(relay);
			return;
		}
		if (relay->statistics.connections >= relay->options.max_connections) {
			relay->statistics.refused++;
			(void)close(fd);
			continue;
		}
		link_start(relay, fd, &peer);
	}
}

static bool make_resolver(struct relay *relay, struct error *error)
{
	if (!connector_needs_resolver(&relay->options.connect))
		return true;
	/* Without the flag the resolver's own events would keep an event loop alive for ever. */
	relay->resolver = evdns_base_new(relay->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!relay->resolver)
		return error_set(error, ERROR_IO, "cannot make a resolver");
	/* A missing file leaves the resolver with 127.0.0.1 and /etc/hosts, as resolv.conf(5) says. */
	(void)evdns_base_resolv_conf_parse(relay->resolver, DNS_OPTIONS_ALL, "/etc/resolv.conf");
	return true;
}

static bool start(struct relay *relay, struct error *error)
{
	if (!make_resolver(relay, error))
		return false;
	relay->listen_fd = address_listen(&relay->options.listen, BACKLOG, error);
	if (relay->listen_fd < 0)
		return false;
	if (evutil_make_socket_nonblocking(relay->listen_fd) != 0)
		return error_set_errno(error, ERROR_IO, "cannot make the listening socket non-blocking");
	relay->acceptable = event_new(relay->base, relay->listen_fd, EV_READ | EV_PERSIST, on_acceptable, relay);
	relay->resume_timer = evtimer_new(relay->base, on_resume, relay);
	if (!relay->acceptable || !relay->resume_timer || event_add(relay->acceptable, NULL) != 0)
		return error_set(error, ERROR_IO, "cannot watch the listening socket");
	return true;
}

struct relay *relay_new(struct event_base *base, const struct relay_options *options, struct error *error)
{
	struct relay *relay = memory_allocate_zeroed(1, sizeof *relay);

	relay->base = base;
	relay->options = *options;
	relay->listen_fd = -1;
	if (!relay->options.max_connections)
		relay->options.max_connections = RELAY_CONNECTIONS_MAX;
	if (!relay->options.connect_timeout_ms)
		relay->options.connect_timeout_ms = RELAY_CONNECT_TIMEOUT_MS;
	if (!relay->options.idle_timeout_ms)
		relay->options.idle_timeout_ms = RELAY_IDLE_TIMEOUT_MS;
	if (start(relay, error))
		return relay;
	relay_free(relay);
	return NULL;
}

static void remove_socket_file(const struct address *address)
{
	AUTO_FREE char *path = NULL;

	if (address->kind == ADDRESS_UNIX)
		(void)unlink(address->path);
	if (address->kind != ADDRESS_HYBRID)
		return;
	path = memory_format("%s_%u", address->path, address->port);
	(void)unlink(path);
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	if (relay->acceptable)
		event_free(relay->acceptable);
	if (relay->resume_timer)
		event_free(relay->resume_timer);
	for (struct link *link = relay->links, *next; link; link = next) {
		next = link->next;
		link_free(link);
	}
	if (relay->resolver)
		evdns_base_free(relay->resolver, 0);
	/* Only what this relay bound is removed: where it could not bind, the file is somebody else's. */
	if (relay->listen_fd >= 0) {
		remove_socket_file(&relay->options.listen);
		(void)close(relay->listen_fd);
	}
	free(relay);
}

const struct relay_statistics *relay_statistics(const struct relay *relay)
{
	return &relay->statistics;
}

uint16_t relay_bound_port(const struct relay *relay)
{
	return address_bound_port(relay->listen_fd);
}
