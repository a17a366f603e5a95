/* SPDX-License-Identifier: Apache-2.0 */
#include "host/control_request.h"

#include "host/instance_credentials.h"
#include "host/tables.h"
#include "net/frame.h"

/*
 * Opening takes the enclave one KMS call for all sealed keys of a data key, but a KMS call and a key derivation (some 0.3 s,
 * under emulation seconds) for each password-protected one.
 */
#define ANSWER_BASE_TIMEOUT_MS 120000u
#define ANSWER_TIMEOUT_PER_SEALED_KEY_MS 10u
#define ANSWER_TIMEOUT_PER_KEYSTORE_MS 3000u

void control_request_done(struct control_request *request)
{
	buffer_wipe_done(&request->frame);
}

/* One row of `encrypted_validator_keys`. */
static bool append_key(struct control_request *request, const struct key_row *row, struct error *error)
{
	AUTO_JSON json_t *key =
		json_pack("{s:o, s:o}", "pubkey", json_text_of_any(row->pubkey), "chain", json_text_of_any(row->chain));
	bool sealed = row->sealed_key_b64 != NULL;

	if (sealed) {
		(void)json_object_set_new(key, "sealed_key_b64", json_string(row->sealed_key_b64));
		(void)json_object_set_new(key, "data_key_b64", json_string(row->data_key_b64));
		request->answer_timeout_ms += ANSWER_TIMEOUT_PER_SEALED_KEY_MS;
	}
	if (!sealed) {
		(void)json_object_set_new(key, "encrypted_key_password_mnemonic_b64",
					  json_string(row->encrypted_key_password_mnemonic_b64));
		request->answer_timeout_ms += ANSWER_TIMEOUT_PER_KEYSTORE_MS;
	}
	json_write(key, &request->frame);
	if (request->frame.size > CONTROL_FRAME_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "key table: the active keys take more than the %u bytes of a control frame",
				 CONTROL_FRAME_MAX_SIZE);
	return true;
}

/* The enclave tells of it, as of every row that it cannot use. */
static void append_problem(struct control_request *request, const struct key_row_problem *problem)
{
	AUTO_JSON json_t *row =
		json_pack("{s:o, s:o}", "pubkey", json_text_of_any(problem->pubkey), "problem", json_text_of_any(problem->message));

	json_write(row, &request->frame);
}

static bool append_keys(struct control_request *request, const struct key_rows *rows, struct error *error)
{
	buffer_append_text(&request->frame, ",\"encrypted_validator_keys\":[");
	for (size_t i = 0; i < rows->count; i++) {
		if (i > 0)
			buffer_append_byte(&request->frame, ',');
		if (!append_key(request, &rows->rows[i], error))
			return false;
	}
	for (size_t i = 0; i < rows->problem_count; i++) {
		if (rows->count + i > 0)
			buffer_append_byte(&request->frame, ',');
		append_problem(request, &rows->problems[i]);
	}
	buffer_append_byte(&request->frame, ']');
	return true;
}

static bool append_tls_key(struct control_request *request, const char *operation, const struct tls_row *row, struct error *error)
{
	AUTO_JSON json_t *text = row->encrypted_tls_key_b64 ? json_string(row->encrypted_tls_key_b64) : NULL;
	AUTO_JSON json_t *chain = row->cert_pem ? json_text_of_any(row->cert_pem) : NULL;

	if (!text)
		return error_set(error, ERROR_INPUT, "TLS table: the row has no key in it");
	buffer_append_format(&request->frame, "{\"operation\":\"%s\",\"encrypted_tls_key\":", operation);
	json_write(text, &request->frame);
	if (chain) {
		buffer_append_text(&request->frame, ",\"tls_chain_pem_b64\":");
		json_write(chain, &request->frame);
	}
	return true;
}

/* Sealed, as the keys are: what the parent cannot read it cannot add a client to. */
static void append_known_clients(struct control_request *request, const struct tls_row *row)
{
	AUTO_JSON json_t *object = NULL;

	if (!row->known_clients_sealed_b64 || !row->known_clients_data_key_b64)
		return;
	object = json_pack("{s:s, s:s}", "sealed_b64", row->known_clients_sealed_b64, "data_key_b64",
			   row->known_clients_data_key_b64);
	if (!object)
		return; /* not UTF-8: no base64 either */
	buffer_append_text(&request->frame, ",\"known_clients\":");
	json_write(object, &request->frame);
}

/* Sealed likewise: with what the parent cannot read it cannot change the slashing table. */
static void append_slashing_credentials(struct control_request *request, const struct tls_row *row)
{
	AUTO_JSON json_t *text = row->slashing_credentials_b64 ? json_string(row->slashing_credentials_b64) : NULL;

	if (!text)
		return;
	buffer_append_text(&request->frame, ",\"encrypted_slashing_credentials\":");
	json_write(text, &request->frame);
}

/* Last, and into memory that is there already: an append that moves the buffer would leave a copy behind. */
static bool append_credentials(struct control_request *request, const struct credentials *credentials, struct error *error)
{
	AUTO_JSON json_t *object = credentials_to_json(credentials, error);
	size_t size = object ? json_dumpb(object, NULL, 0, JSON_COMPACT) : 0;

	if (size == 0)
		return error_prefix(error, "credentials");
	buffer_append_text(&request->frame, ",\"credential\":");
	buffer_reserve(&request->frame, size + 1);
	(void)json_dumpb(object, (char *)request->frame.data + request->frame.size, size, JSON_COMPACT);
	request->frame.size += size;
	buffer_append_byte(&request->frame, '}');
	if (request->frame.size > CONTROL_FRAME_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "key table: the active keys take more than the %u bytes of a control frame",
				 CONTROL_FRAME_MAX_SIZE);
	return true;
}

bool control_request_finish(const struct settings *settings, struct control_request *request, struct error *error)
{
	AUTO_CREDENTIALS struct credentials credentials = {0};

	return instance_credentials_read(settings, &credentials, error) && append_credentials(request, &credentials, error);
}

bool control_request_load(const struct settings *settings, const char *operation, struct control_request *request,
			  struct error *error)
{
	AUTO_KEY_ROWS struct key_rows rows = {0};
	AUTO_TLS_ROW struct tls_row tls = {0};

	request->answer_timeout_ms = ANSWER_BASE_TIMEOUT_MS;
	if (!host_tables_read_keys(settings, &rows, error) || !host_tables_read_tls(settings, &tls, error) ||
	    !append_tls_key(request, operation, &tls, error) || !append_keys(request, &rows, error))
		return false;
	append_known_clients(request, &tls);
	append_slashing_credentials(request, &tls);
	request->key_count = rows.count;
	return control_request_finish(settings, request, error);
}
