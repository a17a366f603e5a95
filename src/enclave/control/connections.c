/* SPDX-License-Identifier: Apache-2.0 */
/* The parent is hostile: every frame is bounded and has a deadline, and so has every silence. */
#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "enclave/control/control.h"
#include "net/frame.h"

/* Between two requests. The parent that means well connects anew for each. */
#define CONTROL_IDLE_TIMEOUT_MS 5000

void connections_init(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		control->connections[i].fd = -1;
}

size_t connections_count(const struct control *control)
{
	size_t count = 0;

	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		count += control->connections[i].fd >= 0;
	return count;
}

void connection_accept(struct control *control)
{
	int fd = accept4(ROLE_FD_LISTEN, NULL, NULL, SOCK_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < CONTROL_CONNECTIONS_MAX; i++) {
		struct connection *connection = &control->connections[i];

		if (connection->fd >= 0)
			continue;
		*connection = (struct connection){.fd = fd, .deadline_ms = clock_monotonic_ms() + CONTROL_IDLE_TIMEOUT_MS};
		return;
	}
	if (fd >= 0)
		(void)close(fd);
}

void connection_close(struct control *control, struct connection *connection)
{
	if (control->job.connection == connection)
		control->job.connection = NULL;
	(void)close(connection->fd);
	*connection = (struct connection){.fd = -1};
}

void connections_expire(struct control *control, uint64_t now_ms)
{
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		struct connection *connection = &control->connections[i];

		if (connection->fd >= 0 && !connection->waits_for_job && connection->deadline_ms <= now_ms)
			connection_close(control, connection);
	}
}

static bool send_answer(int fd, struct answer *answer, struct error *error)
{
	AUTO_JSON json_t *envelope = json_pack("{s:i, s:o}", "status", answer->status, "body", answer->body);
	AUTO_BUFFER struct buffer text = {0};

	json_write(envelope, &text);
	return frame_write(fd, buffer_view(&text), CONTROL_FRAME_TIMEOUT_MS, error);
}

void connection_answer(struct control *control, struct connection *connection, struct answer *answer)
{
	struct error error = {0};

	connection->waits_for_job = false;
	connection->deadline_ms = clock_monotonic_ms() + CONTROL_IDLE_TIMEOUT_MS;
	if (send_answer(connection->fd, answer, &error))
		return;
	log_failure(LOG_LEVEL_WARNING, "control_connection_failed", &error);
	connection_close(control, connection);
}

/* What follows the length cannot be told from frames: the connection ends with this answer. */
static void refuse_too_large(struct connection *connection, struct error *error)
{
	struct answer answer;

	error->code = ERROR_INPUT;
	answer = answer_refusal(413, error);
	(void)send_answer(connection->fd, &answer, error);
}

/* The frame may hold credentials: what no job took is wiped whatever comes of it. */
void connection_serve(struct control *control, struct connection *connection)
{
	AUTO_WIPED_BUFFER struct buffer frame = {0};
	struct error error = {0};
	struct answer answer;
	bool closed = false;

	errno = 0;
	if (!frame_read(connection->fd, CONTROL_FRAME_MAX_SIZE, CONTROL_FRAME_TIMEOUT_MS, &frame, &closed, &error)) {
		if (errno == EMSGSIZE)
			refuse_too_large(connection, &error);
		else if (!closed)
			log_failure(LOG_LEVEL_WARNING, "control_connection_failed", &error);
		connection_close(control, connection);
		return;
	}
	answer = operations_answer(control, connection, &frame);
	connection->waits_for_job = answer.is_pending;
	if (!answer.is_pending)
		connection_answer(control, connection, &answer);
}
