/* SPDX-License-Identifier: Apache-2.0 */
#include "net/signer_client.h"

/* 100,000 keys of 101 bytes each, and room. */
#define PUBLIC_KEYS_MAX_SIZE (16u << 20)
#define ANSWER_MAX_SIZE 65536u

void signer_target_done(struct signer_target *target)
{
	if (!target)
		return;
	free(target->url);
	buffer_done(&target->ca_pem);
	buffer_done(&target->client_chain_pem);
	secret_done(&target->client_key_pem);
	*target = (struct signer_target){0};
}

/* The `message` of a JSON error body, or the body's beginning, or nothing. */
static void describe_answer(const struct http_response *response, char *ret_text, size_t size)
{
	struct error ignored = {0};
	AUTO_JSON json_t *body = json_parse_object(buffer_view(&response->body), "answer", &ignored);
	const char *message = NULL;

	if (body && json_read_text(body, "message", &message, &ignored)) {
		(void)snprintf(ret_text, size, "%s", message);
		return;
	}
	(void)snprintf(ret_text, size, "%.*s", (int)(response->body.size > 200 ? 200 : response->body.size),
		       response->body.data ? (const char *)response->body.data : "");
}

static const struct status_meaning {
	long status;
	enum error_code code;
	const char *meaning;
} status_meanings[] = {
	{400, ERROR_INPUT, "the signer does not accept the request"},
	{403, ERROR_POLICY, "the signer refuses this client"},
	{404, ERROR_NOT_FOUND, "the signer has no such key or path"},
	{403, ERROR_POLICY, "the signer refuses: signing policy"},
	{412, ERROR_SLASHABLE, "the signer refuses: slashing protection"},
	{413, ERROR_INPUT, "the request is too large"},
};

static bool fail_of_status(const struct http_response *response, struct error *error)
{
	char detail[256];

	describe_answer(response, detail, sizeof detail);
	for (size_t i = 0; i < ARRAY_SIZE(status_meanings); i++) {
		if (status_meanings[i].status == response->status)
			return error_set(error, status_meanings[i].code, "%s (status %ld): %s", status_meanings[i].meaning,
					 response->status, detail);
	}
	return error_set(error, ERROR_PEER, "the signer answered with status %ld: %s", response->status, detail);
}

static bool exchange(const struct signer_target *target, const char *method, const char *path, struct view body, size_t max_size,
		     unsigned timeout_ms, struct http_response *ret_response, struct error *error)
{
	static const char *const headers[] = {"Content-Type: application/json", "Accept: application/json", NULL};
	static const char *const plain_headers[] = {"Accept: */*", NULL};
	AUTO_FREE char *url = memory_format("%s%s", target->url, path);
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	const struct http_request request = {
		.method = method,
		.url = url,
		.ca_pem = buffer_view(&target->ca_pem),
		.client_chain_pem = buffer_view(&target->client_chain_pem),
		.client_key_pem = secret_view(&target->client_key_pem),
		.headers = body.size ? headers : plain_headers,
		.body = body,
		.max_response_size = max_size,
		.timeout_ms = timeout_ms,
	};

	if (!http_exchange(&request, &response, error)) {
		if (response.is_refused)
			error->code = ERROR_CRYPTO;
		return false;
	}
	if (response.status != 200)
		return fail_of_status(&response, error);
	*ret_response = response;
	response = (struct http_response){0};
	return true;
}

bool signer_upcheck(const struct signer_target *target, unsigned timeout_ms, struct buffer *ret_text, struct error *error)
{
	AUTO_HTTP_RESPONSE struct http_response response = {0};

	if (!exchange(target, "GET", "/upcheck", view_of(NULL, 0), ANSWER_MAX_SIZE, timeout_ms, &response, error))
		return false;
	if (ret_text)
		buffer_append(ret_text, buffer_view(&response.body));
	return true;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *sorted_texts(json_t *array, struct error *error)
{
	size_t count = json_array_size(array);
	AUTO_FREE const char **texts = (const char **)memory_allocate_zeroed(count + 1, sizeof *texts);
	json_t *sorted = json_array();

	for (size_t i = 0; i < count; i++) {
		texts[i] = json_string_value(json_array_get(array, i));
		if (!texts[i]) {
			json_decref(sorted);
			return error_set(error, ERROR_PEER, "publicKeys: entry %zu is no text", i), NULL;
		}
	}
	qsort(texts, count, sizeof *texts, compare_texts);
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(sorted, json_string(texts[i]));
	return sorted;
}

json_t *signer_public_keys(const struct signer_target *target, unsigned timeout_ms, struct error *error)
{
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	AUTO_JSON json_t *answer = NULL;

	if (!exchange(target, "GET", "/api/v1/eth2/publicKeys", view_of(NULL, 0), PUBLIC_KEYS_MAX_SIZE, timeout_ms, &response,
		      error))
		return NULL;
	answer = json_parse(buffer_view(&response.body), "publicKeys", error);
	if (!answer)
		return NULL;
	if (!json_is_array(answer))
		return error_set(error, ERROR_PEER, "publicKeys: the answer is no array"), NULL;
	return sorted_texts(answer, error);
}

bool signer_sign(const struct signer_target *target, const char *public_key, struct view request,
		 char ret_signature[SIGNER_SIGNATURE_TEXT_SIZE], struct error *error)
{
	AUTO_FREE char *path = memory_format("/api/v1/eth2/sign/%s", public_key);
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	AUTO_JSON json_t *answer = NULL;
	const char *signature;
	uint8_t bytes[96];

	if (!exchange(target, "POST", path, request, ANSWER_MAX_SIZE, SIGNER_TIMEOUT_MS, &response, error))
		return false;
	answer = json_parse_object(buffer_view(&response.body), "answer", error);
	if (!answer || !json_read_text(answer, "signature", &signature, error))
		return false;
	if (!hex_decode(view_of_text(signature), bytes, sizeof bytes))
		return error_set(error, ERROR_PEER, "signature: not 96 bytes of hex");
	ret_signature[0] = '0';
	ret_signature[1] = 'x';
	hex_encode(view_of(bytes, sizeof bytes), ret_signature + 2);
	return true;
}
