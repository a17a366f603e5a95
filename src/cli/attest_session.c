/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate is judged by the attestation document alone: it comes over the session, names the client's nonce, is signed by the NSM of
 * an image with the wanted measurement, and has the digest of the key that this very session was made with.
 */
#include "cli/attest_session.h"

#include <openssl/rand.h>

#include "attestation/client_statement.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/certificate_file.h"
#include "cli/commands.h"
#include "cli/signer_client.h"
#include "crypto/certificate_facts.h"
#include "net/http_client.h"

#define PATH "/api/v1/enclave/attestation?nonce="
#define NONCE_SIZE 32
#define ANSWER_MAX_SIZE 32768
#define TIMEOUT_MS 30000
/* Of the NSM's clock and ours. The nonce shows that the document is fresh; a clock that is wrong shows that ours, or the enclave's, is. */
#define CLOCK_DIFFERENCE_MAX_MS (5u * 60 * 1000)

struct session {
	uint8_t nonce[CLIENT_NONCE_MAX_SIZE];
	size_t nonce_size;
	struct http_response response;
	struct buffer document;
	struct attestation_document attested;
	struct client_statement statement;
	struct certificate_facts facts;
};

static void session_done(struct session *session)
{
	http_response_done(&session->response);
	buffer_done(&session->document);
	certificate_facts_done(&session->facts);
}

static bool make_nonce(const char *text, struct session *session, struct error *error)
{
	size_t size = text ? strlen(text) : 0;

	session->nonce_size = NONCE_SIZE;
	if (!text || strcmp(text, "auto") == 0)
		return RAND_bytes(session->nonce, NONCE_SIZE) == 1 || error_set(error, ERROR_CRYPTO, "no random bytes");
	session->nonce_size = size / 2;
	if (size % 2 || session->nonce_size > sizeof session->nonce ||
	    !hex_decode(view_of(text, size), session->nonce, session->nonce_size))
		return error_set(error, ERROR_INPUT, "--nonce: auto, or up to %d bytes in hex", CLIENT_NONCE_MAX_SIZE);
	return true;
}

static bool exchange(const struct attest_session_request *request, struct session *session, struct error *error)
{
	char hex[2 * CLIENT_NONCE_MAX_SIZE + 1];
	AUTO_SIGNER_TARGET struct signer_target target = {0}; /* its certificate alone */
	AUTO_FREE char *url = NULL;
	struct http_request exchange = {
		.method = "GET", .judges_certificate = true, .max_response_size = ANSWER_MAX_SIZE, .timeout_ms = TIMEOUT_MS};

	if (strncmp(request->url, "https://", strlen("https://")) != 0)
		return error_set(error, ERROR_INPUT, "--url: not https://HOST[:PORT]");
	if (!signer_target_use_certificate(&target, request->client_cert, request->client_key, error))
		return false;
	hex_encode(view_of(session->nonce, session->nonce_size), hex);
	url = memory_format("%.*s" PATH "%s", (int)strcspn(request->url + strlen("https://"), "/") + (int)strlen("https://"),
			    request->url, hex);
	exchange.url = url;
	exchange.client_chain_pem = buffer_view(&target.client_chain_pem);
	exchange.client_key_pem = secret_view(&target.client_key_pem);
	return http_exchange(&exchange, &session->response, error);
}

static bool read_answer(struct session *session, struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(buffer_view(&session->response.body), "answer", error);
	const char *message;

	if (!object)
		return error->code = ERROR_PEER, false;
	if (session->response.status != 200)
		return error_set(error, ERROR_PEER, "the signer answered %ld: %.300s", session->response.status,
				 json_read_text(object, "message", &message, error) ? message : "");
	if (json_read_base64(object, "attestation_document_b64", ATTESTATION_DOCUMENT_MAX_SIZE, &session->document, error))
		return true;
	error->code = ERROR_PEER;
	return error_prefix(error, "answer");
}

/* ---- the verdict ---- */

static bool check_pcr(const char *option, unsigned index, const char *hex, const struct attestation_document *document,
		      struct error *error)
{
	return !hex || attestation_check_pcr(document, index, hex, error) || error_prefix(error, "%s", option);
}

static bool check_time(const struct attestation_document *document, struct error *error)
{
	uint64_t now_ms = clock_realtime_ms();
	uint64_t difference_ms =
		now_ms > document->timestamp_ms ? now_ms - document->timestamp_ms : document->timestamp_ms - now_ms;

	return difference_ms <= CLOCK_DIFFERENCE_MAX_MS ||
	       error_set(error, ERROR_CRYPTO, "the document's time and this machine's are %llu s apart",
			 (unsigned long long)(difference_ms / 1000));
}

static bool check_session(struct session *session, struct error *error)
{
	if (!session->attested.has_nonce || !view_equal(session->attested.nonce, view_of(session->nonce, session->nonce_size)))
		return error_set(error, ERROR_CRYPTO, "nonce: not the one that was asked for, so the document is an old one");
	if (!session->attested.has_user_data || !client_statement_read(session->attested.user_data, &session->statement, error))
		return error_set(error, ERROR_CRYPTO, "user_data: attests something else");
	return memcmp(session->statement.tls_digest, session->facts.public_key_sha256, CLIENT_DIGEST_SIZE) == 0 ||
	       error_set(error, ERROR_CRYPTO,
			 "the TLS session was made with another key than the attested one: somebody is in between");
}

static bool judge(const struct attest_session_request *request, struct session *session, struct error *error)
{
	AUTO_X509 X509 *root = request->root ? certificate_file_read(request->root, error) : attestation_aws_root(error);

	if (!root)
		return error_prefix(error, "--root");
	if (!attestation_verify(buffer_view(&session->document), root, clock_realtime_ms(), &session->attested, error)) {
		error->code = ERROR_CRYPTO; /* a document that cannot be read proves as little as one that is wrong */
		return error_prefix(error, "attestation document");
	}
	if (attestation_is_debug(&session->attested))
		return error_set(error, ERROR_CRYPTO, "the enclave is in debug mode, so whoever runs it can read its memory");
	return check_pcr("--pcr0", 0, request->pcr0, &session->attested, error) &&
	       check_pcr("--pcr8", 8, request->pcr8, &session->attested, error) && check_time(&session->attested, error) &&
	       certificate_facts_read(buffer_view(&session->response.server_certificate_pem), &session->facts, error) &&
	       check_session(session, error);
}

static void print(const struct attest_session_request *request, const struct session *session)
{
	char pcr0[NSM_PCR_TEXT_SIZE], keys[2 * CLIENT_DIGEST_SIZE + 1], pin[2 * CLIENT_DIGEST_SIZE + 1];
	char time[CLOCK_TEXT_SIZE];
	AUTO_JSON json_t *object = NULL;

	hex_encode(view_of(session->attested.pcrs[0], NSM_PCR_SIZE), pcr0);
	hex_encode(view_of(session->statement.keys_digest, CLIENT_DIGEST_SIZE), keys);
	hex_encode(view_of(session->statement.tls_digest, CLIENT_DIGEST_SIZE), pin);
	clock_format(session->attested.timestamp_ms, time);
	if (request->as_json) {
		object = json_pack("{s:b, s:s, s:s, s:s, s:s, s:s}", "verified", 1, "PCR0", pcr0, "module_id",
				   session->attested.module_id, "time", time, "tls_public_key_sha256", pin, "public_keys_sha256",
				   keys);
		command_print_json(object);
		return;
	}
	(void)printf("This session ends in the enclave.\n  PCR0        %s\n  module      ", pcr0);
	command_print_escaped(stdout, session->attested.module_id);
	(void)printf("\n  time        %s\n  TLS key     %s (SHA-256)\n  keys        %s (SHA-256 of the sorted public keys)\n", time,
		     pin, keys);
}

bool attest_session_read(const struct attest_session_request *request, char ret_pcr0[NSM_PCR_TEXT_SIZE], struct error *error)
{
	CLEANUP(session_done) struct session session = {0};

	if (!make_nonce(request->nonce, &session, error) || !exchange(request, &session, error) || !read_answer(&session, error) ||
	    !judge(request, &session, error))
		return false;
	hex_encode(view_of(session.attested.pcrs[0], NSM_PCR_SIZE), ret_pcr0);
	return true;
}

int attest_session(const struct attest_session_request *request)
{
	CLEANUP(session_done) struct session session = {0};
	struct error error = {0};

	if (!request->pcr0 && !request->pcr8) {
		(void)error_set(&error, ERROR_INPUT, "--pcr0 or --pcr8: missing; which image is it to be?");
		return command_fail(&error, NULL);
	}
	if (!make_nonce(request->nonce, &session, &error) || !exchange(request, &session, &error) ||
	    !read_answer(&session, &error) || !judge(request, &session, &error))
		return command_fail(&error, NULL);
	if (request->cert_out &&
	    !file_write_atomic(request->cert_out, buffer_view(&session.response.server_certificate_pem), 0644, &error))
		return command_fail(&error, NULL);
	print(request, &session);
	return EXIT_CODE_OK;
}
