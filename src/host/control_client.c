/* SPDX-License-Identifier: Apache-2.0 */
#include "host/control_client.h"

#include "net/frame.h"

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
	AUTO_JSON json_t *body = control_read_answer(text, error);
	struct control_state state = {0};

	if (!body)
		return false;
	if (!json_read_bool(body, "initialized", &state.initialized, error) ||
	    !json_read_u64(body, "key_count", &state.key_count, error) || !read_forget(body, &state, error) ||
	    !read_counts(body, &state, error) || !key_failures_read(body, &state.failures, error))
		return control_answer_malformed(error);
	state.wants_reload = has_wish(body, "reload");
	state.wants_credential = has_wish(body, "credential");
	state.wants_import = has_wish(body, "import");
	*ret_state = state;
	return true;
}

bool control_receive(int fd, unsigned timeout_ms, struct control_state *ret_state, struct error *error)
{
	AUTO_BUFFER struct buffer answer = {0};

	if (!frame_read(fd, CONTROL_ANSWER_MAX_SIZE, timeout_ms, &answer, NULL, error))
		return error_prefix(error, "control channel");
	return control_parse_answer(buffer_view(&answer), ret_state, error);
}

static bool ask(const struct address *address, const char *request, unsigned timeout_ms, struct control_state *ret_state,
		struct error *error)
{
	AUTO_FD int fd = control_send(address, view_of_text(request), timeout_ms, error);

	return fd >= 0 && control_receive(fd, timeout_ms, ret_state, error);
}

bool control_init_state(const struct address *address, unsigned timeout_ms, struct control_state *ret_state, struct error *error)
{
	return ask(address, "{\"operation\":\"init_state\"}", timeout_ms, ret_state, error);
}

bool control_drain(const struct address *address, unsigned timeout_ms, struct control_state *ret_state, struct error *error)
{
	return ask(address, "{\"operation\":\"drain\"}", timeout_ms, ret_state, error);
}
