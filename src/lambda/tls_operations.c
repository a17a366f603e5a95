/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/kms.h"
#include "base/clock.h"
#include "crypto/certificate_facts.h"
#include "lambda/operations.h"
#include "net/deadline.h"
#include "tables/tls_sealed.h"

#define COMMON_NAME "ensign"
/* KMS answers within a second. Two attempts and the wait between them fit into the deadline. */
#define KMS_ATTEMPTS 2
#define KMS_ATTEMPT_MS 5000u
#define NO_CONTEXT ((struct kms_context){NULL, NULL})

static struct kms_client kms_of(const struct lambda_call *call)
{
	struct kms_client kms = {.endpoint = call->settings->kms.endpoint, .credentials = &call->settings->credentials};
	unsigned share_ms = deadline_left_ms(call->deadline_ms) / (KMS_ATTEMPTS + 1);

	kms.endpoint.attempts = KMS_ATTEMPTS;
	kms.endpoint.timeout_ms = share_ms < KMS_ATTEMPT_MS ? share_ms : KMS_ATTEMPT_MS;
	return kms;
}

/* ---- set_tls_key ---- */

/* As the sample solution names it; the signer's own name may be one of the others. */
static size_t choose_names(const struct lambda_settings *settings, const char *ret_names[3])
{
	static const char *const others[] = {"localhost", "127.0.0.1"};
	size_t count = 1;

	ret_names[0] = settings->signer_host;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (strcmp(others[i], settings->signer_host) != 0)
			ret_names[count++] = others[i];
	}
	return count;
}

/* The shape of DynamoDB's answer, as the sample solution returns it, and what was made. */
static json_t *describe(const struct tls_identity *identity, const struct tls_sealed *sealed, struct error *error)
{
	AUTO_CERTIFICATE_FACTS struct certificate_facts facts = {0};
	char not_after[CLOCK_TEXT_SIZE];
	json_t *names;

	if (!certificate_facts_read(buffer_view(&identity->chain), &facts, error))
		return NULL;
	names = json_array();
	for (size_t i = 0; i < facts.name_count; i++)
		(void)json_array_append_new(names, json_text_of_any(facts.names[i]));
	clock_format((uint64_t)facts.not_after_s * 1000, not_after);
	return json_pack("{s:{s:i}, s:i, s:s, s:o, s:s, s:o, s:o}", "ResponseMetadata", "HTTPStatusCode", 200, "key_id",
			 TLS_TABLE_KEY_ID, "cert_pem", sealed->cert_pem, "names", names, "not_after", not_after,
			 "certificate_sha256", json_text_of_hex("", view_of(facts.certificate_sha256, CERTIFICATE_DIGEST_SIZE)),
			 "public_key_sha256", json_text_of_hex("", view_of(facts.public_key_sha256, CERTIFICATE_DIGEST_SIZE)));
}

static bool store(const struct lambda_call *call, const struct tls_sealed *sealed, struct error *error)
{
	AUTO_TLS_TABLE struct tls_table *table = lambda_open_table(call, error);
	bool added;

	if (!table)
		return false;
	if (call->event.overwrite)
		return tls_sealed_put(table, TLS_TABLE_KEY_ID, sealed, error);
	if (!tls_sealed_add(table, TLS_TABLE_KEY_ID, sealed, &added, error))
		return false;
	return added || error_set(error, ERROR_POLICY,
				  "TLS table: there is a key already, which clients trust; \"overwrite\": true replaces it");
}

json_t *lambda_set_tls_key(const struct lambda_call *call, struct error *error)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_TLS_SEALED struct tls_sealed sealed = {0};
	AUTO_BUFFER struct buffer ca_pem = {0};
	const struct kms_client kms = kms_of(call);
	const char *names[3];
	size_t count = choose_names(call->settings, names);

	if (!tls_identity_create(COMMON_NAME, names, count, TLS_IDENTITY_DAYS_MAX, &identity, &ca_pem, error) ||
	    !tls_seal(&identity, false, &kms, call->settings->kms_key_arn, &sealed, error) || !store(call, &sealed, error))
		return NULL;
	return describe(&identity, &sealed, error);
}

/* ---- get_tls_key, decrypt_tls_key ---- */

static bool read_row(const struct lambda_call *call, struct tls_row *ret_row, struct error *error)
{
	AUTO_TLS_TABLE struct tls_table *table = lambda_open_table(call, error);

	return table && tls_table_get(table, TLS_TABLE_KEY_ID, ret_row, error);
}

json_t *lambda_get_tls_key(const struct lambda_call *call, struct error *error)
{
	AUTO_TLS_ROW struct tls_row row = {0};

	return read_row(call, &row, error) ? json_text_of_any(row.encrypted_tls_key_b64) : NULL;
}

/* Shows that the role may decrypt; what comes of it goes nowhere. */
json_t *lambda_decrypt_tls_key(const struct lambda_call *call, struct error *error)
{
	AUTO_TLS_ROW struct tls_row row = {0};
	AUTO_BUFFER struct buffer sealed = {0};
	AUTO_SECRET struct secret plaintext = {0};
	struct kms_client kms;

	if (!read_row(call, &row, error))
		return NULL;
	if (!base64_decode(view_of_text(row.encrypted_tls_key_b64), &sealed))
		return error_set(error, ERROR_INPUT, "TLS table: encrypted_tls_key_b64: not base64"), NULL;
	kms = kms_of(call);
	return kms_decrypt(&kms, call->settings->kms_key_arn, NO_CONTEXT, buffer_view(&sealed), &plaintext, error) ? json_null()
														   : NULL;
}
