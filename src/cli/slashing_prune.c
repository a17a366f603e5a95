/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/histories.h"

static const struct command_help help = {
	.usage = "ensign slashing prune [--dir D | --store DIR [--network N]] [--json]",
	.description = "Drops from an embedded store what protects nothing, histories under another genesis validators root than "
		       "the network's, and\n"
		       "gives unused space back. A watermark is all that is kept of a key and is never dropped, so there is seldom "
		       "much to do. The\n"
		       "signer must be down.\n"
		       "\n"
		       "  ensign local down && ensign slashing prune",
};

static bool prune(const struct history_place *place, size_t *ret_removed, struct error *error)
{
	AUTO_HISTORY_SOURCE struct history_source *source = history_source_open(place, error);

	if (!source)
		return false;
	if (!history_source_store(source))
		return error_set(error, ERROR_IO,
				 "the signer is up, and its store is its own; stop it first: ensign local down%s%s",
				 place->dir ? " --dir " : "", place->dir ? place->dir : "");
	return slashing_store_prune(history_source_store(source), ret_removed, error);
}

int slashing_prune_main(int argc, char **argv)
{
	struct history_place place = {0};
	bool as_json = false;
	const struct option options[] = {
		{"dir", OPTION_TEXT, &place.dir, "D", "folder of a local signer that is down; default ~/.local/state/ensign/local"},
		{"store", OPTION_TEXT, &place.store, "DIR", "folder of an embedded store that no enclave has open"},
		{"network", OPTION_TEXT, &place.network, "N", "of that store; default mainnet"},
		{"json", OPTION_FLAG, &as_json, NULL, "print {\"removed\":N}"},
	};
	struct error error = {0};
	size_t removed;
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	if (!prune(&place, &removed, &error))
		return command_fail(&error, NULL);
	(void)printf(as_json ? "{\"removed\":%zu}\n" : "%zu histories of other networks were dropped\n", removed);
	return EXIT_CODE_OK;
}
