/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/client_session.h"
#include "base/clock.h"
#include "crypto/tls_identity.h"
#include "lambda/operations.h"
#include "net/signer_client.h"
#include "tables/tls_table.h"

#define ATTEST_TIME_MS 20000u

/* ---- with the table's certificate ---- */

/* Just the server's own: whoever has another one of the same authority is another server. */
static bool read_certificate(const struct lambda_call *call, struct buffer *ret_pem, struct error *error)
{
	AUTO_TLS_TABLE struct tls_table *table = lambda_open_table(call, error);
	AUTO_TLS_ROW struct tls_row row = {0};
	AUTO_BUFFER struct buffer chain = {0};

	if (!table)
		return false;
	if (!tls_table_get(table, TLS_TABLE_KEY_ID, &row, error))
		return error->code == ERROR_NOT_FOUND ? error_prefix(error, "set_tls_key comes first") : false;
	if (!base64_decode(view_of_text(row.cert_pem), &chain))
		return error_set(error, ERROR_INPUT, "TLS table: cert_pem: not base64");
	return tls_identity_leaf(buffer_view(&chain), ret_pem, error) || error_prefix(error, "TLS table: cert_pem");
}

static bool find_signer(const struct lambda_call *call, struct signer_target *ret_target, struct error *error)
{
	if (!read_certificate(call, &ret_target->ca_pem, error))
		return false;
	ret_target->url = memory_copy_text(call->settings->signer_url);
	return true;
}

static json_t *explain(struct error *error)
{
	if (error->code == ERROR_CRYPTO)
		(void)error_prefix(error, "the signer's certificate is not the one of the TLS table, or not of this name or day");
	return NULL;
}

json_t *lambda_status(const struct lambda_call *call, struct error *error)
{
	AUTO_SIGNER_TARGET struct signer_target target = {0};
	AUTO_BUFFER struct buffer text = {0};

	if (!find_signer(call, &target, error))
		return NULL;
	if (!signer_upcheck(&target, lambda_time_ms(call, SIGNER_TIMEOUT_MS), &text, error))
		return explain(error);
	return json_text_of_any(buffer_text(&text));
}

json_t *lambda_public_keys(const struct lambda_call *call, struct error *error)
{
	AUTO_SIGNER_TARGET struct signer_target target = {0};
	json_t *keys;

	if (!find_signer(call, &target, error))
		return NULL;
	keys = signer_public_keys(&target, lambda_time_ms(call, SIGNER_TIMEOUT_MS), error);
	return keys ? keys : explain(error);
}

/* ---- attest ---- */

static void add_pcrs(const struct attestation_document *attested, json_t *answer)
{
	static const unsigned shown[] = {0, 1, 2, 3, 4, 8};

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		char name[sizeof "pcr4294967295"];

		(void)snprintf(name, sizeof name, "pcr%u", shown[i]);
		if (attested->pcr_mask & (1u << shown[i]))
			(void)json_object_set_new(answer, name,
						  json_text_of_hex("", view_of(attested->pcrs[shown[i]], NSM_PCR_SIZE)));
	}
}

static json_t *describe(const struct client_session *session, bool is_image_checked)
{
	bool is_debug = attestation_is_debug(&session->attested);
	char time[CLOCK_TEXT_SIZE];
	json_t *answer;

	clock_format(session->attested.timestamp_ms, time);
	/* What an enclave in debug mode says proves nothing. */
	answer = json_pack("{s:b, s:b, s:b, s:b, s:o, s:s, s:o, s:o, s:o}", "verified", !is_debug, "debug", is_debug, "tls_bound",
			   1, "image_checked", is_image_checked, "module_id", json_text_of_any(session->attested.module_id), "time",
			   time, "tls_public_key_sha256",
			   json_text_of_hex("", view_of(session->statement.tls_digest, CLIENT_DIGEST_SIZE)), "certificate_sha256",
			   json_text_of_hex("", view_of(session->facts.certificate_sha256, CERTIFICATE_DIGEST_SIZE)),
			   "public_keys_sha256", json_text_of_hex("", view_of(session->statement.keys_digest, CLIENT_DIGEST_SIZE)));
	add_pcrs(&session->attested, answer);
	return answer;
}

json_t *lambda_attest(const struct lambda_call *call, struct error *error)
{
	const struct lambda_event *event = &call->event;
	const struct client_session_request request = {
		.url = call->settings->signer_url,
		.root = call->settings->attestation_root,
		.nonce = view_of(event->nonce, event->nonce_size),
		.timeout_ms = lambda_time_ms(call, ATTEST_TIME_MS),
		.allows_debug = call->settings->is_development,
	};
	AUTO_CLIENT_SESSION struct client_session session = {0};

	if (!client_session_verify(&request, &session, error))
		return NULL;
	if (event->pcr0[0] && !attestation_check_pcr(&session.attested, 0, event->pcr0, error))
		return NULL;
	return describe(&session, event->pcr0[0] != 0);
}
