/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/histories.h"

static const struct command_help help = {
	.usage = "ensign slashing fresh PUBKEY… | --all-loaded [--dir D | --control ADDR | --store DIR] [--json]",
	.description = "Says that keys never signed anything, anywhere, so that they may begin here. That is written down with the "
		       "time, and\n"
		       "shown by `ensign slashing show`. Keys that have a history keep it.\n"
		       "\n"
		       "  ensign slashing fresh 0x93247f…\n"
		       "\n"
		       "Of a key that did sign elsewhere this is how it gets slashed: import its history instead.",
};

static int run(const char *const *words, size_t count, bool all_loaded, const struct history_place *place, bool as_json)
{
	AUTO_FREE uint8_t(*keys)[BLS_PUBLIC_KEY_SIZE] = NULL;
	AUTO_HISTORY_SOURCE struct history_source *source = NULL;
	struct history_counts counts;
	struct error error = {0};

	if ((count == 0) != all_loaded)
		(void)error_set(&error, ERROR_INPUT, all_loaded ? "keys and --all-loaded: give one of them" : "PUBKEY: missing");
	if (error.code || !history_keys_parse(words, count, &keys, &error))
		return command_fail(&error, "usage: %s", help.usage);
	source = history_source_open(place, &error);
	if (!source || !history_source_begin(source, (const uint8_t(*)[BLS_PUBLIC_KEY_SIZE])keys, count, &counts, &error))
		return command_fail(&error, history_advice(&error) ? "%s" : NULL, history_advice(&error));
	if (as_json)
		(void)printf("{\"keys\":%llu,\"new\":%llu}\n", (unsigned long long)counts.keys,
			     (unsigned long long)counts.new_keys);
	else
		(void)printf("%llu of %llu keys may begin; the others have a history, which stays\n",
			     (unsigned long long)counts.new_keys, (unsigned long long)counts.keys);
	return EXIT_CODE_OK;
}

int slashing_fresh_main(int argc, char **argv)
{
	static const char *words[HISTORY_WORDS_MAX];
	struct history_place place = {0};
	bool all_loaded = false, as_json = false;
	const struct option options[] = {
		{"all-loaded", OPTION_FLAG, &all_loaded, NULL, "all keys that the running signer has loaded"},
		HISTORY_PLACE_OPTIONS(place),
		{"json", OPTION_FLAG, &as_json, NULL, "print {\"keys\":N,\"new\":N}"},
	};
	size_t count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, words, ARRAY_SIZE(words), &count, &done, &code);
	return done ? code : run(words, count, all_loaded, &place, as_json);
}
