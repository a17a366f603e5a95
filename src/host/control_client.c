/* SPDX-License-Identifier: Apache-2.0 */
#include "host/control_client.h"

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

/* The body of a 200, borrowed from `answer`; NULL for everything else. */
static json_t *body_of(json_t *answer, struct error *error)
{
	uint64_t status;
	json_t *body;

	if (!answer || !json_read_u64(answer, "status", &status, error) || !json_read_object(answer, "body", &body, error))
		return malformed(error), NULL;
	if (status != STATUS_OK)
		return (void)read_refusal(body, error), NULL;
	return body;
}

static bool has_wish(json_t *body, const char *name)
{
	json_t *wishes = json_object_get(body, "wants");
	json_t *wish;
	size_t index;

	json_array_foreach(wishes, index, wish)
	{
		if (json_is_string(wish) && strcmp(json_string_value(wish), name) == 0)
			return true;
	}
	return false;
}

static bool is_pubkey(const char *text)
{
	return text && strlen(text) == KEY_TABLE_PUBKEY_SIZE - 1 && strspn(text, "0123456789abcdef") == KEY_TABLE_PUBKEY_SIZE - 1;
}

static bool read_forget(json_t *body, struct control_state *state, struct error *error)
{
	json_t *list = json_object_get(body, "forget");
	json_t *item;
	size_t index;

	if (json_array_size(list) > CONTROL_FORGET_LISTED_MAX)
		return error_set(error, ERROR_PEER, "forget: %zu keys", json_array_size(list));
	json_array_foreach(list, index, item)
	{
		const char *pubkey = json_string_value(item);

		if (!is_pubkey(pubkey))
			return error_set(error, ERROR_PEER, "forget[%zu]: not 96 lower-case hex digits", index);
		memcpy(state->forget[state->forget_count++], pubkey, KEY_TABLE_PUBKEY_SIZE);
	}
	return true;
}

static bool read_counts(json_t *body, struct control_state *state, struct error *error)
{
	return (!json_object_get(body, "added") || json_read_u64(body, "added", &state->added, error)) &&
	       (!json_object_get(body, "removed") || json_read_u64(body, "removed", &state->removed, error));
}

bool control_parse_answer(struct view text, struct control_state *ret_state, struct error *error)
{
	AUTO_JSON json_t *answer = json_parse_object(text, "frame", error);
	struct control_state state = {0};
	json_t *body = body_of(answer, error);

	if (!body)
		return false;
	if (!json_read_bool(body, "initialized", &state.initialized, error) ||
	    !json_read_u64(body, "key_count", &state.key_count, error) || !read_forget(body, &state, error) ||
	    !read_counts(body, &state, error))
		return malformed(error);
	state.wants_reload = has_wish(body, "reload");
	state.wants_import = has_wish(body, "import");
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

json_t *control_call(const struct address *address, struct view request, unsigned connect_timeout_ms, unsigned answer_timeout_ms,
		     struct error *error)
{
	AUTO_FD int fd = control_send(address, request, connect_timeout_ms, error);
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *answer = NULL;

	if (fd < 0)
		return NULL;
	if (!frame_read(fd, CONTROL_ANSWER_MAX_SIZE, answer_timeout_ms, &text, NULL, error))
		return error_prefix(error, "control channel"), NULL;
	answer = json_parse_object(buffer_view(&text), "frame", error);
	return json_incref(body_of(answer, error));
}
