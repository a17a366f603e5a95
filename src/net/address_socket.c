/* SPDX-License-Identifier: Apache-2.0 */
#include "net/address.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <linux/vm_sockets.h>

#include "net/deadline.h"

/* How soon to look again when the listener's backlog on a unix socket is full: the kernel offers nothing to wait for. */
#define BACKLOG_RETRY_MS 5
/* "OK 4294967295\n" and some room; the answer of a hybrid peer is one short line. */
#define HYBRID_LINE_SIZE 32

/* One place to bind or to connect to, in the kernel's form. */
struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_un unix_path;
		struct sockaddr_vm vsock;
		struct sockaddr_storage storage;
	} name;
	socklen_t size;
	int folder_fd; /* keeps a long path reachable through /proc while the endpoint is in use; -1: none */
};

static void endpoint_done(struct endpoint *endpoint)
{
	if (endpoint->folder_fd >= 0)
		(void)close(endpoint->folder_fd);
	endpoint->folder_fd = -1;
}

#define AUTO_ENDPOINT CLEANUP(endpoint_done)

static void set_unix_name(struct endpoint *endpoint, const char *path, size_t size)
{
	endpoint->name.unix_path.sun_family = AF_UNIX;
	memcpy(endpoint->name.unix_path.sun_path, path, size);
	endpoint->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

/* Paths that fit are used as they are: only long ones need a /proc. */
static bool unix_endpoint(const char *path, struct endpoint *ret_endpoint, struct error *error)
{
	const size_t room = sizeof ret_endpoint->name.unix_path.sun_path;
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *folder = NULL;
	AUTO_FREE char *short_path = NULL;
	AUTO_FD int fd = -1;

	*ret_endpoint = (struct endpoint){.folder_fd = -1};
	if (strlen(path) < room) {
		set_unix_name(ret_endpoint, path, strlen(path) + 1);
		return true;
	}
	if (!slash)
		return error_set(error, ERROR_INPUT, "the socket's name is longer than %zu bytes", room - 1);
	folder = memory_format("%.*s", (int)(slash - path + 1), path);
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, ERROR_IO, "the socket's folder");
	short_path = memory_format("/proc/self/fd/%d/%s", fd, slash + 1);
	if (strlen(short_path) >= room)
		return error_set(error, ERROR_INPUT, "the socket's name has %zu bytes, which is too long", strlen(slash + 1));
	set_unix_name(ret_endpoint, short_path, strlen(short_path) + 1);
	ret_endpoint->folder_fd = take_fd(&fd);
	return true;
}

static struct endpoint vsock_endpoint(const struct address *address)
{
	struct endpoint endpoint = {.folder_fd = -1, .size = sizeof(struct sockaddr_vm)};

	endpoint.name.vsock = (struct sockaddr_vm){
		.svm_family = AF_VSOCK,
		.svm_cid = address->cid,
		.svm_port = address->port,
	};
	return endpoint;
}

static void done_resolving(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}

/* Numeric hosts are tried first, so that they need neither files nor a name server. */
static bool resolve(const struct address *address, struct addrinfo **ret_list, struct error *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	char port[12];
	int result;

	(void)snprintf(port, sizeof port, "%u", address->port);
	result = getaddrinfo(address->host, port, &hints, ret_list);
	if (result == EAI_NONAME) {
		hints.ai_flags = AI_NUMERICSERV;
		result = getaddrinfo(address->host, port, &hints, ret_list);
	}
	if (result != 0)
		return error_set(error, ERROR_PEER, "cannot resolve the name: %s", gai_strerror(result));
	return true;
}

static struct endpoint tcp_endpoint(const struct addrinfo *info)
{
	struct endpoint endpoint = {.folder_fd = -1, .size = info->ai_addrlen};

	memcpy(&endpoint.name.storage, info->ai_addr, info->ai_addrlen);
	return endpoint;
}

static int open_socket(int family, int flags, struct error *error)
{
	int one = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		return error_set_errno(error, ERROR_IO, "cannot make a socket"), -1;
	/* Only saves latency, and a listener hands it down to what it accepts. */
	if (family == AF_INET || family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

/* Only a socket is taken for stale: anything else at that path is somebody's file, and bind() then says so. */
static bool remove_stale_socket(const char *path, struct error *error)
{
	struct stat status;

	if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
		return true;
	if (unlink(path) != 0 && errno != ENOENT)
		return error_set_errno(error, ERROR_IO, "cannot remove the stale socket");
	return true;
}

static int bind_endpoint(const struct endpoint *endpoint, struct error *error)
{
	int family = endpoint->name.any.sa_family;
	AUTO_FD int fd = open_socket(family, 0, error);
	int one = 1;

	if (fd < 0)
		return -1;
	if (family == AF_UNIX && !remove_stale_socket(endpoint->name.unix_path.sun_path, error))
		return -1;
	/* The kernel makes the file with the socket's own mode, so it is never open to others, not even for a moment. */
	if (family == AF_UNIX && fchmod(fd, 0600) != 0)
		return error_set_errno(error, ERROR_IO, "cannot set the socket's mode"), -1;
	if (family != AF_UNIX && family != AF_VSOCK)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, &endpoint->name.any, endpoint->size) != 0)
		return error_set_errno(error, ERROR_IO, "cannot bind"), -1;
	return take_fd(&fd);
}

static int bind_unix(const char *path, struct error *error)
{
	AUTO_ENDPOINT struct endpoint endpoint = {.folder_fd = -1};

	if (!unix_endpoint(path, &endpoint, error))
		return -1;
	return bind_endpoint(&endpoint, error);
}

static int bind_tcp(const struct address *address, struct error *error)
{
	CLEANUP(done_resolving) struct addrinfo *list = NULL;

	if (!resolve(address, &list, error))
		return -1;
	for (const struct addrinfo *info = list; info; info = info->ai_next) {
		struct endpoint endpoint = tcp_endpoint(info);
		int fd = bind_endpoint(&endpoint, error);

		if (fd >= 0)
			return fd;
	}
	return -1;
}

static int bind_any(const struct address *address, struct error *error)
{
	AUTO_FREE char *path = NULL;
	struct endpoint endpoint;

	switch (address->kind) {
	case ADDRESS_UNIX:
		return bind_unix(address->path, error);
	case ADDRESS_HYBRID:
		path = memory_format("%s_%u", address->path, address->port);
		return bind_unix(path, error);
	case ADDRESS_VSOCK:
		endpoint = vsock_endpoint(address);
		return bind_endpoint(&endpoint, error);
	case ADDRESS_TCP:
		return bind_tcp(address, error);
	}
	return error_set(error, ERROR_BUG, "unknown kind of address"), -1;
}

int address_bind(const struct address *address, struct error *error)
{
	char text[ADDRESS_TEXT_SIZE];
	int fd = bind_any(address, error);

	if (fd >= 0)
		return fd;
	address_format(address, text);
	return error_prefix(error, "%.200s", text), -1;
}

int address_listen(const struct address *address, int backlog, struct error *error)
{
	AUTO_FD int fd = address_bind(address, error);
	char text[ADDRESS_TEXT_SIZE];

	if (fd < 0)
		return -1;
	if (listen(fd, backlog) == 0)
		return take_fd(&fd);
	address_format(address, text);
	return error_set_errno(error, ERROR_IO, "%.200s: cannot listen", text), -1;
}

uint16_t address_bound_port(int fd)
{
	struct sockaddr_storage name = {0};
	socklen_t size = sizeof name;

	if (getsockname(fd, (struct sockaddr *)&name, &size) != 0)
		return 0;
	if (name.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&name)->sin_port);
	if (name.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&name)->sin6_port);
	return 0;
}

/* connect() on a non-blocking socket, seen through to its end. */
static bool finish_connecting(int fd, const struct endpoint *endpoint, uint64_t deadline_ms)
{
	int problem = 0;
	socklen_t size = sizeof problem;

	while (connect(fd, &endpoint->name.any, endpoint->size) != 0) {
		if (errno == EINPROGRESS || errno == EINTR || errno == EALREADY)
			break;
		if (errno != EAGAIN || endpoint->name.any.sa_family != AF_UNIX)
			return false;
		if (deadline_left_ms(deadline_ms) == 0) {
			errno = ETIMEDOUT;
			return false;
		}
		(void)poll(NULL, 0, BACKLOG_RETRY_MS);
	}
	if (!deadline_wait(fd, POLLOUT, deadline_ms))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0)
		return false;
	errno = problem;
	return problem == 0;
}

/* The kernel gives up on a vsock peer after two seconds unless told otherwise, also when the socket does not block. */
static void set_vsock_timeout(int fd, uint64_t deadline_ms)
{
	unsigned left_ms = deadline_left_ms(deadline_ms);
	struct timeval timeout = {.tv_sec = left_ms / 1000, .tv_usec = (suseconds_t)(left_ms % 1000) * 1000};

	(void)setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &timeout, sizeof timeout);
}

/* The socket is still non-blocking; address_connect() ends that. */
static int connect_endpoint(const struct endpoint *endpoint, uint64_t deadline_ms, struct error *error)
{
	AUTO_FD int fd = open_socket(endpoint->name.any.sa_family, SOCK_NONBLOCK, error);

	if (fd < 0)
		return -1;
	if (endpoint->name.any.sa_family == AF_VSOCK)
		set_vsock_timeout(fd, deadline_ms);
	if (!finish_connecting(fd, endpoint, deadline_ms))
		return error_set_errno(error, ERROR_PEER, "cannot connect"), -1;
	return take_fd(&fd);
}

static int connect_unix(const char *path, uint64_t deadline_ms, struct error *error)
{
	AUTO_ENDPOINT struct endpoint endpoint = {.folder_fd = -1};

	if (!unix_endpoint(path, &endpoint, error))
		return -1;
	return connect_endpoint(&endpoint, deadline_ms, error);
}

static int connect_vsock(const struct address *address, uint64_t deadline_ms, struct error *error)
{
	struct endpoint endpoint = vsock_endpoint(address);

	if (address->cid == VMADDR_CID_ANY)
		return error_set(error, ERROR_INPUT, "\"any\" is only for listening"), -1;
	return connect_endpoint(&endpoint, deadline_ms, error);
}

/* Each address gets an equal share of the time that is left, so that a silent first one does not cost the others theirs. */
static int connect_tcp(const struct address *address, uint64_t deadline_ms, struct error *error)
{
	CLEANUP(done_resolving) struct addrinfo *list = NULL;
	unsigned left = 0;

	if (!resolve(address, &list, error))
		return -1;
	for (const struct addrinfo *info = list; info; info = info->ai_next)
		left++;
	for (const struct addrinfo *info = list; info; info = info->ai_next, left--) {
		struct endpoint endpoint = tcp_endpoint(info);
		int fd = connect_endpoint(&endpoint, deadline_after(deadline_left_ms(deadline_ms) / left), error);

		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* Byte by byte: what follows the line belongs to the guest's program. */
static bool read_hybrid_line(int fd, uint64_t deadline_ms, struct view *ret_line, uint8_t storage[HYBRID_LINE_SIZE],
			     struct error *error)
{
	for (size_t size = 0; size < HYBRID_LINE_SIZE; size++) {
		if (!deadline_read(fd, storage + size, 1, deadline_ms, NULL)) {
			if (errno == 0)
				return error_set(error, ERROR_PEER, "closed before OK: nothing listens on that port of the guest");
			return error_set_errno(error, ERROR_PEER, "no answer to CONNECT");
		}
		if (storage[size] == '\n') {
			*ret_line = view_of(storage, size);
			return true;
		}
	}
	return error_set(error, ERROR_PEER, "the answer to CONNECT is longer than %d bytes", HYBRID_LINE_SIZE);
}

static int connect_hybrid(const struct address *address, uint64_t deadline_ms, struct error *error)
{
	AUTO_FD int fd = connect_unix(address->path, deadline_ms, error);
	AUTO_FREE char *greeting = memory_format("CONNECT %u\n", address->port);
	struct iovec piece = {.iov_base = greeting, .iov_len = strlen(greeting)};
	uint8_t storage[HYBRID_LINE_SIZE];
	struct view line = {0};
	uint64_t port;

	if (fd < 0)
		return -1;
	if (!deadline_write(fd, &piece, 1, deadline_ms))
		return error_set_errno(error, ERROR_PEER, "cannot send CONNECT"), -1;
	if (!read_hybrid_line(fd, deadline_ms, &line, storage, error))
		return -1;
	/* The number is the host's end of the connection; nobody needs it. */
	if (line.size < 3 || memcmp(line.data, "OK ", 3) != 0 || !u64_parse(view_of(line.data + 3, line.size - 3), &port))
		return error_set(error, ERROR_PEER, "the answer to CONNECT is not \"OK PORT\""), -1;
	return take_fd(&fd);
}

static int connect_any(const struct address *address, uint64_t deadline_ms, struct error *error)
{
	switch (address->kind) {
	case ADDRESS_VSOCK:
		return connect_vsock(address, deadline_ms, error);
	case ADDRESS_UNIX:
		return connect_unix(address->path, deadline_ms, error);
	case ADDRESS_TCP:
		return connect_tcp(address, deadline_ms, error);
	case ADDRESS_HYBRID:
		return connect_hybrid(address, deadline_ms, error);
	}
	return error_set(error, ERROR_BUG, "unknown kind of address"), -1;
}

static bool make_blocking(int fd, struct error *error)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
		return error_set_errno(error, ERROR_IO, "cannot make the socket blocking");
	return true;
}

int address_connect(const struct address *address, unsigned timeout_ms, struct error *error)
{
	AUTO_FD int fd = connect_any(address, deadline_after(timeout_ms), error);
	char text[ADDRESS_TEXT_SIZE];

	if (fd >= 0 && make_blocking(fd, error))
		return take_fd(&fd);
	address_format(address, text);
	return error_prefix(error, "%.200s", text), -1;
}
