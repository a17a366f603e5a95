/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel: docs/protocols.md. The parent is hostile: every frame is bounded and has a deadline. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "enclave/opener/opener.h"
#include "net/frame.h"

/*
 * A value of two bytes of text ("0,") takes forty when parsed, so the size alone is no bound on memory. Each value has a mark in front of
 * it; 100,000 sealed rows have 900,000 marks.
 */
#define CONTROL_MARKS_MAX (1u << 20)
/* One connection is served at a time: an idle one must not keep the next waiting for long. */
#define CONTROL_IDLE_TIMEOUT_MS 5000

struct answer {
	int status;
	json_t *body;
	enum opener_outcome outcome;
};

static const int statuses[ERROR_CODE_COUNT] = {
	[ERROR_NONE] = 500, [ERROR_INPUT] = 400, [ERROR_NOT_FOUND] = 404, [ERROR_SLASHABLE] = 412, [ERROR_POLICY] = 403,
	[ERROR_IO] = 500,   [ERROR_PEER] = 502,  [ERROR_AWS] = 502,       [ERROR_CRYPTO] = 422,    [ERROR_BUG] = 500,
};

static struct answer refuse(int status, const struct error *error)
{
	return (struct answer){
		.status = status,
		.body = json_pack("{s:s, s:o}", "code", error_code_name(error->code), "message", json_text_of_any(error->message)),
	};
}

static json_t *state_of(const struct opener *opener)
{
	return json_pack("{s:b, s:I}", "initialized", (int)opener->is_provisioned, "key_count", (json_int_t)opener->key_count);
}

static struct answer answer_init_state(struct opener *opener, json_t *request)
{
	(void)request;
	return (struct answer){.status = 200, .body = state_of(opener)};
}

static struct answer answer_status(struct opener *opener, json_t *request)
{
	json_t *body = state_of(opener);

	(void)request;
	(void)json_object_set_new(body, "network", json_string(opener->configuration.network.name));
	(void)json_object_set_new(body, "slashing_protection", json_boolean(opener->configuration.slashing_protection));
	(void)json_object_set_new(body, "uptime_ms", json_integer((json_int_t)(clock_monotonic_ms() - opener->started_ms)));
	return (struct answer){.status = 200, .body = body};
}

static bool report_provisioned(uint64_t key_count, struct error *error)
{
	struct message_provisioned message;

	message_init(&message, MESSAGE_PROVISIONED, 0);
	message.key_count = key_count;
	return message_send(ROLE_FD_INIT, &message, error) || error_prefix(error, "init");
}

static struct answer answer_init(struct opener *opener, json_t *request)
{
	struct error error = {0};
	enum opener_outcome outcome;
	struct answer answer;

	if (opener->is_provisioned) {
		(void)error_set(&error, ERROR_POLICY, "init: the keys are loaded already; restart the enclave to load others");
		return refuse(409, &error);
	}
	outcome = opener_provision(opener, request, &opener->key_count, &error);
	/* Before the parent hears of it: an opener that died in between would leave an enclave that denies what it said. */
	if (outcome == OPENER_PROVISIONED && !report_provisioned(opener->key_count, &error))
		outcome = OPENER_HALF_DONE;
	if (outcome != OPENER_PROVISIONED) {
		log_failure(LOG_LEVEL_ERROR, "init_failed", &error);
		answer = refuse(statuses[error.code], &error);
		answer.outcome = outcome;
		return answer;
	}
	opener->is_provisioned = true;
	return (struct answer){.status = 200, .body = state_of(opener), .outcome = outcome};
}

static const struct operation {
	const char *name;
	struct answer (*answer)(struct opener *opener, json_t *request);
} operations[] = {
	{"init_state", answer_init_state},
	{"init", answer_init},
	{"status", answer_status},
};

static struct answer answer_request(struct opener *opener, json_t *request)
{
	struct error error = {0};
	const char *name;

	if (!json_read_text(request, "operation", &name, &error))
		return refuse(400, &error);
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (strcmp(operations[i].name, name) == 0)
			return operations[i].answer(opener, request);
	}
	(void)error_set(&error, ERROR_NOT_FOUND, "operation: %.40s is not one of this enclave's", name);
	return refuse(404, &error);
}

/* Counts marks inside texts as well, but base64, hex and names have none. */
static bool has_too_many_values(struct view frame)
{
	size_t marks = 0;

	for (size_t i = 0; i < frame.size; i++) {
		uint8_t c = frame.data[i];

		marks += c == ',' || c == ':' || c == '[' || c == '{';
	}
	return marks > CONTROL_MARKS_MAX;
}

static struct answer answer_frame(struct opener *opener, struct view frame)
{
	AUTO_JSON json_t *request = NULL;
	struct error error = {0};

	if (has_too_many_values(frame)) {
		(void)error_set(&error, ERROR_INPUT, "control frame: more than %u values", CONTROL_MARKS_MAX);
		return refuse(413, &error);
	}
	request = json_parse_object(frame, "control frame", &error);
	return request ? answer_request(opener, request) : refuse(400, &error);
}

static bool send_answer(int fd, struct answer *answer, struct error *error)
{
	AUTO_JSON json_t *envelope = json_pack("{s:i, s:o}", "status", answer->status, "body", answer->body);
	AUTO_BUFFER struct buffer text = {0};

	json_write(envelope, &text);
	return frame_write(fd, buffer_view(&text), CONTROL_FRAME_TIMEOUT_MS, error);
}

static bool wait_readable(int fd, int timeout_ms)
{
	struct pollfd waiting = {fd, POLLIN, 0};

	return poll(&waiting, 1, timeout_ms) > 0;
}

/* What follows the length cannot be told from frames: the connection ends with this answer. */
static bool refuse_too_large(int fd, struct error *error)
{
	struct error problem = *error;
	struct answer answer;

	problem.code = ERROR_INPUT;
	answer = refuse(413, &problem);
	(void)send_answer(fd, &answer, &problem);
	return false;
}

/* The frame may hold credentials: it is wiped whatever comes of it. */
static bool serve_frame(struct opener *opener, int fd, enum opener_outcome *ret_outcome, bool *ret_closed, struct error *error)
{
	AUTO_BUFFER struct buffer frame = {0};
	struct answer answer;

	if (!frame_read(fd, CONTROL_FRAME_MAX_SIZE, CONTROL_FRAME_TIMEOUT_MS, &frame, ret_closed, error))
		return errno == EMSGSIZE && refuse_too_large(fd, error);
	answer = answer_frame(opener, buffer_view(&frame));
	secret_wipe(frame.data, frame.capacity);
	*ret_outcome = answer.outcome;
	return send_answer(fd, &answer, error);
}

/* Frames of one connection, in turn, until it closes, stalls or changes something. */
static enum opener_outcome serve_connection(struct opener *opener, int fd)
{
	enum opener_outcome outcome = OPENER_NOTHING_CHANGED;

	while (outcome == OPENER_NOTHING_CHANGED && wait_readable(fd, CONTROL_IDLE_TIMEOUT_MS)) {
		struct error error = {0};
		bool closed = false;

		if (serve_frame(opener, fd, &outcome, &closed, &error))
			continue;
		if (!closed)
			log_failure(LOG_LEVEL_WARNING, "control_connection_failed", &error);
		break;
	}
	return outcome;
}

/* False when init is gone. */
static bool wait_for_connection(void)
{
	struct pollfd fds[] = {{ROLE_FD_LISTEN, POLLIN, 0}, {ROLE_FD_INIT, 0, 0}};

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
		if (errno != EINTR)
			return false;
	}
	return fds[1].revents == 0;
}

enum opener_exit opener_serve(struct opener *opener)
{
	while (wait_for_connection()) {
		AUTO_FD int fd = accept4(ROLE_FD_LISTEN, NULL, NULL, SOCK_CLOEXEC);
		enum opener_outcome outcome;

		if (fd < 0)
			continue;
		outcome = serve_connection(opener, fd);
		if (outcome == OPENER_PROVISIONED)
			return OPENER_EXIT_PROVISIONED;
		if (outcome == OPENER_HALF_DONE)
			return OPENER_EXIT_HALF_DONE;
	}
	return OPENER_EXIT_FAILED;
}
