/* SPDX-License-Identifier: Apache-2.0 */
#include "host/control_client.h"

#include "net/frame.h"

#define STATUS_OK 200

static enum error_code code_of_name(const char *name)
{
	for (int code = ERROR_NONE + 1; code < ERROR_CODE_COUNT; code++) {
		if (strcmp(error_code_name((enum error_code)code), name) == 0)
			return (enum error_code)code;
	}
	return ERROR_PEER;
}

/* What the enclave sends is not this program's input: a malformed answer is the peer's fault. */
static bool malformed(struct error *error)
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
		return malformed(error);
	return error_set(error, code_of_name(code), "enclave: %s", message);
}

bool control_parse_answer(struct view text, struct control_state *ret_state, struct error *error)
{
	AUTO_JSON json_t *answer = json_parse_object(text, "frame", error);
	struct control_state state;
	uint64_t status;
	json_t *body;

	if (!answer || !json_read_u64(answer, "status", &status, error) || !json_read_object(answer, "body", &body, error))
		return malformed(error);
	if (status != STATUS_OK)
		return read_refusal(body, error);
	if (!json_read_bool(body, "initialized", &state.initialized, error) ||
	    !json_read_u64(body, "key_count", &state.key_count, error))
		return malformed(error);
	*ret_state = state;
	return true;
}

int control_send(const struct address *address, struct view request, unsigned connect_timeout_ms, struct error *error)
{
	AUTO_FD int fd = address_connect(address, connect_timeout_ms, error);

	if (fd >= 0 && frame_write(fd, request, CONTROL_FRAME_TIMEOUT_MS, error))
		return take_fd(&fd);
	return error_prefix(error, "control channel"), -1;
}

bool control_receive(int fd, unsigned timeout_ms, struct control_state *ret_state, struct error *error)
{
	AUTO_BUFFER struct buffer answer = {0};

	if (!frame_read(fd, CONTROL_ANSWER_MAX_SIZE, timeout_ms, &answer, NULL, error))
		return error_prefix(error, "control channel");
	return control_parse_answer(buffer_view(&answer), ret_state, error);
}

bool control_init_state(const struct address *address, unsigned timeout_ms, struct control_state *ret_state, struct error *error)
{
	AUTO_FD int fd = control_send(address, view_of_text("{\"operation\":\"init_state\"}"), timeout_ms, error);

	return fd >= 0 && control_receive(fd, timeout_ms, ret_state, error);
}
