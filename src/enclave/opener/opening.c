/* SPDX-License-Identifier: Apache-2.0 */
/* Every KMS ciphertext is decrypted for a key made here, named in a fresh attestation document. */
#include "enclave/opener/opener.h"

#include "base/clock.h"
#include "enclave/metrics.h"

/* KMS answers in tens of milliseconds; the relay, a slow region and an emulated CPU are allowed for. */
#define KMS_TIMEOUT_MS 20000
#define KMS_ATTEMPTS 4

void opening_done(struct opening *opening)
{
	credentials_done(&opening->credentials);
	evp_pkey_done(&opening->recipient);
	buffer_done(&opening->recipient_spki);
	for (size_t i = 0; i < OPENER_DATA_KEYS_MAX; i++) {
		free(opening->data_keys[i].wrapped_b64);
		secret_done(&opening->data_keys[i].key);
	}
}

bool opening_init(struct opening *opening, struct opener *opener, json_t *request, struct error *error)
{
	json_t *credential;

	opening->opener = opener;
	if (!json_read_object(request, "credential", &credential, error) ||
	    !credentials_from_json(credential, &opening->credentials, error))
		return error_prefix(error, "credential");
	opening->kms.credentials = &opening->credentials;
	opening->kms.endpoint = (struct aws_endpoint){
		.region = opener->configuration.region,
		.host = opener->configuration.kms_host,
		.via = &opener->kms_relay,
		.ca_pem = buffer_view(&opener->configuration.ca_pem),
		.timeout_ms = KMS_TIMEOUT_MS,
		.attempts = KMS_ATTEMPTS,
	};
	return true;
}

/* Costs as much as a hundred signatures: a request that is refused by its form alone never gets here. */
static bool make_recipient(struct opening *opening, struct error *error)
{
	if (opening->recipient)
		return true;
	opening->recipient = cms_recipient_key_generate(error);
	return opening->recipient && cms_recipient_key_spki(opening->recipient, &opening->recipient_spki, error);
}

/* CMS that does not open for the key we just named is KMS's fault, neither the request's nor the row's. */
static bool blame_kms(struct error *error)
{
	error->code = ERROR_PEER;
	return error_prefix(error, "answer of KMS: CiphertextForRecipient");
}

static bool count_call(enum metrics_kms operation, uint64_t started_us, bool ok)
{
	metrics_add(METRIC_KMS_CALLS, operation, ok ? METRICS_OK : METRICS_FAILURE, 1);
	metrics_observe(METRIC_KMS_DURATION, operation, clock_monotonic_us() - started_us);
	return ok;
}

static bool call_decrypt(struct opening *opening, struct kms_context context, struct view ciphertext, struct view document,
			 struct buffer *ret_blob, struct error *error)
{
	const char *key_id = opening->takes_any_kms_key ? NULL : opening->opener->configuration.kms_key_arn;
	uint64_t started_us = clock_monotonic_us();

	return count_call(METRICS_KMS_DECRYPT, started_us,
			  kms_decrypt_attested(&opening->kms, key_id, context, ciphertext, document, ret_blob, error));
}

/* It has nothing to do with what is to be opened, so it must not look as if that was at fault. */
static bool blame_enclave(struct error *error)
{
	if (error->code == ERROR_INPUT || error->code == ERROR_CRYPTO)
		error->code = ERROR_BUG;
	return error_prefix(error, "attestation");
}

static bool attest(struct opening *opening, struct buffer *ret_document, struct error *error)
{
	return (make_recipient(opening, error) && nsm_attest(opening->opener->nsm, (struct view){0}, (struct view){0},
							     buffer_view(&opening->recipient_spki), ret_document, error)) ||
	       blame_enclave(error);
}

static bool open_blob(struct opening *opening, const struct buffer *blob, struct secret *ret_plaintext, struct error *error)
{
	return cms_open(opening->recipient, buffer_view(blob), ret_plaintext, error) || blame_kms(error);
}

static bool attested_decrypt(struct opening *opening, struct kms_context context, struct view ciphertext,
			     struct secret *ret_plaintext, struct error *error)
{
	AUTO_BUFFER struct buffer document = {0};
	AUTO_BUFFER struct buffer blob = {0};

	return attest(opening, &document, error) &&
	       call_decrypt(opening, context, ciphertext, buffer_view(&document), &blob, error) &&
	       open_blob(opening, &blob, ret_plaintext, error);
}

bool opening_decrypt_member(struct opening *opening, json_t *object, const char *name, struct kms_context context,
			    struct secret *ret_plaintext, struct error *error)
{
	AUTO_BUFFER struct buffer ciphertext = {0};

	if (!json_read_base64(object, name, KMS_CIPHERTEXT_MAX_SIZE, &ciphertext, error))
		return false;
	if (!attested_decrypt(opening, context, buffer_view(&ciphertext), ret_plaintext, error))
		return error_prefix(error, "%s", name);
	return true;
}

bool opening_blame_content(struct error *error)
{
	if (error->code == ERROR_INPUT)
		error->code = ERROR_CRYPTO;
	return false;
}

bool opening_find_data_key(struct opening *opening, json_t *object, struct view *ret_key, struct error *error)
{
	const struct kms_context context = {"fleet", opening->opener->configuration.fleet};
	struct data_key *slot = &opening->data_keys[opening->next_data_key];
	AUTO_SECRET struct secret key = {0};
	const char *wrapped_b64;

	if (!json_read_text(object, "data_key_b64", &wrapped_b64, error))
		return false;
	for (size_t i = 0; i < OPENER_DATA_KEYS_MAX; i++) {
		const struct data_key *known = &opening->data_keys[i];

		*ret_key = secret_view(&known->key);
		if (known->wrapped_b64 && strcmp(known->wrapped_b64, wrapped_b64) == 0)
			return true;
	}
	if (!opening_decrypt_member(opening, object, "data_key_b64", context, &key, error))
		return false;
	free(slot->wrapped_b64);
	secret_done(&slot->key);
	slot->wrapped_b64 = memory_copy_text(wrapped_b64);
	slot->key = key;
	key = (struct secret){0};
	opening->next_data_key = (opening->next_data_key + 1) % OPENER_DATA_KEYS_MAX;
	*ret_key = secret_view(&slot->key);
	return true;
}

/* What KMS generates for this enclave and nobody else. */
typedef bool kms_generator(const struct kms_client *client, const char *key_id, struct kms_context context,
			   struct view attestation_document, struct buffer *ret_ciphertext_for_recipient,
			   struct buffer *ret_ciphertext, struct error *error);

static bool generate(struct opening *opening, kms_generator *generator, enum metrics_kms operation, struct kms_context context,
		     struct secret *ret_plaintext, struct buffer *ret_sealed_b64, struct error *error)
{
	AUTO_BUFFER struct buffer document = {0};
	AUTO_BUFFER struct buffer sealed = {0};
	AUTO_BUFFER struct buffer blob = {0};
	uint64_t started_us;

	if (!attest(opening, &document, error))
		return false;
	started_us = clock_monotonic_us();
	if (!count_call(operation, started_us,
			generator(&opening->kms, opening->opener->configuration.kms_key_arn, context, buffer_view(&document), &blob,
				  &sealed, error)) ||
	    !open_blob(opening, &blob, ret_plaintext, error))
		return false;
	base64_encode(buffer_view(&sealed), ret_sealed_b64);
	return true;
}

bool opening_new_data_key(struct opening *opening, struct secret *ret_data_key, struct buffer *ret_wrapped_b64, struct error *error)
{
	const struct kms_context context = {"fleet", opening->opener->configuration.fleet};
	AUTO_SECRET struct secret key = {0};

	if (!generate(opening, kms_generate_data_key_attested, METRICS_KMS_GENERATE_DATA_KEY, context, &key, ret_wrapped_b64,
		      error))
		return error_prefix(error, "data key");
	if (key.size != AEAD_KEY_SIZE)
		return error_set(error, ERROR_PEER, "data key: KMS made one of %zu bytes", key.size);
	*ret_data_key = key;
	key = (struct secret){0};
	return true;
}

bool opening_new_key_pair(struct opening *opening, struct secret *ret_key_der, struct buffer *ret_sealed_b64, struct error *error)
{
	return generate(opening, kms_generate_key_pair_attested, METRICS_KMS_GENERATE_KEY_PAIR, (struct kms_context){0},
			ret_key_der, ret_sealed_b64, error) ||
	       error_prefix(error, "key pair");
}
