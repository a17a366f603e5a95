/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inventory.h"

#include "cli/progress.h"

static const struct command_help help = {
	.usage = "ensign keys import DIR (--passwords DIR | --password-file F) [--fresh] [--dry-run] [--dir D] [--json]",
	.description = "Decrypts the EIP-2335 keystores of a folder here, seals each key with a data key of the signer's KMS key, "
		       "and puts it\n"
		       "into the key table; a signer that runs takes them up at once. Keys that the table has already are passed "
		       "over, so\n"
		       "an import that was stopped goes on where it was when it is started again.\n"
		       "\n"
		       "What a key signed elsewhere has to come with it, or it signs nothing slashable: `ensign slashing import "
		       "FILE` before\n"
		       "this. --fresh says of all new ones that they never signed anything.\n"
		       "\n"
		       "  ensign keys import validator_keys --password-file password.txt --dry-run",
};

/* Put into the table together: an import that is stopped loses the work on so many keystores at most. */
#define CHUNK_MAX 64

struct request {
	struct key_source source;
	struct inventory_place place;
	bool fresh;
	bool dry_run;
	bool as_json;
};

struct outcome {
	size_t added;
	size_t present;
};

/* Of all chunks. */
struct chunks {
	size_t done; /* keystores of earlier chunks */
	size_t total;
};

static void show_progress(void *context, size_t done, size_t count)
{
	const struct chunks *chunks = context;

	(void)count;
	progress_show("decrypting keystores", chunks->done + done, chunks->total);
}

/* A keystore that does not name its key is opened to see. */
static bool is_present(const char *path, const struct key_rows *present, bool *ret_is, struct error *error)
{
	char pubkey[KEY_TABLE_PUBKEY_SIZE];
	bool has_pubkey;

	if (!keystore_file_read_pubkey(path, pubkey, &has_pubkey, error))
		return false;
	*ret_is = has_pubkey && key_rows_find(present, pubkey);
	return true;
}

/* Leaves at the front of `paths` those whose keys are not in the table. */
static bool drop_present(struct key_paths *paths, const struct key_rows *present, struct outcome *outcome, size_t *ret_wanted,
			 struct error *error)
{
	*ret_wanted = 0;
	for (size_t i = 0; i < paths->count; i++) {
		char *path = paths->paths[i];
		bool is;

		if (!is_present(path, present, &is, error))
			return false;
		outcome->present += is;
		if (is)
			continue;
		paths->paths[i] = paths->paths[*ret_wanted];
		paths->paths[(*ret_wanted)++] = path;
	}
	return true;
}

static bool put_chunk(const struct request *request, struct inventory *inventory, const struct key_rows *rows, struct error *error)
{
	if (request->fresh && !inventory_note_fresh(inventory, rows, error))
		return false;
	return key_table_put(inventory->table, rows->rows, rows->count, false, error);
}

/* One data key for all of them: one call of KMS when they are loaded. */
static bool import_all(const struct request *request, struct inventory *inventory, const struct key_paths *paths, size_t count,
		       struct outcome *outcome, struct error *error)
{
	AUTO_BUFFER struct buffer wrapped_b64 = {0};
	AUTO_SECRET struct secret data_key = {0};
	struct key_seal seal = {.web3signer_uuid = inventory->web3signer_uuid, .chain = inventory->chain};
	struct chunks chunks = {.total = count};
	const struct key_import_progress progress = {show_progress, &chunks};

	if (!inventory_new_data_key(inventory, &data_key, &wrapped_b64, error))
		return false;
	seal.data_key = secret_view(&data_key);
	seal.data_key_b64 = buffer_text(&wrapped_b64);
	for (; chunks.done < count; chunks.done += CHUNK_MAX) {
		size_t left = count - chunks.done;
		const struct key_paths chunk = {paths->paths + chunks.done, left < CHUNK_MAX ? left : CHUNK_MAX};
		AUTO_KEY_ROWS struct key_rows rows = {0};

		if (!key_import_paths(&request->source, &chunk, &seal, &progress, &rows, error)) {
			error->code = ERROR_INPUT; /* whatever is wrong with a keystore or its password, it is what the user gave */
			return false;
		}
		if (!put_chunk(request, inventory, &rows, error))
			return false;
		outcome->added += rows.count;
	}
	return true;
}

static bool run(const struct request *request, struct outcome *outcome, struct error *error)
{
	AUTO_INVENTORY struct inventory inventory = {0};
	AUTO_KEY_PATHS struct key_paths paths = {0};
	AUTO_KEY_ROWS struct key_rows present = {0};
	size_t wanted;
	bool told;

	if (!inventory_open(&request->place, &inventory, error) || !inventory_list(&inventory, false, &present, error) ||
	    !key_paths_list(request->source.keystores, &paths, error) || !drop_present(&paths, &present, outcome, &wanted, error))
		return false;
	if (request->dry_run) {
		outcome->added = wanted;
		return true;
	}
	/* The signer is told in any case: the import that put them there may have been stopped before it could. */
	if ((wanted > 0 && !import_all(request, &inventory, &paths, wanted, outcome, error)) ||
	    !inventory_tell_signer(&inventory, &told, error))
		return false;
	return !told || !request->fresh || inventory_settle_fresh(&inventory, error);
}

static void print(const struct request *request, const struct outcome *outcome)
{
	if (request->as_json) {
		(void)printf("{\"added\":%zu,\"already_present\":%zu,\"dry_run\":%s}\n", outcome->added, outcome->present,
			     request->dry_run ? "true" : "false");
		return;
	}
	(void)printf("%zu keys %s, %zu were there already\n", outcome->added, request->dry_run ? "would be imported" : "imported",
		     outcome->present);
	if (outcome->added > 0 && !request->fresh && !request->dry_run)
		(void)printf(
			"Without a slashing protection history they sign nothing slashable: ensign slashing import FILE, or, if "
			"they never\nsigned anything: ensign slashing fresh KEY…\n");
}

static bool check(const struct request *request, size_t count, struct error *error)
{
	if (count == 0)
		return error_set(error, ERROR_INPUT, "DIR: missing");
	if ((request->source.passwords != NULL) == (request->source.password_file != NULL))
		return error_set(error, ERROR_INPUT, "--passwords DIR or --password-file F: give one of them");
	if (request->fresh && inventory_place_is_fleet(&request->place))
		return error_set(error, ERROR_INPUT,
				 "--fresh: a fleet's histories are in a table too: ensign slashing fresh KEY… --outputs F");
	return true;
}

int keys_import_main(int argc, char **argv)
{
	struct request request = {0};
	const struct option options[] = {
		{"passwords", OPTION_TEXT, &request.source.passwords, "DIR", "folder; X.txt is for X.json"},
		{"password-file", OPTION_TEXT, &request.source.password_file, "F", "one password for all"},
		{"fresh", OPTION_FLAG, &request.fresh, NULL, "the keys never signed anything, anywhere"},
		{"dry-run", OPTION_FLAG, &request.dry_run, NULL, "change nothing, say how many keys would be imported"},
		INVENTORY_PLACE_OPTIONS(request.place, INVENTORY_RUNNING),
		INVENTORY_ROWS_OPTIONS(request.place),
		INVENTORY_SEAL_OPTIONS(request.place),
		INVENTORY_FLEET_OPTION(request.place),
		{"json", OPTION_FLAG, &request.as_json, NULL, "print {\"added\":N,\"already_present\":N,\"dry_run\":false}"},
	};
	struct outcome outcome = {0};
	struct error error = {0};
	size_t count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, &request.source.keystores, 1, &count, &done, &code);
	if (done)
		return code;
	if (!check(&request, count, &error))
		return command_fail(&error, "usage: %s", help.usage);
	if (!run(&request, &outcome, &error))
		return command_fail(&error,
				    outcome.added ? "%zu keys were imported; starting it again goes on with the others." : NULL,
				    outcome.added);
	print(&request, &outcome);
	return EXIT_CODE_OK;
}
