/* SPDX-License-Identifier: Apache-2.0 */
#include "net/curl_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/deadline.h"

/* The releases that connect a second time: 7.88.x. */
#define BROKEN_SINCE 0x075800u
#define REPAIRED_SINCE 0x080000u

void curl_socket_done(struct curl_socket *socket)
{
	cleanup_fd(&socket->connected_fd);
	cleanup_fd(&socket->listener_fd);
	*socket = CURL_SOCKET_NONE;
}

static bool connects_again(void)
{
	unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;

	return version >= BROKEN_SINCE && version < REPAIRED_SINCE;
}

/* A listener under a name of the kernel's choice: nobody accepts from it, so it does not matter who else connects. */
static int listen_nowhere(struct sockaddr_un *ret_name, socklen_t *ret_size)
{
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	socklen_t size = sizeof name;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&name, sizeof name.sun_family) != 0 || listen(fd, 1) != 0 ||
	    getsockname(fd, (struct sockaddr *)&name, &size) != 0)
		return -1;
	*ret_name = name;
	*ret_size = size;
	return take_fd(&fd);
}

/* libcurl connects to what stands in `address` when this returns. */
static curl_socket_t open_stand_in(struct curl_socket *state, struct curl_sockaddr *address)
{
	struct sockaddr_un name;
	socklen_t size;

	state->listener_fd = listen_nowhere(&name, &size);
	if (state->listener_fd < 0 || size > sizeof address->addr)
		return CURL_SOCKET_BAD;
	state->stand_in_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (state->stand_in_fd < 0)
		return CURL_SOCKET_BAD;
	address->family = AF_UNIX;
	address->protocol = 0;
	address->addrlen = size;
	memcpy(&address->addr, &name, size);
	return state->stand_in_fd;
}

static curl_socket_t hand_over(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct curl_socket *state = (struct curl_socket *)context;

	/* There is one connection to give: a second attempt gets none. */
	if (purpose != CURLSOCKTYPE_IPCXN || state->is_given)
		return CURL_SOCKET_BAD;
	state->is_given = true;
	state->connected_fd = address_connect(state->via, deadline_left_ms(state->deadline_ms), &state->problem);
	if (state->connected_fd < 0)
		return CURL_SOCKET_BAD;
	return connects_again() ? open_stand_in(state, address) : take_fd(&state->connected_fd);
}

static int tell_that_it_is_connected(void *context, curl_socket_t fd, curlsocktype purpose)
{
	const struct curl_socket *state = (const struct curl_socket *)context;

	(void)purpose;
	return fd == state->stand_in_fd ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ALREADY_CONNECTED;
}

bool curl_socket_before_first_byte(struct curl_socket *state)
{
	int flags;

	if (state->stand_in_fd < 0 || state->connected_fd < 0)
		return true;
	/* libcurl made the stand-in non-blocking, which is a property of the socket, not of the descriptor. */
	flags = fcntl(state->connected_fd, F_GETFL);
	if (flags < 0 || fcntl(state->connected_fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    dup3(state->connected_fd, state->stand_in_fd, O_CLOEXEC) < 0)
		return false;
	(void)close(take_fd(&state->connected_fd));
	return true;
}

static int before_request(void *context, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	(void)remote_ip;
	(void)local_ip;
	(void)remote_port;
	(void)local_port;
	return curl_socket_before_first_byte((struct curl_socket *)context) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

bool curl_socket_use(struct curl_socket *state, CURL *curl)
{
	return curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, hand_over) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, state) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, tell_that_it_is_connected) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SOCKOPTDATA, state) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, before_request) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PREREQDATA, state) == CURLE_OK;
}
