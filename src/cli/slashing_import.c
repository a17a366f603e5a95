/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/histories.h"

static const struct command_help help = {
	.usage = "ensign slashing import FILE [--dir D | --control ADDR | --store DIR] [--json]",
	.description = "Takes over what keys signed elsewhere: a slashing protection interchange file (EIP-3076, version 5), as "
		       "every validator\n"
		       "client and Web3Signer write it. Of each key the largest slot, source and target are kept; nothing is "
		       "lowered, so doing it\n"
		       "again, or in another order, is safe. A file that is malformed or of another network changes nothing, and "
		       "the error names\n"
		       "the entry.\n"
		       "\n"
		       "  ensign slashing import slashing_protection.json\n"
		       "\n"
		       "Stop the other signer before you export from it: what it signs later is not in the file.",
};

static int run(const char *path, const struct history_place *place, bool as_json)
{
	AUTO_INTERCHANGE struct interchange interchange = {0};
	AUTO_HISTORY_SOURCE struct history_source *source = NULL;
	struct history_counts counts;
	struct error error = {0};

	if (!history_document_read(path, &interchange, &error))
		return command_fail(&error, "Nothing was imported.");
	source = history_source_open(place, &error);
	if (!source || !history_source_import(source, &interchange, &counts, &error))
		return command_fail(&error, "%s", history_advice(&error) ? history_advice(&error) : "Importing it again is safe.");
	if (as_json)
		(void)printf("{\"keys\":%llu,\"new\":%llu}\n", (unsigned long long)counts.keys,
			     (unsigned long long)counts.new_keys);
	else
		(void)printf("imported the histories of %llu keys; %llu of them had none here before\n",
			     (unsigned long long)counts.keys, (unsigned long long)counts.new_keys);
	return EXIT_CODE_OK;
}

int slashing_import_main(int argc, char **argv)
{
	struct history_place place = {0};
	const char *file = NULL;
	bool as_json = false;
	const struct option options[] = {
		HISTORY_PLACE_OPTIONS(place),
		{"json", OPTION_FLAG, &as_json, NULL, "print {\"keys\":N,\"new\":N}"},
	};
	size_t count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, &file, 1, &count, &done, &code);
	if (done)
		return code;
	if (count != 1) {
		struct error error;

		(void)error_set(&error, ERROR_INPUT, "FILE: missing");
		return command_fail(&error, "usage: %s", help.usage);
	}
	return run(file, &place, as_json);
}
