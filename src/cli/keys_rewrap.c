/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inventory.h"

#include "cli/progress.h"
#include "net/control_call.h"

static const struct command_help help = {
	.usage = "ensign keys rewrap [PUBKEY…] [--dry-run] [--dir D] [--json]",
	.description =
		"Has the enclave seal keys anew, with a data key that KMS makes for it alone, under the KMS key of its measured\n"
		"configuration. Of the keys that are named, or of all. So rows that the sample solution's loader filled become "
		"sealed rows\n"
		"without keystore, password and mnemonic, many data keys become one, and keys move to another KMS key: the old one "
		"has to\n"
		"let the new enclave decrypt until it is done. The signer has to run. Nothing else of a row changes; a run that "
		"was "
		"stopped\n"
		"can be started again. A row that does not open, or that somebody changes meanwhile, stays as it is, is named, "
		"and\n"
		"the exit code is 1.\n"
		"\n"
		"  ensign keys rewrap --dry-run",
};

/* Rows in one request: what the enclave opens in a moment, and what takes it half a second each. */
#define SEALED_CHUNK 5000
#define KEYSTORE_CHUNK 32
struct outcome {
	size_t rewrapped;
	json_t *failed; /* [{"public_key","message"}] */
};

static void outcome_done(struct outcome *outcome)
{
	json_decref(outcome->failed);
}

static bool is_keystore(const struct key_row *row)
{
	return row->encrypted_key_password_mnemonic_b64 != NULL;
}

static json_t *json_of(const struct key_row *row)
{
	json_t *object = json_pack("{s:s, s:s}", "pubkey", row->pubkey, "chain", row->chain);

	if (is_keystore(row)) {
		(void)json_object_set_new(object, "encrypted_key_password_mnemonic_b64",
					  json_string(row->encrypted_key_password_mnemonic_b64));
		return object;
	}
	(void)json_object_set_new(object, "sealed_key_b64", json_string(row->sealed_key_b64));
	(void)json_object_set_new(object, "data_key_b64", json_string(row->data_key_b64));
	return object;
}

static json_t *call(struct inventory *inventory, const struct key_row *const *rows, size_t count, struct error *error)
{
	AUTO_JSON json_t *request = json_pack("{s:s}", "operation", "rewrap");
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(list, json_of(rows[i]));
	(void)json_object_set_new(request, "encrypted_validator_keys", list);
	return inventory_ask_enclave(inventory, request, error);
}

static const struct key_row *find_asked(const struct key_row *const *rows, size_t count, const char *pubkey)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i]->pubkey, pubkey) == 0)
			return rows[i];
	}
	return NULL;
}

/* The answer's rows, each of which was asked for; texts are the body's. *ret_count of them, there is room for `count`. */
static bool read_rows(json_t *body, const struct key_row *const *asked, size_t count, struct key_reseal *reseals, size_t *ret_count,
		      struct error *error)
{
	const char *data_key_b64, *pubkey, *sealed_key_b64;
	json_t *list, *item;
	size_t index;

	if (!json_read_text(body, "data_key_b64", &data_key_b64, error) || !json_read_array(body, "rows", &list, error))
		return false;
	if (json_array_size(list) > count)
		return error_set(error, ERROR_PEER, "rows: more than were asked for");
	*ret_count = json_array_size(list);
	json_array_foreach(list, index, item)
	{
		const struct key_row *before;

		if (!json_read_text(item, "pubkey", &pubkey, error) ||
		    !json_read_text(item, "sealed_key_b64", &sealed_key_b64, error))
			return false;
		before = find_asked(asked, count, pubkey);
		if (!before)
			return error_set(error, ERROR_PEER, "rows: one that was not asked for");
		reseals[index] = (struct key_reseal){before, sealed_key_b64, data_key_b64, false};
	}
	return true;
}

static void note_failure(struct outcome *outcome, const char *pubkey, const char *message)
{
	(void)json_array_append_new(outcome->failed,
				    json_pack("{s:o, s:s}", "public_key", json_sprintf("0x%s", pubkey), "message", message));
}

static bool note_failures(json_t *body, struct outcome *outcome, struct error *error)
{
	const char *pubkey, *message;
	json_t *list, *item;
	size_t index;

	if (!json_read_array(body, "failed", &list, error))
		return false;
	json_array_foreach(list, index, item)
	{
		if (!json_read_text(item, "pubkey", &pubkey, error) || !json_read_text(item, "message", &message, error))
			return false;
		note_failure(outcome, pubkey, message);
	}
	return true;
}

static bool rewrap_chunk(struct inventory *inventory, const struct key_row *const *rows, size_t count, struct outcome *outcome,
			 struct error *error)
{
	AUTO_FREE struct key_reseal *reseals = memory_allocate_zeroed(count, sizeof *reseals);
	AUTO_JSON json_t *body = call(inventory, rows, count, error);
	size_t resealed = 0;
	bool ok;

	if (!body)
		return false;
	if (!read_rows(body, rows, count, reseals, &resealed, error) || !note_failures(body, outcome, error))
		return control_answer_malformed(error);
	ok = key_table_reseal(inventory->table, reseals, resealed, error);
	for (size_t i = 0; i < resealed; i++) {
		outcome->rewrapped += reseals[i].is_done;
		if (ok && !reseals[i].is_done)
			note_failure(outcome, reseals[i].before->pubkey, "the row changed meanwhile, and stays as it is now");
	}
	return ok;
}

static bool rewrap_all(struct inventory *inventory, const struct key_row *const *rows, size_t count, size_t chunk_max, size_t total,
		       struct outcome *outcome, struct error *error)
{
	for (size_t done = 0; done < count; done += chunk_max) {
		size_t size = count - done < chunk_max ? count - done : chunk_max;

		if (!rewrap_chunk(inventory, rows + done, size, outcome, error))
			return false;
		progress_show("rewrapping keys", outcome->rewrapped + json_array_size(outcome->failed), total);
	}
	return true;
}

/* Those that are named, or all: keystores first, then the others. */
static size_t choose(const struct key_rows *rows, char (*pubkeys)[KEY_TABLE_PUBKEY_SIZE], size_t named,
		     const struct key_row **ret_rows, size_t *ret_keystores)
{
	size_t count = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < (named ? named : rows->count); i++) {
			const struct key_row *row = named ? key_rows_find(rows, pubkeys[i]) : &rows->rows[i];

			if (is_keystore(row) == (pass == 0))
				ret_rows[count++] = row;
		}
		if (pass == 0)
			*ret_keystores = count;
	}
	return count;
}

static void print(const struct outcome *outcome, size_t count, bool dry_run, bool as_json)
{
	AUTO_JSON json_t *object = NULL;
	json_t *item;
	size_t index;

	if (as_json) {
		object = json_pack("{s:I, s:O, s:b}", "rewrapped", (json_int_t)(dry_run ? count : outcome->rewrapped), "failed",
				   outcome->failed, "dry_run", dry_run);
		command_print_json(object);
		return;
	}
	(void)printf("%zu keys %s\n", dry_run ? count : outcome->rewrapped, dry_run ? "would be rewrapped" : "rewrapped");
	json_array_foreach(outcome->failed, index, item)
	{
		command_print_escaped(stderr, json_string_value(json_object_get(item, "public_key")));
		(void)fprintf(stderr, ": ");
		command_print_escaped(stderr, json_string_value(json_object_get(item, "message")));
		(void)fprintf(stderr, "\n");
	}
}

static int run(const char *const *words, size_t named, const struct inventory_place *place, bool dry_run, bool as_json)
{
	CLEANUP(outcome_done) struct outcome outcome = {.failed = json_array()};
	AUTO_FREE char(*pubkeys)[KEY_TABLE_PUBKEY_SIZE] = NULL;
	AUTO_FREE const struct key_row **chosen = NULL;
	AUTO_INVENTORY struct inventory inventory = {0};
	AUTO_KEY_ROWS struct key_rows rows = {0};
	struct error error = {0};
	size_t count, keystores;

	if (!inventory_open(place, &inventory, &error) || !inventory_list(&inventory, false, &rows, &error) ||
	    !inventory_parse_keys(&rows, words, named, &pubkeys, &error))
		return command_fail(&error, NULL);
	chosen = memory_allocate_zeroed((named ? named : rows.count) + 1, sizeof(void *));
	count = choose(&rows, pubkeys, named, chosen, &keystores);
	if (!dry_run && (!rewrap_all(&inventory, chosen, keystores, KEYSTORE_CHUNK, count, &outcome, &error) ||
			 !rewrap_all(&inventory, chosen + keystores, count - keystores, SEALED_CHUNK, count, &outcome, &error)))
		return command_fail(&error,
				    outcome.rewrapped ? "%zu keys were rewrapped before that; starting it again is safe." : NULL,
				    outcome.rewrapped);
	print(&outcome, count, dry_run, as_json);
	return json_array_size(outcome.failed) > 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

int keys_rewrap_main(int argc, char **argv)
{
	static const char *words[INVENTORY_WORDS_MAX];
	struct inventory_place place = {0};
	bool dry_run = false, as_json = false;
	const struct option options[] = {
		{"dry-run", OPTION_FLAG, &dry_run, NULL, "change nothing, say how many keys would be rewrapped"},
		INVENTORY_PLACE_OPTIONS(place, INVENTORY_RUNNING),
		INVENTORY_ROWS_OPTIONS(place),
		INVENTORY_ENCLAVE_OPTION(place),
		{"json", OPTION_FLAG, &as_json, NULL,
		 "print {\"rewrapped\":N,\"failed\":[{\"public_key\",\"message\"}],\"dry_run\":false}"},
	};
	size_t count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, words, ARRAY_SIZE(words), &count, &done, &code);
	return done ? code : run(words, count, &place, dry_run, as_json);
}
