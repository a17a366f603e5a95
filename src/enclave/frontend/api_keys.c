/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that sign, page by page from the keeper; and the list of them for validator clients. */
#include "enclave/frontend/api_internal.h"

/* "0x…", and a comma */
#define KEY_TEXT_SIZE (2 * BLS_PUBLIC_KEY_SIZE + 5)
/* Sets that change this often while they are listed are not going to hold still; a reload takes longer than ten listings. */
#define RESTARTS_MAX 10

/* ---- collecting ---- */

static void on_page(void *context, const union message *answer, const struct error *error);

static void ask_for_page(struct http_call *call)
{
	struct api_call *state = api_call_of(call);
	struct message_list_keys request;
	struct error error;

	message_init(&request, MESSAGE_LIST_KEYS, 0);
	request.first = state->keys.size / BLS_PUBLIC_KEY_SIZE;
	if (!keeper_client_send(state->api->keeper, &request, on_page, call, &error))
		api_answer_error(call, 503, error.message, NULL);
}

/* A reload came between two pages: what was read is of a set that is gone. */
static void begin_anew(struct http_call *call)
{
	struct api_call *state = api_call_of(call);

	buffer_clear(&state->keys);
	if (++state->restarts > RESTARTS_MAX)
		api_answer_error(call, 503, "the keys change too often to be listed; try again", NULL);
	else
		ask_for_page(call);
}

static void add_page(struct http_call *call, const struct message_keys *page)
{
	struct api_call *state = api_call_of(call);
	size_t count = state->keys.size / BLS_PUBLIC_KEY_SIZE;

	if (page->first != count || (page->count == 0 && page->total > count)) {
		api_answer_error(call, 500, "the keeper's list of keys has a gap; please report this", NULL);
		return;
	}
	if (!http_call_charge(call, page->count * state->key_memory_size)) {
		api_answer_error(call, 503, "too many lists of keys are on their way at one time; try again", NULL);
		return;
	}
	state->generation = page->generation;
	buffer_append(&state->keys, view_of(page->keys, page->count * BLS_PUBLIC_KEY_SIZE));
	if (count + page->count < page->total)
		ask_for_page(call);
	else
		state->keys_collected(call, state->keys.data, count + page->count);
}

/* On the keeper client's thread. */
static void on_page(void *context, const union message *answer, const struct error *error)
{
	struct http_call *call = (struct http_call *)context;
	const struct api_call *state = api_call_of(call);

	if (!answer)
		api_answer_error(call, 503, error->message, NULL);
	else if (state->keys.size > 0 && answer->keys.generation != state->generation)
		begin_anew(call);
	else
		add_page(call, &answer->keys);
}

void api_collect_keys(struct http_call *call, size_t key_text_size, api_keys_collected *collected)
{
	struct api_call *state = api_call_of(call);

	/* The key, its text, and the copy of that which the server sends. */
	state->key_memory_size = BLS_PUBLIC_KEY_SIZE + 2 * key_text_size;
	state->keys_collected = collected;
	http_call_defer(call);
	ask_for_page(call);
}

/* ---- GET /api/v1/eth2/publicKeys ---- */

static void answer_list(struct http_call *call, const uint8_t *keys, size_t count)
{
	AUTO_BUFFER struct buffer list = {0};

	buffer_reserve(&list, count * KEY_TEXT_SIZE + 2);
	buffer_append_byte(&list, '[');
	for (size_t i = 0; i < count; i++) {
		const uint8_t *key = keys + i * BLS_PUBLIC_KEY_SIZE;
		char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];

		if (!api_shows_key(call, key))
			continue;
		hex_encode(view_of(key, BLS_PUBLIC_KEY_SIZE), hex);
		buffer_append_format(&list, "%s\"0x%s\"", list.size > 1 ? "," : "", hex);
	}
	buffer_append_byte(&list, ']');
	http_call_answer(call, &(struct http_answer){.status = 200, .content_type = API_JSON, .body = buffer_view(&list)});
}

void api_list_keys(struct http_call *call, const char *identifier)
{
	(void)identifier;
	api_collect_keys(call, KEY_TEXT_SIZE, answer_list);
}
