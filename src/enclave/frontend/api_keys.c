/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/api_internal.h"

/* "0x…", and a comma */
#define KEY_TEXT_SIZE (2 * BLS_PUBLIC_KEY_SIZE + 5)

static void on_page(void *context, const union message *answer, const struct error *error);

static void ask_for_page(struct http_call *call)
{
	struct api_call *state = api_call_of(call);
	struct message_list_keys request;
	struct error error;

	message_init(&request, MESSAGE_LIST_KEYS, 0);
	request.first = state->next;
	if (!keeper_client_send(state->api->keeper, &request, on_page, call, &error))
		api_answer_error(call, 503, error.message, NULL);
}

static void append_page(const struct http_call *call, struct buffer *list, const struct message_keys *page)
{
	buffer_reserve(list, page->count * KEY_TEXT_SIZE);
	for (size_t i = 0; i < page->count; i++) {
		char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];

		if (!api_shows_key(call, page->keys[i]))
			continue;
		hex_encode(view_of(page->keys[i], BLS_PUBLIC_KEY_SIZE), hex);
		buffer_append_format(list, "%s\"0x%s\"", list->size > 1 ? "," : "", hex);
	}
}

/* On the keeper client's thread. */
static void on_page(void *context, const union message *answer, const struct error *error)
{
	struct http_call *call = (struct http_call *)context;
	struct api_call *state = api_call_of(call);
	const struct message_keys *page;

	if (!answer) {
		api_answer_error(call, 503, error->message, NULL);
		return;
	}
	page = &answer->keys;
	if (page->first != state->next || (page->count == 0 && page->total > page->first)) {
		api_answer_error(call, 500, "the keeper's list of keys has a gap; please report this", NULL);
		return;
	}
	/* Twice: the list, and the copy that the server sends. */
	if (!http_call_charge(call, 2 * page->count * KEY_TEXT_SIZE)) {
		api_answer_error(call, 503, "too many lists of keys are on their way at one time; try again", NULL);
		return;
	}
	append_page(call, &state->list, page);
	state->next += page->count;
	if (state->next < page->total) {
		ask_for_page(call);
		return;
	}
	buffer_append_byte(&state->list, ']');
	http_call_answer(call, &(struct http_answer){.status = 200, .content_type = API_JSON, .body = buffer_view(&state->list)});
}

void api_list_keys(struct http_call *call, const char *identifier)
{
	(void)identifier;
	buffer_append_byte(&api_call_of(call)->list, '[');
	http_call_defer(call);
	ask_for_page(call);
}
