/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/histories.h"

static const struct command_help help = {
	.usage = "ensign slashing prune [--dir D | --store DIR] [--json]",
	.description = "Drops from an embedded store what protects nothing, histories under another genesis validators root than "
		       "the network's, and\n"
		       "gives unused space back. A watermark is all that is kept of a key and is never dropped, so there is seldom "
		       "much to do. The\n"
		       "signer must be down.\n"
		       "\n"
		       "  ensign local down && ensign slashing prune",
};

int slashing_prune_main(int argc, char **argv)
{
	AUTO_HISTORY_SOURCE struct history_source *source = NULL;
	struct history_place place = {0};
	bool as_json = false;
	const struct option options[] = {
		HISTORY_PLACE_OPTIONS(place),
		{"json", OPTION_FLAG, &as_json, NULL, "print {\"removed\":N}"},
	};
	struct error error = {0};
	size_t removed;
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	source = history_source_open(&place, &error);
	if (source && !history_source_store(source))
		(void)error_set(&error, ERROR_INPUT, "the signer is up, and its store is its own");
	if (error.code || !slashing_store_prune(history_source_store(source), &removed, &error))
		return command_fail(&error, "Is it down? Try: ensign local down");
	(void)printf(as_json ? "{\"removed\":%zu}\n" : "%zu histories of other networks were dropped\n", removed);
	return EXIT_CODE_OK;
}
