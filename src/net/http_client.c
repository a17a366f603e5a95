/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_client.h"

#include <malloc.h>
#include <pthread.h>

#include "base/secret.h"
#include "net/http_transfer.h"

/* libcurl's own buffers hold session tokens and answers; these make sure that none stays behind in freed memory. */
static void wiping_free(void *memory)
{
	if (!memory)
		return;
	secret_wipe(memory, malloc_usable_size(memory));
	free(memory);
}

static void *wiping_realloc(void *memory, size_t size)
{
	size_t old_size = memory ? malloc_usable_size(memory) : 0;
	void *moved;

	if (memory && size <= old_size)
		return memory;
	moved = malloc(size);
	if (!moved)
		return NULL;
	if (memory)
		memcpy(moved, memory, old_size);
	wiping_free(memory);
	return moved;
}

static CURLcode global_result;

static void init_once(void)
{
	global_result = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, strdup, calloc);
}

bool http_client_prepare(struct error *error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (pthread_once(&once, init_once) != 0 || global_result != CURLE_OK)
		return error_set(error, ERROR_IO, "cannot initialise libcurl: %s", curl_easy_strerror(global_result));
	return true;
}

static bool run_exchange(const struct http_request *request, struct http_response *response, struct error *error)
{
	AUTO_HTTP_TRANSFER struct http_transfer transfer;

	return http_transfer_init(&transfer, request, false, error) &&
	       http_transfer_finish(&transfer, curl_easy_perform(transfer.curl), response, error);
}

bool http_exchange(const struct http_request *request, struct http_response *ret_response, struct error *error)
{
	*ret_response = (struct http_response){0};
	if (run_exchange(request, ret_response, error))
		return true;
	return error_prefix(error, "%s %.200s", request->method, request->url);
}

void http_response_done(struct http_response *response)
{
	if (!response)
		return;
	buffer_wipe_done(&response->body);
	buffer_done(&response->server_certificate_pem);
	*response = (struct http_response){0};
}
