/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "cli/histories.h"

static const struct command_help help = {
	.usage = "ensign slashing show [PUBKEY…] [--dir D | --control ADDR | --store DIR] [--json]",
	.description = "Lists what keys have signed, as far as slashing protection knows: the slot of the last block, source and "
		       "target of the last\n"
		       "vote, and how the history began: fresh (somebody said that the key never signed), imported, quiet (after "
		       "the quiet\n"
		       "period), unknown (before Ensign wrote it down). Of the keys that are named, or of all that have one.\n"
		       "\n"
		       "  ensign slashing show --json | jq '.[] | select(.retired)'",
};

static json_t *json_of(const struct history *history)
{
	const struct watermark *watermark = &history->watermark;
	char hex[2 * BLS_PUBLIC_KEY_SIZE + 1], begun[CLOCK_TEXT_SIZE];
	json_t *object = json_pack("{s:b, s:s, s:n, s:n, s:n, s:n}", "retired", history->is_retired, "origin",
				   history_origin_name(history->origin), "begun_at", "block_slot", "source_epoch", "target_epoch");

	hex_encode(view_of(history->public_key, BLS_PUBLIC_KEY_SIZE), hex);
	(void)json_object_set_new(object, "public_key", json_sprintf("0x%s", hex));
	if (history->begun_s) {
		clock_format(history->begun_s * 1000, begun);
		(void)json_object_set_new(object, "begun_at", json_string(begun));
	}
	if (watermark->has_block)
		(void)json_object_set_new(object, "block_slot", json_sprintf("%llu", (unsigned long long)watermark->block_slot));
	if (!watermark->has_attestation)
		return object;
	(void)json_object_set_new(object, "source_epoch", json_sprintf("%llu", (unsigned long long)watermark->source_epoch));
	(void)json_object_set_new(object, "target_epoch", json_sprintf("%llu", (unsigned long long)watermark->target_epoch));
	return object;
}

static void print_line(const struct history *history)
{
	const struct watermark *watermark = &history->watermark;
	char hex[2 * BLS_PUBLIC_KEY_SIZE + 1], begun[CLOCK_TEXT_SIZE] = "";

	hex_encode(view_of(history->public_key, BLS_PUBLIC_KEY_SIZE), hex);
	if (history->begun_s)
		clock_format(history->begun_s * 1000, begun);
	(void)printf("0x%s  %s%s%s%s\n", hex, history_origin_name(history->origin), history->begun_s ? " since " : "", begun,
		     history->is_retired ? "  RETIRED" : "");
	if (watermark->has_block)
		(void)printf("    last block  slot %llu\n", (unsigned long long)watermark->block_slot);
	if (watermark->has_attestation)
		(void)printf("    last vote   source %llu, target %llu\n", (unsigned long long)watermark->source_epoch,
			     (unsigned long long)watermark->target_epoch);
	if (!watermark->has_block && !watermark->has_attestation)
		(void)printf("    signed nothing slashable yet\n");
}

static void print_json(const struct histories *histories)
{
	AUTO_JSON json_t *list = json_array();

	for (size_t i = 0; i < histories->count; i++)
		(void)json_array_append_new(list, json_of(&histories->items[i]));
	command_print_json(list);
}

static int run(const char *const *words, size_t count, const struct history_place *place, bool as_json)
{
	AUTO_FREE uint8_t(*keys)[BLS_PUBLIC_KEY_SIZE] = NULL;
	AUTO_HISTORY_SOURCE struct history_source *source = NULL;
	AUTO_HISTORIES struct histories histories = {0};
	struct error error = {0};

	if (!history_keys_parse(words, count, &keys, &error))
		return command_fail(&error, "usage: %s", help.usage);
	source = history_source_open(place, &error);
	if (!source || !history_source_read(source, (const uint8_t(*)[BLS_PUBLIC_KEY_SIZE])keys, count, &histories, &error))
		return command_fail(&error, history_advice(&error) ? "%s" : NULL, history_advice(&error));
	if (as_json) {
		print_json(&histories);
		return EXIT_CODE_OK;
	}
	for (size_t i = 0; i < histories.count; i++)
		print_line(&histories.items[i]);
	if (histories.count == 0)
		(void)printf("no history%s\n", count ? " of these keys" : "");
	return EXIT_CODE_OK;
}

int slashing_show_main(int argc, char **argv)
{
	static const char *words[HISTORY_WORDS_MAX];
	struct history_place place = {0};
	bool as_json = false;
	const struct option options[] = {
		HISTORY_PLACE_OPTIONS(place),
		{"json", OPTION_FLAG, &as_json, NULL,
		 "print an array of {\"public_key\",\"block_slot\",\"source_epoch\",\"target_epoch\",\"origin\",…}"},
	};
	size_t count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, words, ARRAY_SIZE(words), &count, &done, &code);
	return done ? code : run(words, count, &place, as_json);
}
