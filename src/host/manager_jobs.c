/* SPDX-License-Identifier: Apache-2.0 */
#include "host/manager_jobs.h"

#include "base/clock.h"
#include "host/control_request.h"
#include "host/provisioner.h"
#include "host/tables.h"

/* Opening keystores, of which there are at most 32 (0.5 s each, under emulation seconds), and one KMS call. */
#define IMPORT_TIMEOUT_MS 180000u
#define FORGOTTEN_TIMEOUT_MS 8000u

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
	AUTO_CONTROL_REQUEST struct control_request request = {0};
	AUTO_JSON json_t *data_key = data_key_b64 ? json_string(data_key_b64) : NULL;

	buffer_append_text(&request.frame, "{\"operation\":\"import\"");
	if (data_key) {
		buffer_append_text(&request.frame, ",\"data_key_b64\":");
		json_write(data_key, &request.frame);
	}
	if (!control_request_finish(settings, &request, error))
		return NULL;
	return control_call(control, buffer_view(&request.frame), CONTROL_ANSWER_MAX_SIZE, CONTROL_CONNECT_TIMEOUT_MS,
			    IMPORT_TIMEOUT_MS, NULL, error);
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

bool manager_import(const struct settings *settings, const struct address *control, struct control_state *ret_state,
		    struct error *error)
{
	AUTO_HOST_KEY_TABLE struct host_key_table table = {0};
	AUTO_KEY_ROWS struct key_rows before = {0};
	AUTO_KEY_ROWS struct key_rows rows = {0};
	AUTO_JSON json_t *body = NULL;

	if (!host_key_table_open(settings, &table, error) ||
	    !key_table_list(table.table, settings->web3signer_uuid, false, &before, error))
		return false;
	body = ask_for_rows(settings, control, find_data_key(&before), error);
	if (!body || !read_rows(body, settings, &before, &rows, error))
		return false;
	/* None: every one of them failed, and its client knows. */
	if (rows.count > 0 && !key_table_put(table.table, rows.rows, rows.count, true, error))
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
	body = control_call(control, buffer_view(&text), CONTROL_ANSWER_MAX_SIZE, CONTROL_CONNECT_TIMEOUT_MS, FORGOTTEN_TIMEOUT_MS,
			    NULL, error);
	return body != NULL;
}

bool manager_forget(const struct settings *settings, const struct address *control, const struct control_state *state,
		    struct control_state *ret_state, struct error *error)
{
	AUTO_HOST_KEY_TABLE struct host_key_table table = {0};

	if (!host_key_table_open(settings, &table, error))
		return false;
	for (size_t i = 0; i < state->forget_count; i++) {
		struct error problem = {0};

		if (!key_table_set_active(table.table, settings->web3signer_uuid, state->forget[i], false, &problem) &&
		    problem.code != ERROR_NOT_FOUND) {
			*error = problem;
			return false;
		}
	}
	*ret_state = *state;
	/* A reload that read the table a moment before has brought them back, perhaps. */
	return tell_forgotten(control, state, error) && provisioner_reload(settings, control, ret_state, error);
}
