/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills the key table of an `ensign local` signer whose simulator runs as the sample solution's loader fills it: a row a keystore, with
 * KMS's ciphertext of keystore, password and mnemonic together.
 *
 * usage: add-sample-rows DIR KEYSTORES PASSWORD_FILE
 */
#include "base/file.h"
#include "cli/local_setup.h"

struct sample {
	struct local_folder folder;
	struct local_settings settings;
	struct local_endpoints endpoints;
	struct local_kms kms;
	struct key_table *table;
};

static bool fill_row(struct sample *sample, const char *path, struct view password, struct key_row *ret_row, struct error *error)
{
	AUTO_BUFFER struct buffer keystore = {0};
	AUTO_BUFFER struct buffer plaintext = {0};
	AUTO_BUFFER struct buffer ciphertext = {0};
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *object = NULL;
	AUTO_JSON json_t *secret = NULL;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];

	if (!file_read(path, KEYSTORE_MAX_SIZE, &keystore, error))
		return false;
	object = json_parse_object(buffer_view(&keystore), path, error);
	if (!object || !json_read_hex(object, "pubkey", public_key, sizeof public_key, error))
		return false;
	secret = json_pack("{s:o, s:o, s:o}", "keystore_b64", json_text_of_base64(buffer_view(&keystore)), "password_b64",
			   json_text_of_base64(password), "mnemonic_b64", json_text_of_base64(view_of_text("test test test")));
	json_write(secret, &plaintext);
	if (!kms_encrypt(&sample->kms.kms, sample->settings.kms_key_arn, (struct kms_context){0}, buffer_view(&plaintext),
			 &ciphertext, error))
		return false;
	base64_encode(buffer_view(&ciphertext), &text);
	*ret_row = (struct key_row){.web3signer_uuid = LOCAL_UUID, .active = true};
	hex_encode(view_of(public_key, sizeof public_key), ret_row->pubkey);
	(void)snprintf(ret_row->chain, sizeof ret_row->chain, "%s", sample->settings.network.name);
	ret_row->encrypted_key_password_mnemonic_b64 = memory_copy_text(buffer_text(&text));
	ret_row->deposit_json_b64 = memory_copy_text("W10=");
	return true;
}

static bool add(struct sample *sample, const char *dir, const char *keystores, const char *password_file, struct error *error)
{
	AUTO_KEY_PATHS struct key_paths paths = {0};
	AUTO_SECRET struct secret password = {0};

	if (!local_folder_init(dir, &sample->folder, error) ||
	    !local_settings_read(sample->folder.settings, &sample->settings, error) ||
	    !local_endpoints_read(sample->folder.endpoints, &sample->endpoints, error) ||
	    !local_kms_init(&sample->kms, &sample->endpoints, error) || !key_paths_list(keystores, &paths, error) ||
	    !password_file_read(password_file, &password, error))
		return false;
	sample->table = key_table_open_sqlite(sample->folder.tables, error);
	if (!sample->table)
		return false;
	for (size_t i = 0; i < paths.count; i++) {
		AUTO_KEY_ROW struct key_row row = {0};

		if (!fill_row(sample, paths.paths[i], secret_view(&password), &row, error) ||
		    !key_table_put(sample->table, &row, 1, false, error))
			return false;
		(void)printf("0x%s\n", row.pubkey);
	}
	return true;
}

int main(int argc, char **argv)
{
	struct sample sample = {0};
	struct error error = {0};
	bool ok;

	if (argc != 4) {
		(void)fprintf(stderr, "usage: add-sample-rows DIR KEYSTORES PASSWORD_FILE\n");
		return 2;
	}
	ok = secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) && add(&sample, argv[1], argv[2], argv[3], &error);
	if (!ok)
		(void)fprintf(stderr, "add-sample-rows: %s\n", error.message);
	key_table_free(sample.table);
	local_kms_done(&sample.kms);
	local_endpoints_done(&sample.endpoints);
	local_folder_done(&sample.folder);
	return ok ? 0 : 1;
}
