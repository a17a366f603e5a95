/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inventory.h"

#include "base/clock.h"
#include "base/file.h"
#include "eth/deposit_file.h"

static const struct command_help help = {
	.usage = "ensign keys export-deposits [PUBKEY…] --out DIR [--dry-run] [--dir D] [--json]",
	.description =
		"Writes the deposits of keys as the launchpad takes them, deposit_data-TIME.json: of the keys that are named, or "
		"of all\n"
		"that have one. Each is checked as the launchpad checks it before anything is written. It holds nothing secret.\n"
		"\n"
		"  ensign keys export-deposits --out .",
};

struct export
{
	struct deposit *deposits; /* owned */
	size_t count;
};

static void export_done(struct export *export)
{
	free(export->deposits);
}

static bool add_deposit(struct export *export, const struct key_row *row, const struct network *network, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_DEPOSIT_FILE struct deposit_file file = {0};
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];

	if (!base64_decode(view_of_text(row->deposit_json_b64), &text))
		return error_set(error, ERROR_INPUT, "0x%s: deposit_json_b64: not base64", row->pubkey);
	if (!deposit_file_parse(buffer_view(&text), &file, error) || !deposit_file_check(&file, network, error))
		return error_prefix(error, "0x%s: deposit_json_b64", row->pubkey);
	if (file.count != 1 || !hex_decode(view_of_text(row->pubkey), public_key, sizeof public_key) ||
	    memcmp(file.deposits[0].data.message.pubkey, public_key, sizeof public_key) != 0)
		return error_set(error, ERROR_INPUT, "0x%s: deposit_json_b64: not one deposit of this key", row->pubkey);
	export->deposits[export->count++] = file.deposits[0];
	return true;
}

static bool collect(struct inventory *inventory, const char *const *words, size_t named, struct export *export, struct error *error)
{
	AUTO_FREE char(*pubkeys)[KEY_TABLE_PUBKEY_SIZE] = NULL;
	AUTO_KEY_ROWS struct key_rows rows = {0};
	size_t count;

	if (!inventory_list(inventory, false, &rows, error) || !inventory_parse_keys(&rows, words, named, &pubkeys, error))
		return false;
	count = named ? named : rows.count;
	export->deposits = memory_allocate_zeroed(count + 1, sizeof *export->deposits);
	for (size_t i = 0; i < count; i++) {
		const struct key_row *row = named ? key_rows_find(&rows, pubkeys[i]) : &rows.rows[i];

		if (!row->deposit_json_b64 && !named)
			continue;
		if (!row->deposit_json_b64)
			return error_set(error, ERROR_NOT_FOUND, "0x%s: has no deposit in the key table", row->pubkey);
		if (!add_deposit(export, row, &inventory->network, error))
			return false;
	}
	return export->count > 0 ||
	       error_set(error, ERROR_NOT_FOUND, "no key in the table has a deposit; those that ensign keys generate makes do");
}

static bool write_file(const struct export *export, const char *folder, bool dry_run, char **ret_path, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	*ret_path = memory_format("%s/deposit_data-%llu.json", folder, (unsigned long long)(clock_realtime_ms() / 1000));
	if (dry_run)
		return true;
	if (file_exists(*ret_path))
		return error_set(error, ERROR_INPUT, "%s: exists already", *ret_path);
	deposit_file_write(export->deposits, export->count, &text);
	return folder_make(folder, 0755, error) && file_write_atomic(*ret_path, buffer_view(&text), 0644, error);
}

static int run(const char *const *words, size_t named, const struct inventory_place *place, const char *out, bool dry_run,
	       bool as_json)
{
	CLEANUP(export_done) struct export export = {0};
	AUTO_INVENTORY struct inventory inventory = {0};
	AUTO_JSON json_t *object = NULL;
	AUTO_FREE char *path = NULL;
	struct error error = {0};

	if (!out) {
		(void)error_set(&error, ERROR_INPUT, "--out: missing");
		return command_fail(&error, "usage: %s", help.usage);
	}
	if (!inventory_open(place, &inventory, &error) || !collect(&inventory, words, named, &export, &error) ||
	    !write_file(&export, out, dry_run, &path, &error))
		return command_fail(&error, NULL);
	object = json_pack("{s:s, s:I, s:b}", "file", path, "deposits", (json_int_t) export.count, "dry_run", dry_run);
	if (as_json)
		command_print_json(object);
	else
		(void)printf("%s: %zu deposits%s\n", path, export.count, dry_run ? " would be written" : "");
	return EXIT_CODE_OK;
}

int keys_export_deposits_main(int argc, char **argv)
{
	static const char *words[INVENTORY_WORDS_MAX];
	struct inventory_place place = {0};
	const char *out = NULL;
	bool dry_run = false, as_json = false;
	const struct option options[] = {
		{"out", OPTION_TEXT, &out, "DIR", "folder for the file, which is made if missing"},
		{"dry-run", OPTION_FLAG, &dry_run, NULL, "check the deposits and write nothing"},
		INVENTORY_PLACE_OPTIONS(place, INVENTORY_ANY_STATE),
		INVENTORY_ROWS_OPTIONS(place),
		{"json", OPTION_FLAG, &as_json, NULL, "print {\"file\":\"…\",\"deposits\":N,\"dry_run\":false}"},
	};
	size_t count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, words, ARRAY_SIZE(words), &count, &done, &code);
	return done ? code : run(words, count, &place, out, dry_run, as_json);
}
