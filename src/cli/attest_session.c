/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/attest_session.h"

#include "attestation/client_session.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/attested.h"
#include "cli/commands.h"
#include "cli/signer_options.h"
#include "crypto/certificate_file.h"

#define TIMEOUT_MS 30000

static bool read_nonce(const char *text, uint8_t ret_nonce[CLIENT_NONCE_MAX_SIZE], size_t *ret_size, struct error *error)
{
	size_t size = text ? strlen(text) : 0;

	*ret_size = 0;
	if (!text || strcmp(text, "auto") == 0)
		return true;
	*ret_size = size / 2;
	return (size > 0 && size % 2 == 0 && size / 2 <= CLIENT_NONCE_MAX_SIZE &&
		hex_decode(view_of(text, size), ret_nonce, size / 2)) ||
	       error_set(error, ERROR_INPUT, "--nonce: auto, or up to %d bytes in hex", CLIENT_NONCE_MAX_SIZE);
}

static bool check_pcr(const char *option, unsigned index, const char *hex, const struct attestation_document *document,
		      struct error *error)
{
	return !hex || attestation_check_pcr(document, index, hex, error) || error_prefix(error, "%s", option) ||
	       attested_refuse(error);
}

static bool verify(const struct attest_session_request *request, struct client_session *ret_session, struct error *error)
{
	AUTO_X509 X509 *root = request->root ? certificate_file_read(request->root, error) : attestation_aws_root(error);
	AUTO_SIGNER_TARGET struct signer_target target = {0}; /* its certificate alone */
	struct client_session_request session = {.url = request->url, .root = root, .timeout_ms = TIMEOUT_MS};
	uint8_t nonce[CLIENT_NONCE_MAX_SIZE];
	size_t nonce_size;

	if (!root)
		return error_prefix(error, "--root");
	if (!attested_option_check("--pcr0", request->pcr0, error) || !attested_option_check("--pcr8", request->pcr8, error))
		return false;
	if (!read_nonce(request->nonce, nonce, &nonce_size, error) ||
	    !signer_target_use_certificate(&target, request->client_cert, request->client_key, error))
		return false;
	session.nonce = view_of(nonce, nonce_size);
	session.client_chain_pem = buffer_view(&target.client_chain_pem);
	session.client_key_pem = secret_view(&target.client_key_pem);
	if (!client_session_verify(&session, ret_session, error))
		return error->code == ERROR_CRYPTO && attested_refuse(error);
	return check_pcr("--pcr0", 0, request->pcr0, &ret_session->attested, error) &&
	       check_pcr("--pcr8", 8, request->pcr8, &ret_session->attested, error);
}

static void print(const struct attest_session_request *request, const struct client_session *session)
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
	AUTO_CLIENT_SESSION struct client_session session = {0};

	if (!verify(request, &session, error))
		return false;
	hex_encode(view_of(session.attested.pcrs[0], NSM_PCR_SIZE), ret_pcr0);
	return true;
}

int attest_session(const struct attest_session_request *request)
{
	AUTO_CLIENT_SESSION struct client_session session = {0};
	struct error error = {0};
	const char *advice;

	if (!request->pcr0 && !request->pcr8) {
		(void)error_set(&error, ERROR_INPUT, "--pcr0 or --pcr8: missing; which image is it to be?");
		return command_fail(&error, NULL);
	}
	if (!verify(request, &session, &error)) {
		advice = attested_advice(request->root, &error);
		return command_fail(&error, advice ? "%s" : NULL, advice);
	}
	if (request->cert_out && !file_write_atomic(request->cert_out, buffer_view(&session.certificate_pem), 0644, &error))
		return command_fail(&error, NULL);
	print(request, &session);
	return EXIT_CODE_OK;
}
