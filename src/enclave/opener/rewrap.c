/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the key table sealed anew: with a data key that KMS made for this enclave alone. Whoever asks cannot choose the data key, for
 * he could know it, and would be given every key there is. What the rows were sealed with may be any KMS key that lets this enclave
 * decrypt, so that is how keys move from one KMS key to the next.
 */
#include "enclave/opener/opener.h"
#include "tables/sealed_key.h"

/* What an answer may have: some 250 bytes a row. */
#define REWRAP_ROWS_MAX 10000

struct rewrapping {
	struct opening *opening;
	struct view data_key;
	json_t *rows;
	json_t *failed;
};

static void rewrapping_done(struct rewrapping *rewrapping)
{
	json_decref(rewrapping->rows);
	json_decref(rewrapping->failed);
}

/*
 * What is wrong with a row is told by its name, and does not stop the others; KMS being away does. That KMS denies it is the row's own
 * affair here, other than in a load: the next one may be of another KMS key.
 */
static bool settle_row(void *context, struct row_opening *opened, struct error *error)
{
	struct rewrapping *rewrapping = (struct rewrapping *)context;
	struct error *problem = &opened->error;
	json_t *sealed = NULL;

	if (problem->code == ERROR_NONE)
		sealed = opening_seal_row(rewrapping->opening, rewrapping->data_key, opened->row.public_key, &opened->secret_key,
					  problem);
	if (sealed)
		return json_array_append_new(rewrapping->rows, sealed) == 0;
	if (problem->code == ERROR_PEER || problem->code == ERROR_IO || problem->code == ERROR_BUG) {
		*error = *problem;
		return error_prefix(error, "encrypted_validator_keys[%zu]", opened->number);
	}
	(void)json_array_append_new(rewrapping->failed, json_pack("{s:o, s:o}", "pubkey", json_text_of_any(opened->row.pubkey),
								  "message", json_text_of_any(problem->message)));
	return true;
}

static bool rewrap_rows(struct rewrapping *rewrapping, json_t *rows, struct error *error)
{
	struct opening *opening = rewrapping->opening;
	json_t *members;
	size_t index;

	json_array_foreach(rows, index, members)
	{
		AUTO_ROW_OPENING struct row_opening row = {.number = index};

		if (!json_is_object(members))
			return error_set(error, ERROR_INPUT, "encrypted_validator_keys[%zu]: not an object", index);
		if (opening_read_row(opening, members, &row.row, &row.error))
			row.error = (struct error){0};
		if (!opening_open_row(opening, &row, settle_row, rewrapping, error))
			return false;
	}
	return opening_finish_rows(opening, settle_row, rewrapping, error);
}

bool opener_rewrap(struct opener *opener, json_t *request, struct buffer *ret_body, struct error *error)
{
	CLEANUP(opening_done) struct opening opening = {0};
	CLEANUP(rewrapping_done) struct rewrapping rewrapping = {.opening = &opening, .rows = json_array(), .failed = json_array()};
	AUTO_BUFFER struct buffer wrapped_b64 = {0};
	AUTO_SECRET struct secret data_key = {0};
	AUTO_JSON json_t *body = NULL;
	json_t *rows;

	if (!opening_init(&opening, opener, request, error) || !json_read_array(request, "encrypted_validator_keys", &rows, error))
		return false;
	if (json_array_size(rows) > REWRAP_ROWS_MAX)
		return error_set(error, ERROR_INPUT, "encrypted_validator_keys: %zu rows, at most %d are taken at one time",
				 json_array_size(rows), REWRAP_ROWS_MAX);
	if (!opening_new_data_key(&opening, &data_key, &wrapped_b64, error))
		return false;
	opening.takes_any_kms_key = true;
	rewrapping.data_key = secret_view(&data_key);
	if (!rewrap_rows(&rewrapping, rows, error))
		return false;
	body = json_pack("{s:s, s:s, s:O, s:O}", "chain", opener->configuration.network.name, "data_key_b64",
			 buffer_text(&wrapped_b64), "rows", rewrapping.rows, "failed", rewrapping.failed);
	json_write(body, ret_body);
	return true;
}
