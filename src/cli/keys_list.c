/* SPDX-License-Identifier: Apache-2.0 */
/* `ensign keys list` and `ensign keys show`. */
#include "cli/inventory.h"

#include "eth/ssz.h"

static const struct command_help list_help = {
	.usage = "ensign keys list [--active] [--dir D] [--json]",
	.description =
		"Lists the validator keys of a signer: public key, network, whether it is active, how it is sealed; and rows that\n"
		"cannot be read, with the reason.\n"
		"\n"
		"  ensign keys list --json | jq -r '.[] | select(.active) | .public_key'",
};

static const struct command_help show_help = {
	.usage = "ensign keys show PUBKEY… [--dir D] [--json]",
	.description = "Shows all that the key table says of keys, but for what is sealed.\n"
		       "\n"
		       "  ensign keys show 0x93247f…",
};

/* Rows that share a data key show the same id: the start of the digest of the wrapped key. */
#define DATA_KEY_ID_BYTES 4
/* Of a column: the names of networks are seldom longer. */
#define CHAIN_WIDTH 9

static json_t *json_of(const struct key_row *row)
{
	json_t *object = json_pack("{s:o, s:s, s:b, s:s, s:s?, s:b}", "public_key", json_sprintf("0x%s", row->pubkey), "chain",
				   row->chain, "active", row->active, "web3signer_uuid", row->web3signer_uuid, "datetime",
				   row->datetime, "has_deposit", row->deposit_json_b64 != NULL);
	uint8_t digest[32];
	char id[2 * DATA_KEY_ID_BYTES + 1];

	(void)json_object_set_new(object, "sealed", json_string(row->sealed_key_b64 ? "data key" : "keystore"));
	if (!row->data_key_b64)
		return object;
	sha256(view_of_text(row->data_key_b64), digest);
	hex_encode(view_of(digest, DATA_KEY_ID_BYTES), id);
	(void)json_object_set_new(object, "data_key_id", json_string(id));
	return object;
}

/* Of a row that cannot be read as one. */
static json_t *json_of_problem(const struct key_row_problem *problem)
{
	return json_pack("{s:o, s:o}", "pubkey", json_text_of_any(problem->pubkey), "problem", json_text_of_any(problem->message));
}

static const char *text_of(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

static void print_problem(json_t *object)
{
	command_print_escaped(stdout, text_of(object, "pubkey"));
	(void)printf("  bad row: ");
	command_print_escaped(stdout, text_of(object, "problem"));
	(void)printf("\n");
}

static void print_line(json_t *object)
{
	int pad = CHAIN_WIDTH - (int)strlen(text_of(object, "chain"));

	if (json_object_get(object, "problem")) {
		print_problem(object);
		return;
	}
	(void)printf("%s  ", text_of(object, "public_key"));
	command_print_escaped(stdout, text_of(object, "chain"));
	(void)printf("%*s%-8s %s\n", pad > 0 ? pad : 1, "", json_is_true(json_object_get(object, "active")) ? "active" : "inactive",
		     text_of(object, "sealed"));
}

static void print_text(const char *name, const char *text)
{
	(void)printf("%-16s ", name);
	command_print_escaped(stdout, text);
	(void)printf("\n");
}

static void print_all(json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		if (json_is_boolean(value))
			(void)printf("%-16s %s\n", name, json_is_true(value) ? "yes" : "no");
		else
			print_text(name, text_of(object, name));
	}
	(void)printf("\n");
}

static void print(json_t *list, void (*print_one)(json_t *object), bool as_json)
{
	json_t *object;
	size_t index;

	if (as_json) {
		command_print_json(list);
		return;
	}
	json_array_foreach(list, index, object) print_one(object);
}

int keys_list_main(int argc, char **argv)
{
	AUTO_INVENTORY struct inventory inventory = {0};
	AUTO_KEY_ROWS struct key_rows rows = {0};
	AUTO_JSON json_t *list = json_array();
	struct inventory_place place = {0};
	bool only_active = false, as_json = false;
	const struct option options[] = {
		{"active", OPTION_FLAG, &only_active, NULL, "leave out those that are not loaded"},
		INVENTORY_PLACE_OPTIONS(place, INVENTORY_ANY_STATE),
		INVENTORY_ROWS_OPTIONS(place),
		{"json", OPTION_FLAG, &as_json, NULL, "print an array of objects"},
	};
	struct error error = {0};
	bool done;
	int code;

	command_parse(&list_help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	if (!inventory_open(&place, &inventory, &error) || !inventory_list(&inventory, only_active, &rows, &error))
		return command_fail(&error, NULL);
	for (size_t i = 0; i < rows.count; i++)
		(void)json_array_append_new(list, json_of(&rows.rows[i]));
	for (size_t i = 0; i < rows.problem_count; i++)
		(void)json_array_append_new(list, json_of_problem(&rows.problems[i]));
	print(list, print_line, as_json);
	return EXIT_CODE_OK;
}

int keys_show_main(int argc, char **argv)
{
	static const char *words[INVENTORY_WORDS_MAX];
	AUTO_FREE char(*pubkeys)[KEY_TABLE_PUBKEY_SIZE] = NULL;
	AUTO_INVENTORY struct inventory inventory = {0};
	AUTO_KEY_ROWS struct key_rows rows = {0};
	AUTO_JSON json_t *list = json_array();
	struct inventory_place place = {0};
	bool as_json = false;
	const struct option options[] = {
		INVENTORY_PLACE_OPTIONS(place, INVENTORY_ANY_STATE),
		INVENTORY_ROWS_OPTIONS(place),
		{"json", OPTION_FLAG, &as_json, NULL, "print an array of objects"},
	};
	struct error error = {0};
	size_t count;
	bool done;
	int code;

	command_parse_words(&show_help, options, ARRAY_SIZE(options), argc, argv, words, ARRAY_SIZE(words), &count, &done, &code);
	if (done)
		return code;
	if (count == 0) {
		(void)error_set(&error, ERROR_INPUT, "PUBKEY: missing");
		return command_fail(&error, "usage: %s", show_help.usage);
	}
	if (!inventory_open(&place, &inventory, &error) || !inventory_list(&inventory, false, &rows, &error) ||
	    !inventory_parse_keys(&rows, words, count, &pubkeys, &error))
		return command_fail(&error, NULL);
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(list, json_of(key_rows_find(&rows, pubkeys[i])));
	print(list, print_all, as_json);
	return EXIT_CODE_OK;
}
