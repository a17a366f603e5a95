/* SPDX-License-Identifier: Apache-2.0 */
#include "host/provisioner.h"

#include "aws/credentials.h"
#include "base/clock.h"
#include "base/file.h"
#include "tables/key_table.h"
#include "tables/tls_table.h"

/* An enclave that is a process listens within milliseconds, one in a virtual machine within seconds. */
#define WAIT_FIRST_DELAY_MS 20u
#define WAIT_MAX_DELAY_MS 100u
/* For one try. An enclave that is up answers within a second, an emulated one within a few. */
#define WAIT_TRY_TIMEOUT_MS 5000u

#define CONNECT_TIMEOUT_MS 5000u
/*
 * Opening takes the enclave one KMS call for all sealed keys of a data key, but a KMS call and a key derivation (some 0.3 s,
 * under emulation seconds) for each password-protected one.
 */
#define ANSWER_BASE_TIMEOUT_MS 120000u
#define ANSWER_TIMEOUT_PER_SEALED_KEY_MS 10u
#define ANSWER_TIMEOUT_PER_KEYSTORE_MS 3000u
/* However many there are. */
#define ANSWER_MAX_TIMEOUT_MS (4u * 3600u * 1000u)

/* Opening keystores, of which there are at most 32 (0.5 s each, under emulation seconds), and one KMS call. */
#define IMPORT_TIMEOUT_MS 180000u
#define FORGOTTEN_TIMEOUT_MS 8000u

/* What the rows become on the wire, and how long opening them may take. */
struct request {
	struct buffer frame; /* wiped: it ends with the credentials */
	uint64_t answer_timeout_ms;
};

static void request_done(struct request *request)
{
	buffer_wipe_done(&request->frame);
}

bool provisioner_wait(const struct address *control, unsigned timeout_ms, const atomic_bool *cancel,
		      struct control_state *ret_state, struct error *error)
{
	uint64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	unsigned delay_ms = WAIT_FIRST_DELAY_MS;
	struct error last = {0};

	while (!atomic_load(cancel)) {
		if (control_init_state(control, WAIT_TRY_TIMEOUT_MS, ret_state, &last))
			return true;
		if (clock_monotonic_ms() >= deadline_ms)
			return error_set(error, ERROR_PEER, "the enclave did not come up within %u ms: %.300s", timeout_ms,
					 last.message);
		(void)usleep(delay_ms * 1000);
		delay_ms = delay_ms < WAIT_MAX_DELAY_MS / 2 ? delay_ms * 2 : WAIT_MAX_DELAY_MS;
	}
	return error_set(error, ERROR_PEER, "waiting for the enclave was given up: %.300s", last.message);
}

static bool read_credentials(const struct settings *settings, struct credentials *ret_credentials, struct error *error)
{
	bool ok = settings->credential_source == CREDENTIAL_SOURCE_IMDS
			  ? credentials_from_imds(settings->imds_url, ret_credentials, error)
			  : credentials_from_environment(ret_credentials, error);

	return ok || error_prefix(error, "credentials");
}

static bool read_key_rows(const struct settings *settings, struct key_rows *ret_rows, struct error *error)
{
	AUTO_KEY_TABLE struct key_table *table = NULL;

	/* Opening would make an empty one, which hides a wrong path. */
	if (!file_exists(settings->key_table))
		return error_set(error, ERROR_NOT_FOUND, "key table: %s does not exist", settings->key_table);
	table = key_table_open_sqlite(settings->key_table, error);
	if (!table || !key_table_list(table, settings->web3signer_uuid, true, ret_rows, error))
		return error_prefix(error, "%s", settings->key_table);
	if (ret_rows->count == 0)
		return error_set(error, ERROR_NOT_FOUND, "key table: no active keys of web3signer_uuid %s in %s",
				 settings->web3signer_uuid, settings->key_table);
	return true;
}

static bool read_tls_row(const struct settings *settings, struct tls_row *ret_row, struct error *error)
{
	AUTO_TLS_TABLE struct tls_table *table = NULL;

	if (!file_exists(settings->tls_table))
		return error_set(error, ERROR_NOT_FOUND, "TLS table: %s does not exist", settings->tls_table);
	table = tls_table_open_sqlite(settings->tls_table, error);
	if (!table || !tls_table_get(table, TLS_TABLE_KEY_ID, ret_row, error))
		return error_prefix(error, "%s", settings->tls_table);
	return true;
}

/* One row of `encrypted_validator_keys`. */
static bool append_key(struct request *request, const struct key_row *row, struct error *error)
{
	AUTO_JSON json_t *key = json_pack("{s:s, s:s}", "pubkey", row->pubkey, "chain", row->chain);
	bool sealed = row->sealed_key_b64 && row->data_key_b64;

	if (!sealed && !row->encrypted_key_password_mnemonic_b64)
		return error_set(error, ERROR_INPUT, "key table: the row of %s has no key in it", row->pubkey);
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

static bool append_keys(struct request *request, const struct key_rows *rows, struct error *error)
{
	buffer_append_text(&request->frame, ",\"encrypted_validator_keys\":[");
	for (size_t i = 0; i < rows->count; i++) {
		if (i > 0)
			buffer_append_byte(&request->frame, ',');
		if (!append_key(request, &rows->rows[i], error))
			return false;
	}
	buffer_append_byte(&request->frame, ']');
	return true;
}

static bool append_tls_key(struct request *request, const char *operation, const struct tls_row *row, struct error *error)
{
	AUTO_JSON json_t *text = row->encrypted_tls_key_b64 ? json_string(row->encrypted_tls_key_b64) : NULL;

	if (!text)
		return error_set(error, ERROR_INPUT, "TLS table: the row has no key in it");
	buffer_append_format(&request->frame, "{\"operation\":\"%s\",\"encrypted_tls_key\":", operation);
	json_write(text, &request->frame);
	return true;
}

/* Sealed, as the keys are: what the parent cannot read it cannot add a client to. */
static void append_known_clients(struct request *request, const struct tls_row *row)
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

/* Last, and into memory that is there already: an append that moves the buffer would leave a copy behind. */
static bool append_credentials(struct request *request, const struct credentials *credentials, struct error *error)
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

static bool make_request(const struct settings *settings, const char *operation, struct request *request, struct error *error)
{
	AUTO_KEY_ROWS struct key_rows rows = {0};
	AUTO_TLS_ROW struct tls_row tls = {0};
	AUTO_CREDENTIALS struct credentials credentials = {0};

	request->answer_timeout_ms = ANSWER_BASE_TIMEOUT_MS;
	if (!read_key_rows(settings, &rows, error) || !read_tls_row(settings, &tls, error) ||
	    !append_tls_key(request, operation, &tls, error) || !append_keys(request, &rows, error))
		return false;
	append_known_clients(request, &tls);
	return read_credentials(settings, &credentials, error) && append_credentials(request, &credentials, error);
}

/* The request is gone when this returns: opening thousands of keys takes a while, and the credentials need not wait for it. */
static int send_request(const struct settings *settings, const char *operation, const struct address *control,
			uint64_t *ret_answer_timeout_ms, struct error *error)
{
	CLEANUP(request_done) struct request request = {0};

	if (!make_request(settings, operation, &request, error))
		return -1;
	*ret_answer_timeout_ms = request.answer_timeout_ms;
	return control_send(control, buffer_view(&request.frame), CONNECT_TIMEOUT_MS, error);
}

static bool run(const struct settings *settings, const char *operation, const struct address *control,
		struct control_state *ret_state, struct error *error)
{
	struct control_state state = {0};
	uint64_t timeout_ms;
	AUTO_FD int fd = send_request(settings, operation, control, &timeout_ms, error);

	if (fd < 0)
		return false;
	if (timeout_ms > ANSWER_MAX_TIMEOUT_MS)
		timeout_ms = ANSWER_MAX_TIMEOUT_MS;
	if (!control_receive(fd, (unsigned)timeout_ms, &state, error))
		return false;
	if (!state.initialized)
		return error_set(error, ERROR_PEER, "answer of the enclave: %s succeeded, yet it is not initialized", operation);
	*ret_state = state;
	return true;
}

bool provisioner_run(const struct settings *settings, const struct address *control, struct control_state *ret_state,
		     struct error *error)
{
	return run(settings, "init", control, ret_state, error);
}

bool provisioner_reload(const struct settings *settings, const struct address *control, struct control_state *ret_state,
			struct error *error)
{
	return run(settings, "reload", control, ret_state, error);
}

/* ---- what the key manager wants stored and forgotten ---- */

static struct key_table *open_key_table(const struct settings *settings, struct error *error)
{
	if (!file_exists(settings->key_table))
		return error_set(error, ERROR_NOT_FOUND, "key table: %s does not exist", settings->key_table), NULL;
	return key_table_open_sqlite(settings->key_table, error);
}

/* Any will do: they are all of this fleet. The last is likely the newest. */
static const char *find_data_key(const struct key_rows *rows)
{
	const char *found = NULL;

	for (size_t i = 0; i < rows->count; i++) {
		if (rows->rows[i].data_key_b64)
			found = rows->rows[i].data_key_b64;
	}
	return found;
}

static json_t *ask_for_rows(const struct settings *settings, const struct address *control, const char *data_key_b64,
			    struct error *error)
{
	CLEANUP(request_done) struct request request = {0};
	AUTO_CREDENTIALS struct credentials credentials = {0};
	AUTO_JSON json_t *data_key = data_key_b64 ? json_string(data_key_b64) : NULL;

	buffer_append_text(&request.frame, "{\"operation\":\"import\"");
	if (data_key) {
		buffer_append_text(&request.frame, ",\"data_key_b64\":");
		json_write(data_key, &request.frame);
	}
	if (!read_credentials(settings, &credentials, error) || !append_credentials(&request, &credentials, error))
		return NULL;
	return control_call(control, buffer_view(&request.frame), CONNECT_TIMEOUT_MS, IMPORT_TIMEOUT_MS, error);
}

/* Of a row that was there before, what is not about the key itself stays. */
static void keep_deposit(const struct key_rows *before, struct key_row *row)
{
	for (size_t i = 0; i < before->count; i++) {
		if (strcmp(before->rows[i].pubkey, row->pubkey) == 0 && before->rows[i].deposit_json_b64)
			row->deposit_json_b64 = memory_copy_text(before->rows[i].deposit_json_b64);
	}
}

static bool copy_into(const char *text, const char *name, char *target, size_t size, struct error *error)
{
	if (strlen(text) >= size)
		return error_set(error, ERROR_PEER, "answer of the enclave: %s: too long", name);
	memcpy(target, text, strlen(text) + 1);
	return true;
}

static bool read_row(json_t *item, const char *chain, const char *data_key_b64, const struct settings *settings,
		     struct key_row *ret_row, struct error *error)
{
	char now[CLOCK_TEXT_SIZE];
	const char *pubkey;
	const char *sealed;

	if (!json_read_text(item, "pubkey", &pubkey, error) || !json_read_text(item, "sealed_key_b64", &sealed, error))
		return error_prefix(error, "answer of the enclave");
	clock_format(clock_realtime_ms(), now);
	ret_row->active = true;
	ret_row->datetime = memory_copy_text(now);
	ret_row->sealed_key_b64 = memory_copy_text(sealed);
	ret_row->data_key_b64 = memory_copy_text(data_key_b64);
	return copy_into(pubkey, "pubkey", ret_row->pubkey, sizeof ret_row->pubkey, error) &&
	       copy_into(chain, "chain", ret_row->chain, sizeof ret_row->chain, error) &&
	       copy_into(settings->web3signer_uuid, "web3signer_uuid", ret_row->web3signer_uuid, sizeof ret_row->web3signer_uuid,
			 error);
}

static bool read_rows(json_t *body, const struct settings *settings, const struct key_rows *before, struct key_rows *rows,
		      struct error *error)
{
	const char *data_key_b64;
	const char *chain;
	json_t *list;
	json_t *item;
	size_t index;

	if (!json_read_array(body, "rows", &list, error))
		return error_prefix(error, "answer of the enclave");
	if (json_array_size(list) == 0)
		return true;
	if (!json_read_text(body, "data_key_b64", &data_key_b64, error) || !json_read_text(body, "chain", &chain, error))
		return error_prefix(error, "answer of the enclave");
	rows->rows = memory_allocate_zeroed(json_array_size(list), sizeof *rows->rows);
	json_array_foreach(list, index, item)
	{
		struct key_row *row = &rows->rows[rows->count++];

		if (!read_row(item, chain, data_key_b64, settings, row, error))
			return false;
		keep_deposit(before, row);
	}
	return true;
}

bool provisioner_import(const struct settings *settings, const struct address *control, struct control_state *ret_state,
			struct error *error)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(settings, error);
	AUTO_KEY_ROWS struct key_rows before = {0};
	AUTO_KEY_ROWS struct key_rows rows = {0};
	AUTO_JSON json_t *body = NULL;

	if (!table || !key_table_list(table, settings->web3signer_uuid, false, &before, error))
		return false;
	body = ask_for_rows(settings, control, find_data_key(&before), error);
	if (!body || !read_rows(body, settings, &before, &rows, error))
		return false;
	/* None: every one of them failed, and its client knows. */
	if (rows.count > 0 && !key_table_put(table, rows.rows, rows.count, true, error))
		return false;
	return provisioner_reload(settings, control, ret_state, error);
}

static bool tell_forgotten(const struct address *control, const struct control_state *state, struct error *error)
{
	AUTO_JSON json_t *request = json_pack("{s:s, s:[]}", "operation", "forgotten", "pubkeys");
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *body = NULL;

	for (size_t i = 0; i < state->forget_count; i++)
		(void)json_array_append_new(json_object_get(request, "pubkeys"), json_string(state->forget[i]));
	json_write(request, &text);
	body = control_call(control, buffer_view(&text), CONNECT_TIMEOUT_MS, FORGOTTEN_TIMEOUT_MS, error);
	return body != NULL;
}

bool provisioner_forget(const struct settings *settings, const struct address *control, const struct control_state *state,
			struct control_state *ret_state, struct error *error)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(settings, error);

	if (!table)
		return false;
	for (size_t i = 0; i < state->forget_count; i++) {
		struct error problem = {0};

		if (!key_table_deactivate(table, settings->web3signer_uuid, state->forget[i], &problem) &&
		    problem.code != ERROR_NOT_FOUND) {
			*error = problem;
			return false;
		}
	}
	*ret_state = *state;
	/* A reload that read the table a moment before has brought them back, perhaps. With no key left there is nothing to load. */
	return tell_forgotten(control, state, error) &&
	       (provisioner_reload(settings, control, ret_state, error) || error->code == ERROR_NOT_FOUND);
}
