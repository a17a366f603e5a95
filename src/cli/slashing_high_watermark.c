/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/histories.h"
#include "slashing/high_watermark.h"

static const struct command_help help = {
	.usage = "ensign slashing high-watermark [--slot N] [--epoch N] [--remove] [--dir D | --control ADDR | --store DIR] "
		 "[--json]",
	.description =
		"For all keys: blocks of this slot and above, and votes whose source or target is this epoch or above, are "
		"refused.\n"
		"To hand over from one signer to another: put it up here, where it ends, and raise the low watermarks there. "
		"Both numbers\n"
		"must be above all that was signed here. What is not given stays; --remove takes it away; with none of "
		"them it is\n"
		"shown. Signers that share a table heed it within half a minute.\n"
		"\n"
		"  ensign slashing high-watermark --slot 10000000 --epoch 312500",
};

struct wish {
	uint64_t slot;  /* UINT64_MAX: not given */
	uint64_t epoch; /* likewise */
	bool remove;
};

/* One that is not above what a key signed would stop it for good: the numbers were mistyped. */
static bool check_above(const struct histories *histories, const struct high_watermark *high, struct error *error)
{
	for (size_t i = 0; i < histories->count; i++) {
		const struct watermark *low = &histories->items[i].watermark;
		char key[2 * BLS_PUBLIC_KEY_SIZE + 1];

		hex_encode(view_of(histories->items[i].public_key, BLS_PUBLIC_KEY_SIZE), key);
		if (high->has_slot && low->has_block && low->block_slot >= high->slot)
			return error_set(error, ERROR_INPUT, "--slot: 0x%s signed slot %llu already", key,
					 (unsigned long long)low->block_slot);
		if (high->has_epoch && low->has_attestation &&
		    (low->target_epoch >= high->epoch || low->source_epoch >= high->epoch))
			return error_set(error, ERROR_INPUT, "--epoch: 0x%s signed source epoch %llu and target epoch %llu already",
					 key, (unsigned long long)low->source_epoch, (unsigned long long)low->target_epoch);
	}
	return true;
}

static bool set(struct history_source *source, const struct wish *wish, struct high_watermark *high, struct error *error)
{
	AUTO_HISTORIES struct histories histories = {0};

	if (wish->remove)
		*high = (struct high_watermark){0};
	if (wish->slot != UINT64_MAX) {
		high->has_slot = 1;
		high->slot = wish->slot;
	}
	if (wish->epoch != UINT64_MAX) {
		high->has_epoch = 1;
		high->epoch = wish->epoch;
	}
	return history_source_read(source, NULL, 0, &histories, error) && check_above(&histories, high, error) &&
	       history_source_set_high(source, high, high, error);
}

static void print(const struct high_watermark *high, bool as_json)
{
	AUTO_JSON json_t *object = high_watermark_to_json(high);
	AUTO_BUFFER struct buffer line = {0};

	if (as_json) {
		command_print_json(object);
		return;
	}
	if (!high->has_slot && !high->has_epoch)
		buffer_append_text(&line, "no high watermark is set");
	if (high->has_slot)
		buffer_append_format(&line, "no block of slot %llu or above is signed", (unsigned long long)high->slot);
	if (high->has_epoch)
		buffer_append_format(&line, "%sno vote with epoch %llu or above is signed", line.size ? "; " : "",
				     (unsigned long long)high->epoch);
	(void)puts(buffer_text(&line));
}

int slashing_high_watermark_main(int argc, char **argv)
{
	AUTO_HISTORY_SOURCE struct history_source *source = NULL;
	struct history_place place = {0};
	struct wish wish = {.slot = UINT64_MAX, .epoch = UINT64_MAX};
	struct high_watermark high = {0};
	bool as_json = false;
	const struct option options[] = {
		{"slot", OPTION_NUMBER, &wish.slot, "N", "the first slot of which no block is signed"},
		{"epoch", OPTION_NUMBER, &wish.epoch, "N", "the first epoch of which no vote is signed"},
		{"remove", OPTION_FLAG, &wish.remove, NULL, "take it away"},
		HISTORY_PLACE_OPTIONS(place),
		{"json", OPTION_FLAG, &as_json, NULL, "print {\"epoch\":\"N\",\"slot\":\"N\"}, as far as there is one"},
	};
	struct error error = {0};
	bool is_set, done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	is_set = wish.slot != UINT64_MAX || wish.epoch != UINT64_MAX;
	if (is_set && wish.remove) {
		(void)error_set(&error, ERROR_INPUT, "--remove: not together with --slot or --epoch");
		return command_fail(&error, "usage: %s", help.usage);
	}
	source = history_source_open(&place, &error);
	if (!source || !history_source_read_high(source, &high, &error) ||
	    ((is_set || wish.remove) && !set(source, &wish, &high, &error)))
		return command_fail(&error, history_advice(&error) ? "%s" : NULL, history_advice(&error));
	print(&high, as_json);
	return EXIT_CODE_OK;
}
