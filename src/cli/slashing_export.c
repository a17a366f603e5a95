/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "cli/histories.h"

static const struct command_help help = {
	.usage = "ensign slashing export [PUBKEY…] [--out FILE] [--dir D | --control ADDR | --store DIR]",
	.description = "Writes what keys signed here as a slashing protection interchange file (EIP-3076), which every validator "
		       "client and\n"
		       "Web3Signer import: of the keys that are named, or of all that have a history.\n"
		       "\n"
		       "  ensign slashing export --out slashing_protection.json\n"
		       "\n"
		       "A signer that goes on signing outdates the file at once. Stop it, or take the keys out of it, first.",
};

static bool export(struct history_source *source, const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE], size_t count, struct buffer *ret_text,
		   size_t *ret_count, struct error *error)
{
	AUTO_HISTORIES struct histories histories = {0};
	AUTO_FREE struct interchange_key *entries = NULL;

	if (!history_source_read(source, keys, count, &histories, error))
		return false;
	if (histories.count == 0)
		return error_set(error, ERROR_NOT_FOUND, "there is no history %s", count ? "of these keys" : "of any key");
	if (!histories.has_root)
		return error_set(error, ERROR_NOT_FOUND, "nothing was signed here yet, so the network is not known");
	entries = memory_allocate_zeroed(histories.count, sizeof *entries);
	for (size_t i = 0; i < histories.count; i++) {
		memcpy(entries[i].public_key, histories.items[i].public_key, sizeof entries[i].public_key);
		entries[i].watermark = histories.items[i].watermark;
	}
	interchange_write(histories.genesis_validators_root, entries, histories.count, ret_text);
	buffer_append_byte(ret_text, '\n');
	*ret_count = histories.count;
	return true;
}

static int run(const char *const *words, size_t count, const char *out, const struct history_place *place)
{
	AUTO_FREE uint8_t(*keys)[BLS_PUBLIC_KEY_SIZE] = NULL;
	AUTO_HISTORY_SOURCE struct history_source *source = NULL;
	AUTO_BUFFER struct buffer text = {0};
	struct error error = {0};
	size_t exported = 0;

	if (!history_keys_parse(words, count, &keys, &error))
		return command_fail(&error, "usage: %s", help.usage);
	source = history_source_open(place, &error);
	if (!source || !export(source, (const uint8_t(*)[BLS_PUBLIC_KEY_SIZE])keys, count, &text, &exported, &error))
		return command_fail(&error, history_advice(&error) ? "%s" : NULL, history_advice(&error));
	if (!out) {
		(void)fwrite(text.data, 1, text.size, stdout);
		return EXIT_CODE_OK;
	}
	if (!file_write_atomic(out, buffer_view(&text), 0600, &error))
		return command_fail(&error, NULL);
	(void)printf("wrote the histories of %zu keys to %s\n", exported, out);
	return EXIT_CODE_OK;
}

int slashing_export_main(int argc, char **argv)
{
	static const char *words[HISTORY_WORDS_MAX];
	struct history_place place = {0};
	const char *out = NULL;
	const struct option options[] = {
		HISTORY_PLACE_OPTIONS(place),
		{"out", OPTION_TEXT, &out, "FILE", "default: standard output"},
	};
	size_t count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, words, ARRAY_SIZE(words), &count, &done, &code);
	return done ? code : run(words, count, out, &place);
}
