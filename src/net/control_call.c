/* SPDX-License-Identifier: Apache-2.0 */
#include "net/control_call.h"

#include <unistd.h>

#include "net/deadline.h"
#include "net/frame.h"

#define STATUS_OK 200
#define CONNECT_TIMEOUT_MS 5000
/* Jobs take from tens of milliseconds to seconds. */
#define BUSY_PAUSE_US 50000

static enum error_code code_of_name(const char *name)
{
	for (int code = ERROR_NONE + 1; code < ERROR_CODE_COUNT; code++) {
		if (strcmp(error_code_name((enum error_code)code), name) == 0)
			return (enum error_code)code;
	}
	return ERROR_PEER;
}

bool control_answer_malformed(struct error *error)
{
	if (error)
		error->code = ERROR_PEER;
	return error_prefix(error, "malformed answer of the enclave");
}

static bool read_refusal(json_t *body, struct error *error)
{
	const char *code;
	const char *message;

	if (!json_read_text(body, "code", &code, error) || !json_read_text(body, "message", &message, error))
		return control_answer_malformed(error);
	return error_set(error, code_of_name(code), "enclave: %s", message);
}

static json_t *read_answer(struct view text, unsigned *ret_status, struct error *error)
{
	AUTO_JSON json_t *answer = json_parse_object(text, "frame", error);
	uint64_t status;
	json_t *body;

	if (!answer || !json_read_u64(answer, "status", &status, error) || !json_read_object(answer, "body", &body, error))
		return control_answer_malformed(error), NULL;
	*ret_status = (unsigned)status;
	if (status != STATUS_OK)
		return (void)read_refusal(body, error), NULL;
	return json_incref(body);
}

json_t *control_read_answer(struct view text, struct error *error)
{
	unsigned status;

	return read_answer(text, &status, error);
}

int control_send(const struct address *address, struct view request, unsigned connect_timeout_ms, struct error *error)
{
	AUTO_FD int fd = address_connect(address, connect_timeout_ms, error);

	if (fd >= 0 && frame_write(fd, request, CONTROL_FRAME_TIMEOUT_MS, error))
		return take_fd(&fd);
	return error_prefix(error, "control channel"), -1;
}

json_t *control_call(const struct address *address, struct view request, size_t max_size, unsigned connect_timeout_ms,
		     unsigned answer_timeout_ms, unsigned *ret_status, struct error *error)
{
	AUTO_FD int fd = control_send(address, request, connect_timeout_ms, error);
	AUTO_BUFFER struct buffer text = {0};
	unsigned status = 0;
	json_t *body;

	if (ret_status)
		*ret_status = 0;
	if (fd < 0)
		return NULL;
	if (!frame_read(fd, max_size, answer_timeout_ms, &text, NULL, error))
		return error_prefix(error, "control channel"), NULL;
	body = read_answer(buffer_view(&text), &status, error);
	if (ret_status)
		*ret_status = status;
	return body;
}

json_t *control_call_job(const struct address *address, struct view request, size_t max_size, unsigned busy_timeout_ms,
			 unsigned answer_timeout_ms, struct error *error)
{
	uint64_t deadline_ms = deadline_after(busy_timeout_ms);
	unsigned status;

	for (;;) {
		json_t *body = control_call(address, request, max_size, CONNECT_TIMEOUT_MS, answer_timeout_ms, &status, error);

		if (body || status != CONTROL_STATUS_CONFLICT || deadline_left_ms(deadline_ms) == 0)
			return body;
		(void)usleep(BUSY_PAUSE_US);
	}
}
