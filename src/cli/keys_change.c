/* SPDX-License-Identifier: Apache-2.0 */
/* `ensign keys activate`, `deactivate`, `assign` and `remove`: the same on each of some rows. */
#include "cli/inventory.h"

struct change {
	struct command_help help;
	const char *past; /* "deactivated" */
	/* Whether the row has to be changed; false with an error: it must not be. */
	bool (*wants)(const struct key_row *row, struct error *error);
	bool (*apply)(struct inventory *inventory, const struct key_row *row, const char *to, struct error *error);
	bool has_target; /* --to UUID */
};

static bool wants_activation(const struct key_row *row, struct error *error)
{
	(void)error;
	return !row->active;
}

static bool activate(struct inventory *inventory, const struct key_row *row, const char *to, struct error *error)
{
	(void)to;
	return key_table_set_active(inventory->table, row->web3signer_uuid, row->pubkey, true, error);
}

static bool wants_deactivation(const struct key_row *row, struct error *error)
{
	(void)error;
	return row->active;
}

static bool deactivate(struct inventory *inventory, const struct key_row *row, const char *to, struct error *error)
{
	(void)to;
	return key_table_set_active(inventory->table, row->web3signer_uuid, row->pubkey, false, error);
}

/* Of a key that was born in the enclave its row is all that there is, so it takes two steps to lose it. */
static bool wants_removal(const struct key_row *row, struct error *error)
{
	return !row->active || error_set(error, ERROR_IO, "0x%s: is active; ensign keys deactivate comes first", row->pubkey);
}

static bool remove_row(struct inventory *inventory, const struct key_row *row, const char *to, struct error *error)
{
	(void)to;
	return key_table_delete(inventory->table, row->web3signer_uuid, row->pubkey, error);
}

static bool wants_assignment(const struct key_row *row, struct error *error)
{
	(void)row;
	(void)error;
	return true;
}

static bool assign(struct inventory *inventory, const struct key_row *row, const char *to, struct error *error)
{
	return key_table_assign(inventory->table, row->web3signer_uuid, row->pubkey, to, error);
}

static const struct change activation = {
	{"ensign keys activate PUBKEY… [--dry-run] [--dir D] [--json]",
	 "Has keys signed with that were deactivated. A running signer takes them up at once. What they signed before is "
	 "remembered.\n"
	 "\n"
	 "  ensign keys activate 0x93247f…"},
	"activated",
	wants_activation,
	activate,
	false,
};

static const struct change deactivation = {
	{"ensign keys deactivate PUBKEY… [--dry-run] [--dir D] [--json]",
	 "Has keys not signed with any more, and keeps their rows. A running signer stops at once. The slashing protection history "
	 "stays.\n"
	 "\n"
	 "  ensign keys deactivate 0x93247f…"},
	"deactivated",
	wants_deactivation,
	deactivate,
	false,
};

static const struct change assignment = {
	.help = {"ensign keys assign PUBKEY… --to UUID [--uuid UUID] [--dry-run] [--dir D] [--json]",
		 "Gives keys to another signer of the same table, in one step each: a row is always one signer's. A signer that "
		 "runs and loses\n"
		 "them stops signing with them at once; who gets them has to know what they signed (a table of histories that both "
		 "share,\n"
		 "or `ensign slashing export` here and `import` there).\n"
		 "\n"
		 "  ensign keys assign 0x93247f… --to 6b1f4e2a-0c57-4f0e-9d3c-2f4d1b6a7c10"},
	.past = "assigned",
	.wants = wants_assignment,
	.apply = assign,
	.has_target = true,
};

static const struct change removal = {
	{"ensign keys remove PUBKEY… [--dry-run] [--dir D] [--json]",
	 "Removes the rows of keys that are not active. Without a mnemonic or a keystore elsewhere a key is lost with its row. "
	 "The\n"
	 "slashing protection history stays.\n"
	 "\n"
	 "  ensign keys deactivate 0x93247f… && ensign keys remove 0x93247f…"},
	"removed",
	wants_removal,
	remove_row,
	false,
};

/* All are looked at before the first is changed. */
static bool plan(const struct change *change, const struct key_rows *rows, char (*pubkeys)[KEY_TABLE_PUBKEY_SIZE], size_t count,
		 const struct key_row **ret_wanted, size_t *ret_wanted_count, struct error *error)
{
	*ret_wanted_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct key_row *row = key_rows_find(rows, pubkeys[i]);

		error->code = ERROR_NONE;
		if (change->wants(row, error))
			ret_wanted[(*ret_wanted_count)++] = row;
		else if (error->code != ERROR_NONE)
			return false;
	}
	return true;
}

static bool apply(const struct change *change, struct inventory *inventory, const struct key_row *const *wanted, size_t count,
		  const char *to, struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		if (!change->apply(inventory, wanted[i], to, error))
			return error_prefix(error, "after %zu of %zu keys, which stay %s", i, count, change->past);
	}
	return true;
}

static void print(const struct change *change, const struct key_row *const *wanted, size_t count, bool dry_run, bool as_json)
{
	AUTO_JSON json_t *list = json_array();
	AUTO_JSON json_t *object = NULL;

	for (size_t i = 0; i < count; i++) {
		(void)json_array_append_new(list, json_sprintf("0x%s", wanted[i]->pubkey));
		if (!as_json)
			(void)printf("%s%s 0x%s\n", dry_run ? "would be " : "", change->past, wanted[i]->pubkey);
	}
	if (!as_json && count == 0)
		(void)puts("nothing to do: they are so already");
	if (!as_json)
		return;
	object = json_pack("{s:O, s:b}", change->past, list, "dry_run", dry_run);
	command_print_json(object);
}

static int run(const struct change *change, const char *const *words, size_t count, const struct inventory_place *place,
	       const char *to, bool dry_run, bool as_json)
{
	AUTO_FREE char(*pubkeys)[KEY_TABLE_PUBKEY_SIZE] = NULL;
	AUTO_FREE const struct key_row **wanted = memory_allocate_zeroed(count + 1, sizeof(void *));
	AUTO_INVENTORY struct inventory inventory = {0};
	AUTO_KEY_ROWS struct key_rows rows = {0};
	struct error error = {0};
	size_t wanted_count;
	bool told;

	if (count == 0 || (change->has_target && !to)) {
		(void)error_set(&error, ERROR_INPUT, "%s: missing", count == 0 ? "PUBKEY" : "--to");
		return command_fail(&error, "usage: %s", change->help.usage);
	}
	if (!inventory_open(place, &inventory, &error) || !inventory_list(&inventory, false, &rows, &error) ||
	    !inventory_parse_keys(&rows, words, count, &pubkeys, &error) ||
	    !plan(change, &rows, pubkeys, count, wanted, &wanted_count, &error) ||
	    (!dry_run && !apply(change, &inventory, wanted, wanted_count, to, &error)))
		return command_fail(&error, NULL);
	print(change, wanted, wanted_count, dry_run, as_json);
	if (!dry_run && wanted_count > 0 && !inventory_tell_signer(&inventory, &told, &error))
		return command_fail(&error, "The table is changed, and the signer has not taken it up. Try: ensign local reload");
	return EXIT_CODE_OK;
}

static int parse_and_run(const struct change *change, int argc, char **argv)
{
	static const char *words[INVENTORY_WORDS_MAX];
	struct inventory_place place = {0};
	bool dry_run = false, as_json = false;
	const char *to = NULL;
	const struct option options[] = {
		{"dry-run", OPTION_FLAG, &dry_run, NULL, "change nothing, say what would be changed"},
		INVENTORY_PLACE_OPTIONS(place, INVENTORY_ANY_STATE),
		INVENTORY_ROWS_OPTIONS(place),
		{"json", OPTION_FLAG, &as_json, NULL, "print one JSON object"},
		{"to", OPTION_TEXT, &to, "UUID", "the signer that gets them"},
	};
	size_t option_count = ARRAY_SIZE(options) - (change->has_target ? 0 : 1); /* the last one is of assign alone */
	size_t count;
	bool done;
	int code;

	command_parse_words(&change->help, options, option_count, argc, argv, words, ARRAY_SIZE(words), &count, &done, &code);
	return done ? code : run(change, words, count, &place, to, dry_run, as_json);
}

int keys_activate_main(int argc, char **argv)
{
	return parse_and_run(&activation, argc, argv);
}

int keys_deactivate_main(int argc, char **argv)
{
	return parse_and_run(&deactivation, argc, argv);
}

int keys_assign_main(int argc, char **argv)
{
	return parse_and_run(&assignment, argc, argv);
}

int keys_remove_main(int argc, char **argv)
{
	return parse_and_run(&removal, argc, argv);
}
