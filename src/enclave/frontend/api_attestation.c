/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /api/v1/enclave/attestation?nonce=HEX: a fresh document for a client that wants to know whom it talks to. Its nonce is the client's, its
 * user_data has the TLS key that this very server shows and the keys that sign (attestation/client_statement.h).
 */
#include "enclave/frontend/api_internal.h"

/* Fewer would not make it the client's own. */
#define NONCE_MIN_SIZE 8
/* Nothing of a key goes into the answer but a digest. */
#define KEY_TEXT_SIZE 0

void api_set_tls_digest(struct api *api, const uint8_t digest[CLIENT_DIGEST_SIZE])
{
	(void)pthread_mutex_lock(&api->tls_lock);
	memcpy(api->tls_digest, digest, CLIENT_DIGEST_SIZE);
	(void)pthread_mutex_unlock(&api->tls_lock);
}

static bool read_nonce(const struct http_call *call, struct api_call *state, struct error *error)
{
	const char *hex = http_call_argument(call, "nonce");
	size_t size = hex ? strlen(hex) : 0;

	if (!hex)
		return error_set(error, ERROR_INPUT, "nonce: missing");
	if (size >= 2 && hex[0] == '0' && (hex[1] == 'x' || hex[1] == 'X')) {
		hex += 2;
		size -= 2;
	}
	if (size % 2 || size < 2 * NONCE_MIN_SIZE || size > 2 * CLIENT_NONCE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "nonce: not %d to %d bytes in hex", NONCE_MIN_SIZE, CLIENT_NONCE_MAX_SIZE);
	state->nonce_size = size / 2;
	return hex_decode(view_of(hex, size), state->nonce, state->nonce_size) || error_set(error, ERROR_INPUT, "nonce: not hex");
}

/* On the frontend's own thread. */
static void on_document(void *context, struct view document)
{
	struct http_call *call = (struct http_call *)context;
	AUTO_BUFFER struct buffer body = {0};

	if (document.size == 0) {
		api_answer_error(call, 503, "the NSM attests nothing now; the log says why", NULL);
		return;
	}
	buffer_append_text(&body, "{\"attestation_document_b64\":\"");
	base64_encode(document, &body);
	buffer_append_text(&body, "\"}");
	http_call_answer(call, &(struct http_answer){.status = 200, .content_type = API_JSON, .body = buffer_view(&body)});
}

/* On the keeper client's thread. */
static void ask_attester(struct http_call *call, const uint8_t *keys, size_t count)
{
	struct api_call *state = api_call_of(call);
	struct client_statement statement;
	struct error error;

	(void)keys; /* state->keys, which may be sorted */
	client_statement_digest_keys((uint8_t(*)[BLS_PUBLIC_KEY_SIZE])state->keys.data, count, statement.keys_digest);
	(void)pthread_mutex_lock(&state->api->tls_lock);
	memcpy(statement.tls_digest, state->api->tls_digest, sizeof statement.tls_digest);
	(void)pthread_mutex_unlock(&state->api->tls_lock);
	if (!attester_client_ask(state->api->attester, &statement, view_of(state->nonce, state->nonce_size), on_document, call,
				 &error))
		api_answer_error(call, 503, error.message, NULL);
}

void api_attest(struct http_call *call, const char *identifier)
{
	struct api_call *state = api_call_of(call);
	struct error error;

	(void)identifier;
	if (!read_nonce(call, state, &error))
		api_answer_error(call, 400, error.message, NULL);
	else
		api_collect_keys(call, KEY_TEXT_SIZE, ask_attester);
}
