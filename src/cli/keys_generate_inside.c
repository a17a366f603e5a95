/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that the enclave makes. What it answers is checked before anything is written: it comes over the parent, who is not trusted. */
#include "cli/keys_generate.h"

#include "attestation/birth_statement.h"
#include "base/file.h"
#include "cli/attested.h"
#include "crypto/certificate_file.h"
#include "net/control_call.h"

/* Of one mnemonic; the enclave's limit. */
#define INSIDE_MAX 1000
#define CMS_FILE_MAX_SIZE 16384

struct births {
	struct buffer recovery_spki;
	struct buffer document;
	struct buffer mnemonic_cms; /* empty: it did not leave */
	uint8_t (*public_keys)[BLS_PUBLIC_KEY_SIZE];
	struct key_rows rows;
};

static void births_done(struct births *births)
{
	buffer_done(&births->recovery_spki);
	buffer_done(&births->document);
	buffer_done(&births->mnemonic_cms);
	free(births->public_keys);
	key_rows_done(&births->rows);
}

bool generate_inside_check(const struct generate_request *request, struct error *error)
{
	if (request->mnemonic_file || request->passphrase_file || request->first_index)
		return error_set(error, ERROR_INPUT,
				 "--inside: the enclave makes a mnemonic of its own; --mnemonic-file, --passphrase-file and "
				 "--first-index do not fit it");
	if ((request->mnemonic_out != NULL) != (request->recovery_key != NULL))
		return error_set(error, ERROR_INPUT, "--mnemonic-out and --recovery-key: with --inside give both or none");
	if (request->count > INSIDE_MAX)
		return error_set(error, ERROR_INPUT, "-n: with --inside at most %d at one time, each time of a new mnemonic",
				 INSIDE_MAX);
	if (inventory_place_is_fleet(&request->place) && !request->pcr0)
		return error_set(error, ERROR_INPUT, "--pcr0: missing; which image are a fleet's keys to be made by?");
	if (request->dry_run)
		return error_set(error, ERROR_INPUT, "--dry-run: keys that the enclave makes are made");
	if (request->mnemonic_out && file_exists(request->mnemonic_out))
		return error_set(error, ERROR_INPUT, "--mnemonic-out: %s exists", request->mnemonic_out);
	if (request->births_out && file_exists(request->births_out))
		return error_set(error, ERROR_INPUT, "--births-out: %s exists", request->births_out);
	return attested_option_check("--pcr0", request->pcr0, error);
}

static json_t *ask(const struct generate_request *request, struct inventory *inventory, const struct births *births,
		   struct error *error)
{
	AUTO_JSON json_t *members =
		json_pack("{s:s, s:I, s:s, s:b, s:I}", "operation", "generate", "count", (json_int_t)request->count,
			  "withdrawal_address", request->withdrawal_address, "compounding", request->is_compounding, "amount_gwei",
			  (json_int_t)request->amount_gwei);

	if (births->recovery_spki.size > 0)
		(void)json_object_set_new(members, "recovery_public_key_b64",
					  json_text_of_base64(buffer_view(&births->recovery_spki)));
	return inventory_ask_enclave(inventory, members, error);
}

/* ---- the answer ---- */

static bool read_row(const struct inventory *inventory, json_t *item, const char *data_key_b64, struct births *births,
		     struct error *error)
{
	struct key_row *row = &births->rows.rows[births->rows.count];
	const char *sealed_key_b64, *deposit_json_b64;

	if (!json_read_hex(item, "pubkey", births->public_keys[births->rows.count], BLS_PUBLIC_KEY_SIZE, error) ||
	    !json_read_text(item, "sealed_key_b64", &sealed_key_b64, error) ||
	    !json_read_text(item, "deposit_json_b64", &deposit_json_b64, error))
		return false;
	key_row_begin(inventory->web3signer_uuid, inventory->chain, births->public_keys[births->rows.count], row);
	row->sealed_key_b64 = memory_copy_text(sealed_key_b64);
	row->data_key_b64 = memory_copy_text(data_key_b64);
	row->deposit_json_b64 = memory_copy_text(deposit_json_b64);
	births->rows.count++;
	return true;
}

static bool read_answer(const struct generate_request *request, const struct inventory *inventory, json_t *body,
			struct births *births, struct error *error)
{
	const char *data_key_b64;
	json_t *list, *item;
	size_t index;

	if (!json_read_text(body, "data_key_b64", &data_key_b64, error) || !json_read_array(body, "rows", &list, error) ||
	    !json_read_base64(body, "attestation_document_b64", ATTESTATION_DOCUMENT_MAX_SIZE, &births->document, error) ||
	    (births->recovery_spki.size > 0 &&
	     !json_read_base64(body, "mnemonic_cms_b64", CMS_FILE_MAX_SIZE, &births->mnemonic_cms, error)))
		return false;
	if (json_array_size(list) != request->count)
		return error_set(error, ERROR_PEER, "rows: %zu keys instead of %zu", json_array_size(list), (size_t)request->count);
	births->rows.rows = memory_allocate_zeroed((size_t)request->count, sizeof *births->rows.rows);
	births->public_keys = memory_allocate_zeroed((size_t)request->count, sizeof *births->public_keys);
	json_array_foreach(list, index, item)
	{
		if (!read_row(inventory, item, data_key_b64, births, error))
			return false;
	}
	return true;
}

/* By the very image that this signer's keys are pinned to, or that the request names. */
static bool check_attested(const struct generate_request *request, struct inventory *inventory, const struct key_birth_plan *plan,
			   const struct births *births, struct error *error)
{
	AUTO_X509 X509 *root = inventory_attestation_root(inventory, request->root, error);
	struct birth_statement statement = {
		.public_keys = (const uint8_t(*)[BLS_PUBLIC_KEY_SIZE])births->public_keys,
		.count = births->rows.count,
		.recovery_spki = buffer_view(&births->recovery_spki),
	};
	struct attestation_document document;

	memcpy(statement.withdrawal_credentials, plan->withdrawal_credentials, sizeof statement.withdrawal_credentials);
	if (!root)
		return error_prefix(error, "attestation of the new keys");
	return (birth_statement_verify(&statement, buffer_view(&births->document), root, &document, error) &&
		attestation_check_pcr(&document, 0, request->pcr0 ? request->pcr0 : inventory->settings.pcr0, error)) ||
	       error_prefix(error, "attestation of the new keys") || attested_refuse(error);
}

/* ---- files ---- */

static bool write_births(const struct generate_request *request, const struct key_birth_plan *plan, const struct births *births,
			 struct error *error)
{
	AUTO_JSON json_t *object = json_object();
	AUTO_BUFFER struct buffer text = {0};
	json_t *keys = json_array();
	char credentials[2 * ROOT_SIZE + 1];

	if (!request->births_out)
		return true;
	for (size_t i = 0; i < births->rows.count; i++)
		(void)json_array_append_new(keys, json_sprintf("0x%s", births->rows.rows[i].pubkey));
	hex_encode(view_of(plan->withdrawal_credentials, ROOT_SIZE), credentials);
	(void)json_object_set_new(object, "public_keys", keys);
	(void)json_object_set_new(object, "withdrawal_credentials", json_sprintf("0x%s", credentials));
	if (births->recovery_spki.size > 0)
		(void)json_object_set_new(object, "recovery_public_key_b64",
					  json_text_of_base64(buffer_view(&births->recovery_spki)));
	(void)json_object_set_new(object, "attestation_document_b64", json_text_of_base64(buffer_view(&births->document)));
	json_write(object, &text);
	buffer_append_byte(&text, '\n');
	return file_write_atomic(request->births_out, buffer_view(&text), 0644, error) || error_prefix(error, "--births-out");
}

/* The mnemonic before any key. */
static bool write_all(const struct generate_request *request, struct inventory *inventory, const struct key_birth_plan *plan,
		      const struct births *births, struct error *error)
{
	if (request->mnemonic_out && !file_write_atomic(request->mnemonic_out, buffer_view(&births->mnemonic_cms), 0400, error))
		return error_prefix(error, "--mnemonic-out");
	return write_births(request, plan, births, error) && inventory_note_fresh(inventory, &births->rows, error) &&
	       key_table_put(inventory->table, births->rows.rows, births->rows.count, false, error);
}

bool generate_inside(const struct generate_request *request, struct inventory *inventory, const struct key_birth_plan *plan,
		     struct generate_outcome *outcome, struct error *error)
{
	CLEANUP(births_done) struct births births = {0};
	AUTO_JSON json_t *body = NULL;

	if (request->recovery_key && !public_key_file_read(request->recovery_key, &births.recovery_spki, error))
		return error_prefix(error, "--recovery-key");
	body = ask(request, inventory, &births, error);
	if (!body)
		return false;
	if (!read_answer(request, inventory, body, &births, error))
		return control_answer_malformed(error);
	if (!check_attested(request, inventory, plan, &births, error) || !write_all(request, inventory, plan, &births, error))
		return false;
	for (size_t i = 0; i < births.rows.count; i++)
		(void)json_array_append_new(outcome->made, json_sprintf("0x%s", births.rows.rows[i].pubkey));
	return true;
}
