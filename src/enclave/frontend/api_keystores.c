/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/api_keystores.h"

/* Of one key in the list, and the key once more for sorting. */
#define KEY_TEXT_SIZE                                                                                                              \
	(sizeof "{\"validating_pubkey\":\"0x\",\"derivation_path\":null,\"readonly\":false}," + 3 * (size_t)BLS_PUBLIC_KEY_SIZE)

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

/* ---- imports under way ---- */

/* With the lock held. */
static size_t find_importing(const struct api *api, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	size_t place = 0;

	while (place < api->importing_count && memcmp(api->importing[place], public_key, BLS_PUBLIC_KEY_SIZE) != 0)
		place++;
	return place;
}

bool api_begin_import(struct api *api, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	bool begun;

	(void)pthread_mutex_lock(&api->importing_lock);
	begun = api->importing_count < API_IMPORTING_MAX && find_importing(api, public_key) == api->importing_count;
	if (begun)
		memcpy(api->importing[api->importing_count++], public_key, BLS_PUBLIC_KEY_SIZE);
	(void)pthread_mutex_unlock(&api->importing_lock);
	return begun;
}

void api_end_import(struct api *api, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	size_t place;

	(void)pthread_mutex_lock(&api->importing_lock);
	place = find_importing(api, public_key);
	if (place < api->importing_count)
		memmove(api->importing[place], api->importing[--api->importing_count], BLS_PUBLIC_KEY_SIZE);
	(void)pthread_mutex_unlock(&api->importing_lock);
}

bool api_is_importing(struct api *api, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	bool found;

	(void)pthread_mutex_lock(&api->importing_lock);
	found = find_importing(api, public_key) < api->importing_count;
	(void)pthread_mutex_unlock(&api->importing_lock);
	return found;
}

/* ---- GET ---- */

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, BLS_PUBLIC_KEY_SIZE);
}

static void answer_list(struct http_call *call, const uint8_t *keys, size_t count)
{
	AUTO_BUFFER struct buffer sorted = {0};
	AUTO_BUFFER struct buffer text = {0};

	buffer_append(&sorted, view_of(keys, count * BLS_PUBLIC_KEY_SIZE));
	if (count)
		qsort(sorted.data, count, BLS_PUBLIC_KEY_SIZE, compare_keys);
	buffer_append_text(&text, "{\"data\":[");
	for (size_t i = 0; i < count; i++) {
		char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];

		hex_encode(view_of(sorted.data + i * BLS_PUBLIC_KEY_SIZE, BLS_PUBLIC_KEY_SIZE), hex);
		buffer_append_format(&text, "%s{\"validating_pubkey\":\"0x%s\",\"derivation_path\":null,\"readonly\":false}",
				     i ? "," : "", hex);
	}
	buffer_append_text(&text, "]}");
	http_call_answer(call, &(struct http_answer){.status = 200, .content_type = API_JSON, .body = buffer_view(&text)});
}

void api_list_keystores(struct http_call *call, const char *identifier)
{
	(void)identifier;
	if (api_authorize_manager(call))
		api_collect_keys(call, KEY_TEXT_SIZE, answer_list);
}
