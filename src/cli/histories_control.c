/* SPDX-License-Identifier: Apache-2.0 */
/* Over the control channel: operation `slashing` (docs/protocols.md). Long lists go in parts. */
#include "cli/histories_internal.h"

#include "net/control_call.h"
#include "slashing/high_watermark.h"

/* Two thousand keys in groups of the ledger; on a slow disk, or with a table far away, tens of seconds. */
#define ANSWER_TIMEOUT_MS 180000
#define BUSY_TIMEOUT_MS 30000
#define ANSWER_MAX_SIZE (8u << 20)
/* Keys in one request; the enclave reads at most as many at one time. */
#define PART_MAX 2000

struct control_source {
	struct history_source source;
	struct address address;
};

/* The host has jobs done too, each over in a moment but for one that opens many keystores. */
static json_t *call(struct history_source *source, json_t *request, struct error *error)
{
	const struct control_source *control = (const struct control_source *)source;
	AUTO_BUFFER struct buffer text = {0};

	json_write(request, &text);
	return control_call_job(&control->address, buffer_view(&text), ANSWER_MAX_SIZE, BUSY_TIMEOUT_MS, ANSWER_TIMEOUT_MS, error);
}

static json_t *new_request(const char *action)
{
	return json_pack("{s:s, s:s}", "operation", "slashing", "action", action);
}

static json_t *key_list(const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE], size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];

		hex_encode(view_of(keys[i], BLS_PUBLIC_KEY_SIZE), hex);
		(void)json_array_append_new(list, json_string(hex));
	}
	return list;
}

/* ---- reading ---- */

static bool read_origin(json_t *note, struct history *history, struct error *error)
{
	const char *origin;

	if (!json_read_hex(note, "pubkey", history->public_key, sizeof history->public_key, error) ||
	    !json_read_bool(note, "retired", &history->is_retired, error) || !json_read_text(note, "origin", &origin, error) ||
	    !json_read_u64(note, "begun_s", &history->begun_s, error))
		return false;
	history->origin = history_origin_parse(origin);
	return true;
}

static bool add_histories(json_t *body, struct histories *histories, struct error *error)
{
	AUTO_INTERCHANGE struct interchange interchange = {0};
	json_t *document = json_object_get(body, "interchange");
	json_t *notes, *note;
	size_t index;

	if (!json_read_array(body, "histories", &notes, error) || (document && !interchange_read(document, &interchange, error)))
		return false;
	histories_reserve(histories, json_array_size(notes));
	json_array_foreach(notes, index, note)
	{
		struct history *history = &histories->items[histories->count];
		const struct interchange_key *key;

		*history = (struct history){0};
		if (!read_origin(note, history, error))
			return error_prefix(error, "histories[%zu]", index);
		key = interchange_find(&interchange, history->public_key);
		if (key)
			history->watermark = key->watermark;
		histories->count++;
	}
	histories->has_root = histories->has_root || document;
	if (document)
		memcpy(histories->genesis_validators_root, interchange.genesis_validators_root, ROOT_SIZE);
	return true;
}

static bool read_part(struct history_source *source, json_t *request, struct histories *histories, bool *ret_more,
		      struct error *error)
{
	AUTO_JSON json_t *body = call(source, request, error);

	if (!body)
		return false;
	return (add_histories(body, histories, error) && json_read_bool(body, "more", ret_more, error)) ||
	       control_answer_malformed(error);
}

static bool read_all(struct history_source *source, struct histories *histories, struct error *error)
{
	bool more = true;

	while (more) {
		AUTO_JSON json_t *request = new_request("read");
		char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];

		if (histories->count > 0) {
			hex_encode(view_of(histories->items[histories->count - 1].public_key, BLS_PUBLIC_KEY_SIZE), hex);
			(void)json_object_set_new(request, "after", json_string(hex));
		}
		if (!read_part(source, request, histories, &more, error))
			return false;
	}
	return true;
}

static bool control_read(struct history_source *source, const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE], size_t count,
			 struct histories *histories, struct error *error)
{
	if (count == 0)
		return read_all(source, histories, error);
	for (size_t done = 0; done < count; done += PART_MAX) {
		AUTO_JSON json_t *request = new_request("read");
		bool more;

		(void)json_object_set_new(request, "pubkeys",
					  key_list(keys + done, count - done < PART_MAX ? count - done : PART_MAX));
		if (!read_part(source, request, histories, &more, error))
			return false;
	}
	return true;
}

/* ---- import, begin ---- */

static bool change(struct history_source *source, json_t *request, struct history_counts *counts, struct error *error)
{
	AUTO_JSON json_t *body = call(source, request, error);
	struct history_counts part;

	if (!body)
		return false;
	if (!json_read_u64(body, "keys", &part.keys, error) || !json_read_u64(body, "new", &part.new_keys, error))
		return control_answer_malformed(error);
	counts->keys += part.keys;
	counts->new_keys += part.new_keys;
	return true;
}

static bool control_import(struct history_source *source, const struct interchange *interchange, struct history_counts *counts,
			   struct error *error)
{
	for (size_t done = 0; done < interchange->count; done += PART_MAX) {
		size_t count = interchange->count - done < PART_MAX ? interchange->count - done : PART_MAX;
		AUTO_JSON json_t *request = new_request("import");
		AUTO_BUFFER struct buffer document = {0};

		interchange_write(interchange->genesis_validators_root, interchange->keys + done, count, &document);
		(void)json_object_set_new(request, "interchange", json_parse_object(buffer_view(&document), "interchange", error));
		if (!change(source, request, counts, error))
			return false;
	}
	return true;
}

static bool control_begin(struct history_source *source, const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE], size_t count,
			  struct history_counts *counts, struct error *error)
{
	size_t done = 0;

	do {
		size_t part = count - done < PART_MAX ? count - done : PART_MAX;
		AUTO_JSON json_t *request = new_request("begin");

		if (count > 0)
			(void)json_object_set_new(request, "pubkeys", key_list(keys + done, part));
		if (!change(source, request, counts, error))
			return false;
		done += part;
	} while (done < count);
	return true;
}

/* ---- the high watermark ---- */

static bool control_high(struct history_source *source, const struct high_watermark *wanted, struct high_watermark *ret_high,
			 struct error *error)
{
	AUTO_JSON json_t *request = new_request(wanted ? "set_high_watermark" : "read_high_watermark");
	AUTO_JSON json_t *body = NULL;

	if (wanted) {
		AUTO_JSON json_t *members = high_watermark_to_json(wanted);

		(void)json_object_update(request, members);
	}
	body = call(source, request, error);
	return body && (high_watermark_from_json(body, ret_high, error) || control_answer_malformed(error));
}

static void control_free(struct history_source *source)
{
	free(source);
}

static const struct history_source_kind kind = {control_read, control_import, control_begin, control_high, control_free};

struct history_source *history_source_of_control(const struct address *address)
{
	struct control_source *control = memory_allocate_zeroed(1, sizeof *control);

	control->source.kind = &kind;
	control->address = *address;
	return &control->source;
}
