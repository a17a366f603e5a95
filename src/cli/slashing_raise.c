/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/histories.h"

static const struct command_help help = {
	.usage = "ensign slashing raise --slot N --epoch N [PUBKEY…] [--dir D | --control ADDR | --store DIR] [--json]",
	.description = "Raises low watermarks: from then on no block at or below the slot is signed, and no vote with a source "
		       "below or a target at\n"
		       "or below the epoch. Of the keys that are named, or of all that have a history. Nothing is lowered. For "
		       "keys whose history\n"
		       "is lost: choose numbers above all that they can have signed.\n"
		       "\n"
		       "  ensign slashing raise --slot 10000000 --epoch 312500",
};

/* What was signed by then, whatever it was: a history with one block and one vote of which nothing more is known. */
static void make_document(const struct histories *histories, uint64_t slot, uint64_t epoch, struct interchange *ret_interchange)
{
	static const uint8_t unknown_root[ROOT_SIZE];

	memcpy(ret_interchange->genesis_validators_root, histories->genesis_validators_root, ROOT_SIZE);
	ret_interchange->keys = memory_allocate_zeroed(histories->count + 1, sizeof *ret_interchange->keys);
	ret_interchange->count = histories->count;
	for (size_t i = 0; i < histories->count; i++) {
		struct interchange_key *key = &ret_interchange->keys[i];

		memcpy(key->public_key, histories->items[i].public_key, sizeof key->public_key);
		slashing_record_block(&key->watermark, slot, unknown_root);
		slashing_record_attestation(&key->watermark, epoch, epoch, unknown_root);
	}
}

static bool raise(struct history_source *source, const char *const *words, size_t count, uint64_t slot, uint64_t epoch,
		  struct history_counts *ret_counts, struct error *error)
{
	AUTO_FREE uint8_t(*keys)[BLS_PUBLIC_KEY_SIZE] = NULL;
	AUTO_HISTORIES struct histories histories = {0};
	AUTO_INTERCHANGE struct interchange interchange = {0};

	if (!history_keys_parse(words, count, &keys, error) ||
	    !history_source_read(source, (const uint8_t(*)[BLS_PUBLIC_KEY_SIZE])keys, count, &histories, error))
		return false;
	if (histories.count == 0 || histories.count < count)
		return error_set(error, ERROR_NOT_FOUND,
				 "%zu of %zu keys have a history; import one, or say that the others have none", histories.count,
				 count);
	if (!histories.has_root)
		return error_set(error, ERROR_NOT_FOUND, "nothing was signed here yet, so the network is not known");
	make_document(&histories, slot, epoch, &interchange);
	return history_source_import(source, &interchange, ret_counts, error);
}

int slashing_raise_main(int argc, char **argv)
{
	static const char *words[HISTORY_WORDS_MAX];
	AUTO_HISTORY_SOURCE struct history_source *source = NULL;
	struct history_place place = {0};
	uint64_t slot = UINT64_MAX, epoch = UINT64_MAX;
	bool as_json = false;
	const struct option options[] = {
		{"slot", OPTION_NUMBER, &slot, "N", "the last slot that counts as signed"},
		{"epoch", OPTION_NUMBER, &epoch, "N", "the last epoch that counts as signed, source and target"},
		HISTORY_PLACE_OPTIONS(place),
		{"json", OPTION_FLAG, &as_json, NULL, "print {\"keys\":N}"},
	};
	struct history_counts counts;
	struct error error = {0};
	size_t count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, words, ARRAY_SIZE(words), &count, &done, &code);
	if (done)
		return code;
	if (slot == UINT64_MAX || epoch == UINT64_MAX) {
		(void)error_set(&error, ERROR_INPUT, "--%s: missing", slot == UINT64_MAX ? "slot" : "epoch");
		return command_fail(&error, "usage: %s", help.usage);
	}
	source = history_source_open(&place, &error);
	if (!source || !raise(source, words, count, slot, epoch, &counts, &error))
		return command_fail(&error, history_advice(&error) ? "%s" : NULL, history_advice(&error));
	(void)printf(as_json ? "{\"keys\":%llu}\n" : "raised %llu keys\n", (unsigned long long)counts.keys);
	return EXIT_CODE_OK;
}
