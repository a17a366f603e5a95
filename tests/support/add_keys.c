/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills the key table of an `ensign local` signer whose simulator runs: new keys, sealed under one new data key of its KMS key as
 * `ensign local up` seals them, but without keystores, which take scrypt's time each. Prints the public keys, one a line. A signer
 * that is up has them after `ensign local reload`.
 *
 * usage: add-keys DIR COUNT
 */
#include "cli/local_setup.h"

/* All rows of `from`, which is left empty, behind those of `to`, which has room for them. */
static void move_rows(struct key_rows *to, struct key_rows *from)
{
	memcpy(to->rows + to->count, from->rows, from->count * sizeof *from->rows);
	to->count += from->count;
	free(from->rows);
	*from = (struct key_rows){0};
}

static bool make_keys(const struct key_seal *seal, size_t count, struct key_rows *ret_rows, struct error *error)
{
	ret_rows->rows = (struct key_row *)memory_allocate_zeroed(count, sizeof *ret_rows->rows);
	for (size_t i = 0; i < count; i++) {
		struct key_rows one = {0};

		if (!key_import_new(seal, &one, error))
			return false;
		move_rows(ret_rows, &one);
	}
	return true;
}

static bool add_keys(const char *path, size_t count, struct error *error)
{
	AUTO_LOCAL_FOLDER struct local_folder folder = {0};
	AUTO_LOCAL_ENDPOINTS struct local_endpoints endpoints = {0};
	AUTO_LOCAL_KMS struct local_kms kms = {0};
	AUTO_KEY_TABLE struct key_table *table = NULL;
	AUTO_BUFFER struct buffer wrapped_b64 = {0};
	AUTO_SECRET struct secret data_key = {0};
	AUTO_KEY_ROWS struct key_rows rows = {0};
	struct local_settings settings;
	const struct local_setup setup = {.folder = &folder, .endpoints = &endpoints, .kms = &kms, .settings = &settings};
	struct key_seal seal = {.web3signer_uuid = LOCAL_UUID, .chain = settings.network.name};

	if (!local_folder_init(path, &folder, error) || !local_settings_read(folder.settings, &settings, error) ||
	    !local_endpoints_read(folder.endpoints, &endpoints, error) || !local_kms_init(&kms, &endpoints, error) ||
	    !local_setup_data_key(&setup, &data_key, &wrapped_b64, error))
		return false;
	seal.data_key = secret_view(&data_key);
	seal.data_key_b64 = buffer_text(&wrapped_b64);
	table = key_table_open_sqlite(folder.tables, error);
	if (!table || !make_keys(&seal, count, &rows, error) || !key_table_put(table, rows.rows, rows.count, false, error))
		return false;
	for (size_t i = 0; i < rows.count; i++)
		(void)printf("0x%s\n", rows.rows[i].pubkey);
	return true;
}

int main(int argc, char **argv)
{
	struct error error = {0};
	uint64_t count = 0;

	if (argc != 3 || !u64_parse(view_of_text(argv[2]), &count) || count == 0 || count > KEY_TABLE_ROWS_MAX) {
		(void)fprintf(stderr, "usage: add-keys DIR COUNT\n");
		return 2;
	}
	if (secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) && add_keys(argv[1], count, &error))
		return 0;
	(void)fprintf(stderr, "add-keys: %s\n", error.message);
	return 1;
}
