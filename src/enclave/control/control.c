/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/control/control.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "enclave/sandbox.h"

/* Where each source stands among the descriptors that are waited for; connections follow. */
enum place { PLACE_INIT, PLACE_FRONTEND, PLACE_OPENER, PLACE_LISTEN, PLACE_CONNECTIONS };

static bool handle_init(struct control *control, struct error *error)
{
	union message message;

	if (!message_receive(ROLE_FD_INIT, &message, sizeof message, NULL, error))
		return error_prefix(error, "init");
	if (message.header.type == MESSAGE_OPENER_READY)
		return job_handle_ready(control, error);
	if (message.header.type == MESSAGE_OPENER_GONE)
		return job_handle_gone(control, &message.opener_gone, error);
	return error_set(error, ERROR_PEER, "init: message of type %u", message.header.type);
}

static bool handle_reload(struct control *control, const union message *message, struct error *error)
{
	(void)message;
	(void)error;
	control->wants_reload = true;
	return true;
}

static bool handle_import(struct control *control, const union message *message, struct error *error)
{
	return imports_add(control, &message->import_keystore, error);
}

static bool handle_forget(struct control *control, const union message *message, struct error *error)
{
	(void)error;
	forget_add(control, message->forget_key.public_key);
	return true;
}

/* What the frontend may say. */
static const struct {
	enum message_type type;
	bool (*handle)(struct control *control, const union message *message, struct error *error);
} frontend_messages[] = {
	{MESSAGE_RELOAD, handle_reload},
	{MESSAGE_IMPORT_KEYSTORE, handle_import},
	{MESSAGE_FORGET_KEY, handle_forget},
};

/* It may hold a password: received into protected memory, and wiped there. */
static bool handle_frontend(struct control *control, struct error *error)
{
	AUTO_SECRET struct secret memory = {0};
	const union message *message;

	if (!secret_init(&memory, sizeof *message, error) ||
	    !message_receive(ROLE_FD_FRONTEND, memory.data, memory.size, NULL, error))
		return error_prefix(error, "frontend");
	message = (const union message *)(const void *)memory.data;
	for (size_t i = 0; i < ARRAY_SIZE(frontend_messages); i++) {
		if (frontend_messages[i].type == message->header.type)
			return frontend_messages[i].handle(control, message, error);
	}
	return error_set(error, ERROR_PEER, "frontend: message of type %u", message->header.type);
}

static nfds_t fill_places(const struct control *control, struct pollfd *fds)
{
	bool has_room = connections_count(control) < CONTROL_CONNECTIONS_MAX;

	fds[PLACE_INIT] = (struct pollfd){ROLE_FD_INIT, POLLIN, 0};
	fds[PLACE_FRONTEND] = (struct pollfd){ROLE_FD_FRONTEND, POLLIN, 0};
	fds[PLACE_OPENER] = (struct pollfd){ROLE_FD_OPENER, POLLIN, 0};
	/* Those that find no room wait in the backlog until one idles out. */
	fds[PLACE_LISTEN] = (struct pollfd){has_room ? ROLE_FD_LISTEN : -1, POLLIN, 0};
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		const struct connection *connection = &control->connections[i];

		fds[PLACE_CONNECTIONS + i] = (struct pollfd){connection->fd, connection->waits_for_job ? 0 : POLLIN, 0};
	}
	return PLACE_CONNECTIONS + CONTROL_CONNECTIONS_MAX;
}

static int timeout_ms(const struct control *control, uint64_t now_ms)
{
	uint64_t next_ms = imports_next_deadline_ms(control);

	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		const struct connection *connection = &control->connections[i];

		if (connection->fd >= 0 && !connection->waits_for_job && connection->deadline_ms < next_ms)
			next_ms = connection->deadline_ms;
	}
	if (next_ms == UINT64_MAX)
		return -1;
	return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

static void serve_connections(struct control *control, const struct pollfd *fds)
{
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		struct connection *connection = &control->connections[i];

		/* The descriptor may have been closed, and taken anew, since it was waited for. */
		if (connection->fd < 0 || connection->fd != fds[i].fd || !fds[i].revents)
			continue;
		if (connection->waits_for_job)
			connection_close(control, connection);
		else
			connection_serve(control, connection);
	}
}

static bool serve_once(struct control *control, struct error *error)
{
	struct pollfd fds[PLACE_CONNECTIONS + CONTROL_CONNECTIONS_MAX];
	nfds_t count = fill_places(control, fds);
	uint64_t now_ms;

	if (poll(fds, count, timeout_ms(control, clock_monotonic_ms())) < 0)
		return errno == EINTR || error_set_errno(error, ERROR_IO, "poll");
	/* The opener before init: what it said comes before its end. */
	if (fds[PLACE_OPENER].revents && !job_handle_opener(control, error))
		return false;
	if (fds[PLACE_INIT].revents && !handle_init(control, error))
		return false;
	if (fds[PLACE_FRONTEND].revents && !handle_frontend(control, error))
		return false;
	serve_connections(control, fds + PLACE_CONNECTIONS);
	if (fds[PLACE_LISTEN].revents)
		connection_accept(control);
	now_ms = clock_monotonic_ms();
	connections_expire(control, now_ms);
	return imports_expire(control, now_ms, error);
}

int control_main(int argc, char **argv)
{
	struct control *control = (struct control *)memory_allocate_zeroed(1, sizeof *control);
	struct error error = {0};

	(void)argc;
	(void)argv;
	connections_init(control);
	if (!role_begin("control", SECRET_HEAP_SIZE_DEFAULT, &control->start, &error))
		return role_failed(&error);
	json_object_seed(0); /* reads the system's randomness, from a file if it must */
	if (!sandbox_enter(SANDBOX_CONTROL, &error) || !role_ready(&error))
		return role_failed(&error);
	while (serve_once(control, &error))
		;
	return role_failed(&error);
}
