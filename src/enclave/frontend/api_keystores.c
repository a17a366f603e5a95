/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/api_keystores.h"

#define KEY_TEXT_SIZE                                                                                                              \
	(sizeof "{\"validating_pubkey\":\"0x\",\"derivation_path\":null,\"readonly\":false}," + 2 * (size_t)BLS_PUBLIC_KEY_SIZE)
/* The key itself, its text and the server's copy of that. */
#define KEY_MEMORY_SIZE (BLS_PUBLIC_KEY_SIZE + 2 * KEY_TEXT_SIZE)

/* ---- the token ---- */

/* RFC 6750 section 2.1; the scheme's letter case does not matter (RFC 7235). */
static bool read_bearer_token(struct http_call *call, struct view *ret_token)
{
	static const char scheme[] = "Bearer ";
	const char *value = http_call_header(call, "Authorization");

	if (!value || strncasecmp(value, scheme, strlen(scheme)) != 0)
		return false;
	value += strlen(scheme);
	*ret_token = view_of_text(value + strspn(value, " "));
	return ret_token->size > 0;
}

bool api_authorize_manager(struct http_call *call)
{
	struct view token;

	if (!read_bearer_token(call, &token)) {
		api_answer_unauthorized(call, "the key manager needs its token: Authorization: Bearer TOKEN");
		return false;
	}
	if (key_manager_obeys(api_call_of(call)->api->key_manager, token))
		return true;
	api_answer_error(call, 403, "this is not the key manager's token, whose digest the measured configuration has", NULL);
	return false;
}

/* ---- GET ---- */

struct api_listing {
	struct buffer keys; /* one after the other */
	size_t count;
};

void api_listing_free(struct api_listing *listing)
{
	if (!listing)
		return;
	buffer_done(&listing->keys);
	free(listing);
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, BLS_PUBLIC_KEY_SIZE);
}

static void answer_list(struct http_call *call, struct api_listing *listing)
{
	AUTO_BUFFER struct buffer text = {0};

	if (listing->count)
		qsort(listing->keys.data, listing->count, BLS_PUBLIC_KEY_SIZE, compare_keys);
	buffer_append_text(&text, "{\"data\":[");
	for (size_t i = 0; i < listing->count; i++) {
		char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];

		hex_encode(view_of(listing->keys.data + i * BLS_PUBLIC_KEY_SIZE, BLS_PUBLIC_KEY_SIZE), hex);
		buffer_append_format(&text, "%s{\"validating_pubkey\":\"0x%s\",\"derivation_path\":null,\"readonly\":false}",
				     i ? "," : "", hex);
	}
	buffer_append_text(&text, "]}");
	http_call_answer(call, &(struct http_answer){.status = 200, .content_type = API_JSON, .body = buffer_view(&text)});
}

static void on_page(void *context, const union message *answer, const struct error *error);

static void ask_for_page(struct http_call *call)
{
	struct api_call *state = api_call_of(call);
	struct message_list_keys request;
	struct error error;

	message_init(&request, MESSAGE_LIST_KEYS, 0);
	request.first = state->listing->count;
	if (!keeper_client_send(state->api->keeper, &request, on_page, call, &error))
		api_answer_error(call, 503, error.message, NULL);
}

/* Keys may come and go between two pages; then the list is of neither moment, and the client may ask again. */
static bool add_page(struct http_call *call, struct api_listing *listing, const struct message_keys *page)
{
	if (page->first != listing->count || (page->count == 0 && page->total > page->first)) {
		api_answer_error(call, 503, "the keys changed while they were listed; try again", NULL);
		return false;
	}
	if (!http_call_charge(call, page->count * KEY_MEMORY_SIZE)) {
		api_answer_error(call, 503, "too many lists of keys are on their way at one time; try again", NULL);
		return false;
	}
	buffer_append(&listing->keys, view_of(page->keys, page->count * BLS_PUBLIC_KEY_SIZE));
	listing->count += page->count;
	return true;
}

/* On the keeper client's thread. */
static void on_page(void *context, const union message *answer, const struct error *error)
{
	struct http_call *call = (struct http_call *)context;
	struct api_listing *listing = api_call_of(call)->listing;

	if (!answer) {
		api_answer_error(call, 503, error->message, NULL);
		return;
	}
	if (!add_page(call, listing, &answer->keys))
		return;
	if (listing->count < answer->keys.total)
		ask_for_page(call);
	else
		answer_list(call, listing);
}

void api_list_keystores(struct http_call *call, const char *identifier)
{
	(void)identifier;
	if (!api_authorize_manager(call))
		return;
	api_call_of(call)->listing = (struct api_listing *)memory_allocate_zeroed(1, sizeof(struct api_listing));
	http_call_defer(call);
	ask_for_page(call);
}
