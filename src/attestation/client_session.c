/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/client_session.h"

#include <openssl/rand.h>

#include "base/clock.h"
#include "base/json.h"

#define PATH "/api/v1/enclave/attestation?nonce="
#define NONCE_SIZE 32
#define ANSWER_MAX_SIZE 32768
/* Of the NSM's clock and ours. The nonce shows that the document is fresh; a clock that is wrong shows that ours, or the enclave's, is. */
#define CLOCK_DIFFERENCE_MAX_MS (5u * 60 * 1000)

void client_session_done(struct client_session *session)
{
	if (!session)
		return;
	certificate_facts_done(&session->facts);
	buffer_done(&session->certificate_pem);
	buffer_done(&session->document);
	*session = (struct client_session){0};
}

static bool exchange(const struct client_session_request *request, struct view nonce, struct http_response *ret_response,
		     struct error *error)
{
	const size_t scheme_size = strlen("https://");
	char hex[2 * CLIENT_NONCE_MAX_SIZE + 1];
	AUTO_FREE char *url = NULL;
	struct http_request exchange = {.method = "GET",
					.judges_certificate = true,
					.client_chain_pem = request->client_chain_pem,
					.client_key_pem = request->client_key_pem,
					.max_response_size = ANSWER_MAX_SIZE,
					.timeout_ms = request->timeout_ms};

	if (strncmp(request->url, "https://", scheme_size) != 0)
		return error_set(error, ERROR_INPUT, "%s: not https://HOST[:PORT]", request->url);
	hex_encode(nonce, hex);
	url = memory_format("%.*s" PATH "%s", (int)(strcspn(request->url + scheme_size, "/") + scheme_size), request->url, hex);
	exchange.url = url;
	return http_exchange(&exchange, ret_response, error);
}

static bool read_answer(const struct http_response *response, struct buffer *ret_document, struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(buffer_view(&response->body), "answer", error);
	const char *message;

	if (!object)
		return error->code = ERROR_PEER, false;
	if (response->status != 200)
		return error_set(error, ERROR_PEER, "the signer answered %ld: %.300s", response->status,
				 json_read_text(object, "message", &message, error) ? message : "");
	if (json_read_base64(object, "attestation_document_b64", ATTESTATION_DOCUMENT_MAX_SIZE, ret_document, error))
		return true;
	error->code = ERROR_PEER;
	return error_prefix(error, "answer");
}

/* ---- the verdict ---- */

static bool check_time(const struct attestation_document *document, struct error *error)
{
	uint64_t now_ms = clock_realtime_ms();
	uint64_t difference_ms =
		now_ms > document->timestamp_ms ? now_ms - document->timestamp_ms : document->timestamp_ms - now_ms;

	return difference_ms <= CLOCK_DIFFERENCE_MAX_MS ||
	       error_set(error, ERROR_CRYPTO, "the document's time and this machine's are %llu s apart",
			 (unsigned long long)(difference_ms / 1000));
}

static bool check_session(struct client_session *session, struct view nonce, struct error *error)
{
	if (!session->attested.has_nonce || !view_equal(session->attested.nonce, nonce))
		return error_set(error, ERROR_CRYPTO, "nonce: not the one that was asked for, so the document is an old one");
	if (!session->attested.has_user_data || !client_statement_read(session->attested.user_data, &session->statement, error))
		return error_set(error, ERROR_CRYPTO, "user_data: attests something else");
	return memcmp(session->statement.tls_digest, session->facts.public_key_sha256, CLIENT_DIGEST_SIZE) == 0 ||
	       error_set(error, ERROR_CRYPTO,
			 "the TLS session was made with another key than the attested one: somebody is in between");
}

static bool judge(const struct client_session_request *request, struct view nonce, struct client_session *session,
		  struct error *error)
{
	if (!attestation_verify(buffer_view(&session->document), request->root, clock_realtime_ms(), &session->attested, error)) {
		error->code = ERROR_CRYPTO; /* a document that cannot be read proves as little as one that is wrong */
		return false;
	}
	if (attestation_is_debug(&session->attested) && !request->allows_debug)
		return error_set(error, ERROR_CRYPTO, "the enclave is in debug mode, so whoever runs it can read its memory");
	return check_time(&session->attested, error) &&
	       certificate_facts_read(buffer_view(&session->certificate_pem), &session->facts, error) &&
	       check_session(session, nonce, error);
}

bool client_session_verify(const struct client_session_request *request, struct client_session *ret_session, struct error *error)
{
	AUTO_CLIENT_SESSION struct client_session session = {0};
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	uint8_t random[NONCE_SIZE];
	struct view nonce = request->nonce;

	if (nonce.size == 0) {
		if (RAND_bytes(random, sizeof random) != 1)
			return error_set(error, ERROR_CRYPTO, "no random bytes");
		nonce = view_of(random, sizeof random);
	}
	if (nonce.size > CLIENT_NONCE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "nonce: at most %d bytes", CLIENT_NONCE_MAX_SIZE);
	if (!exchange(request, nonce, &response, error) || !read_answer(&response, &session.document, error))
		return false;
	session.certificate_pem = response.server_certificate_pem;
	response.server_certificate_pem = (struct buffer){0};
	if (!judge(request, nonce, &session, error))
		return false;
	*ret_session = session;
	session = (struct client_session){0};
	return true;
}
