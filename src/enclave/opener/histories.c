/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the operator asks about histories, over the control channel: to import an interchange document (EIP-3076), to let keys begin that
 * never signed, to read, to set the high watermark. The document is parsed here, in a process that ends with the job.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "enclave/opener/opener.h"
#include "slashing/high_watermark.h"
#include "slashing/interchange.h"

/* Half of what the keeper takes at one time: the key manager's clients need the other. */
#define UNDER_WAY_MAX 8
/* A group of the ledger takes milliseconds, on a sick disk seconds. */
#define ANSWER_TIMEOUT_MS 60000
#define OVERLOADED_PAUSE_US 10000
/* Histories in one answer, some 500 bytes each; `more` says that there are others. */
#define HISTORIES_MAX 2000

/* The same question about many keys: what to ask of each, and what came of all. */
struct survey {
	uint32_t action;
	size_t count;
	const uint8_t *(*key)(const struct survey *survey, size_t i);
	const struct interchange *interchange;  /* RAISE: also the source of the keys */
	uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE];   /* else */
	struct high_watermark high_watermark;   /* SET_HIGH */
	struct message_history_result *results; /* one each; owned */
};

static void survey_done(struct survey *survey)
{
	free(survey->keys);
	free(survey->results);
}
#define AUTO_SURVEY CLEANUP(survey_done)

static const uint8_t *key_of_interchange(const struct survey *survey, size_t i)
{
	return survey->interchange->keys[i].public_key;
}

static const uint8_t *key_of_list(const struct survey *survey, size_t i)
{
	return survey->keys[i];
}

static bool ask(const struct survey *survey, uint64_t id, size_t i, struct error *error)
{
	struct message_history request;

	message_init(&request, MESSAGE_HISTORY, id);
	request.action = survey->action;
	request.high_watermark = survey->high_watermark;
	memcpy(request.public_key, survey->key(survey, i), sizeof request.public_key);
	if (survey->action == HISTORY_RAISE) {
		memcpy(request.genesis_validators_root, survey->interchange->genesis_validators_root, ROOT_SIZE);
		request.watermark = survey->interchange->keys[i].watermark;
	}
	return message_send(ROLE_FD_KEEPER, &request, error) || error_prefix(error, "keeper");
}

/* The next answer to one of ids first_id to first_id + count - 1; others were for an opener that died. */
static bool receive(uint64_t first_id, size_t count, struct message_history_result *ret_result, struct error *error)
{
	union message answer;

	for (;;) {
		struct pollfd waiting = {ROLE_FD_KEEPER, POLLIN, 0};
		int ready = poll(&waiting, 1, ANSWER_TIMEOUT_MS);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return error_set(error, ERROR_IO, "the ledger does not answer");
		if (!message_receive(ROLE_FD_KEEPER, &answer, sizeof answer, NULL, error))
			return error_prefix(error, "keeper");
		*ret_result = answer.history_result;
		if (answer.header.type == MESSAGE_HISTORY_RESULT && answer.header.id - first_id < count)
			return true;
	}
}

static bool judge(const struct message_history_result *result, struct error *error)
{
	char root[2 * ROOT_SIZE + 1];

	if (result->status == HISTORY_OK || result->status == HISTORY_UNKNOWN)
		return true;
	hex_encode(view_of(result->genesis_validators_root, ROOT_SIZE), root);
	if (result->status == HISTORY_WRONG_NETWORK)
		return error_set(error, ERROR_INPUT,
				 "interchange: metadata.genesis_validators_root: not that of this signer's network (0x%s)", root);
	return error_set(error, ERROR_IO,
			 "the slashing protection store failed; what was done before stays, and doing it again is safe");
}

/* Several under way at one time, so that they share the ledger's groups. */
static bool survey_run(struct survey *survey, struct error *error)
{
	uint64_t first_id = clock_monotonic_us() << 20;
	size_t sent = 0, answered = 0;

	survey->results = memory_allocate_zeroed(survey->count + 1, sizeof *survey->results);
	while (answered < survey->count) {
		struct message_history_result result;
		size_t i;

		while (sent < survey->count && sent - answered < UNDER_WAY_MAX) {
			if (!ask(survey, first_id + sent, sent, error))
				return false;
			sent++;
		}
		if (!receive(first_id, survey->count, &result, error))
			return false;
		i = (size_t)(result.header.id - first_id);
		if (result.status == HISTORY_OVERLOADED) {
			(void)usleep(OVERLOADED_PAUSE_US);
			if (!ask(survey, result.header.id, i, error))
				return false;
			continue;
		}
		if (!judge(&result, error))
			return error_prefix(error, "after %zu of %zu keys", answered, survey->count);
		survey->results[i] = result;
		answered++;
	}
	return true;
}

/* `pubkeys` of the request, or without it the keys that are loaded. */
static bool read_keys(json_t *request, struct survey *survey, struct error *error)
{
	json_t *list = NULL;
	json_t *item;
	size_t index;

	survey->key = key_of_list;
	if (!json_object_get(request, "pubkeys")) {
		AUTO_HELD_KEYS struct held_keys held = {0};

		if (!held_keys_read(&held, error))
			return false;
		survey->keys = held.keys;
		survey->count = held.count;
		held.keys = NULL;
		return true;
	}
	if (!json_read_array(request, "pubkeys", &list, error))
		return false;
	survey->keys = memory_allocate_zeroed(json_array_size(list) + 1, sizeof *survey->keys);
	json_array_foreach(list, index, item)
	{
		const char *text = json_string_value(item);

		if (!text || !hex_decode(view_of_text(text), survey->keys[survey->count++], BLS_PUBLIC_KEY_SIZE))
			return error_set(error, ERROR_INPUT, "pubkeys[%zu]: not 96 hex digits", index);
	}
	return true;
}

/* ---- import, begin ---- */

static bool check_permission(const struct opener *opener, struct error *error)
{
	return opener->configuration.slashing.host_may_begin ||
	       error_set(error, ERROR_POLICY,
			 "the measured configuration (slashing.first_use: operator) leaves this to the operator: through the key "
			 "manager, "
			 "or in the slashing table itself");
}

static json_t *count_json(const struct survey *survey)
{
	size_t new_count = 0;

	for (size_t i = 0; i < survey->count; i++)
		new_count += survey->results[i].is_new;
	return json_pack("{s:I, s:I}", "keys", (json_int_t)survey->count, "new", (json_int_t)new_count);
}

static json_t *import(struct opener *opener, json_t *request, struct error *error)
{
	AUTO_INTERCHANGE struct interchange interchange = {0};
	AUTO_SURVEY struct survey survey = {.action = HISTORY_RAISE, .key = key_of_interchange, .interchange = &interchange};
	json_t *document;

	if (!check_permission(opener, error) || !json_read_object(request, "interchange", &document, error))
		return NULL;
	if (!interchange_read(document, &interchange, error))
		return error_prefix(error, "interchange"), NULL;
	survey.count = interchange.count;
	return survey_run(&survey, error) ? count_json(&survey) : NULL;
}

static json_t *begin(struct opener *opener, json_t *request, struct error *error)
{
	AUTO_SURVEY struct survey survey = {.action = HISTORY_BEGIN};

	if (!check_permission(opener, error) || !read_keys(request, &survey, error) || !survey_run(&survey, error))
		return NULL;
	return count_json(&survey);
}

/* ---- reading ---- */

/* The histories of an answer, as they are gathered. */
struct reading {
	json_t *notes;
	struct interchange_key *keys; /* owned */
	size_t count;
	bool has_root;
	uint8_t root[ROOT_SIZE];
};

static void reading_done(struct reading *reading)
{
	json_decref(reading->notes);
	free(reading->keys);
}

static void add_history(struct reading *reading, const uint8_t *public_key, const struct message_history_result *result)
{
	struct interchange_key *key = &reading->keys[reading->count++];
	char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];

	hex_encode(view_of(public_key, BLS_PUBLIC_KEY_SIZE), hex);
	(void)json_array_append_new(reading->notes,
				    json_pack("{s:s, s:b, s:s, s:I}", "pubkey", hex, "retired", result->is_retired, "origin",
					      history_origin_name(result->origin), "begun_s", (json_int_t)result->begun_s));
	memcpy(key->public_key, public_key, sizeof key->public_key);
	key->watermark = result->watermark;
	if (result->has_root) {
		reading->has_root = true;
		memcpy(reading->root, result->genesis_validators_root, ROOT_SIZE);
	}
}

static bool read_named(json_t *request, struct reading *reading, struct error *error)
{
	AUTO_SURVEY struct survey survey = {.action = HISTORY_READ};

	if (!read_keys(request, &survey, error))
		return false;
	if (survey.count > HISTORIES_MAX)
		return error_set(error, ERROR_INPUT, "pubkeys: %zu, at most %d are read at one time", survey.count, HISTORIES_MAX);
	if (!survey_run(&survey, error))
		return false;
	for (size_t i = 0; i < survey.count; i++) {
		if (survey.results[i].status == HISTORY_OK)
			add_history(reading, survey.keys[i], &survey.results[i]);
	}
	return true;
}

/* Each is asked for by the one before it, so one after the other. */
static bool read_next(uint8_t public_key[BLS_PUBLIC_KEY_SIZE], struct reading *reading, bool *ret_found, struct error *error)
{
	uint8_t(*keys)[BLS_PUBLIC_KEY_SIZE] = memory_allocate_zeroed(1, sizeof *keys);
	AUTO_SURVEY struct survey survey = {.action = HISTORY_NEXT, .count = 1, .key = key_of_list, .keys = keys};

	memcpy(keys[0], public_key, sizeof keys[0]);
	if (!survey_run(&survey, error))
		return false;
	*ret_found = survey.results[0].status == HISTORY_OK;
	if (!*ret_found)
		return true;
	memcpy(public_key, survey.results[0].public_key, BLS_PUBLIC_KEY_SIZE);
	add_history(reading, public_key, &survey.results[0]);
	return true;
}

static bool read_all_after(json_t *request, struct reading *reading, bool *ret_more, struct error *error)
{
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE] = {0};

	*ret_more = true;
	if (json_object_get(request, "after") && !json_read_hex(request, "after", public_key, sizeof public_key, error))
		return false;
	while (*ret_more && reading->count < HISTORIES_MAX) {
		if (!read_next(public_key, reading, ret_more, error))
			return false;
	}
	return true;
}

static json_t *read_histories(struct opener *opener, json_t *request, struct error *error)
{
	CLEANUP(reading_done) struct reading reading = {.notes = json_array()};
	AUTO_BUFFER struct buffer document = {0};
	bool more = false;
	json_t *answer;

	(void)opener;
	reading.keys = memory_allocate_zeroed(HISTORIES_MAX, sizeof *reading.keys);
	if (json_object_get(request, "pubkeys") ? !read_named(request, &reading, error)
						: !read_all_after(request, &reading, &more, error))
		return NULL;
	answer = json_pack("{s:O, s:b}", "histories", reading.notes, "more", more);
	if (reading.has_root) {
		interchange_write(reading.root, reading.keys, reading.count, &document);
		(void)json_object_set_new(answer, "interchange", json_parse_object(buffer_view(&document), "interchange", error));
	}
	return answer;
}

/* ---- the high watermark ---- */

/* It is of no key: one question with none in it. */
static json_t *ask_high(struct survey *survey, struct error *error)
{
	survey->count = 1;
	survey->key = key_of_list;
	survey->keys = memory_allocate_zeroed(1, sizeof *survey->keys);
	if (!survey_run(survey, error))
		return NULL;
	return high_watermark_to_json(&survey->results[0].high_watermark);
}

static json_t *read_high(struct opener *opener, json_t *request, struct error *error)
{
	AUTO_SURVEY struct survey survey = {.action = HISTORY_READ_HIGH};

	(void)opener;
	(void)request;
	return ask_high(&survey, error);
}

static json_t *set_high(struct opener *opener, json_t *request, struct error *error)
{
	AUTO_SURVEY struct survey survey = {.action = HISTORY_SET_HIGH};

	if (!check_permission(opener, error) || !high_watermark_from_json(request, &survey.high_watermark, error))
		return NULL;
	return ask_high(&survey, error);
}

bool opener_histories(struct opener *opener, json_t *request, struct buffer *ret_body, struct error *error)
{
	static const struct {
		const char *name;
		json_t *(*answer)(struct opener *opener, json_t *request, struct error *error);
	} actions[] = {{"import", import},
		       {"begin", begin},
		       {"read", read_histories},
		       {"read_high_watermark", read_high},
		       {"set_high_watermark", set_high}};
	const char *name;

	if (!json_read_text(request, "action", &name, error))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		AUTO_JSON json_t *answer = NULL;

		if (strcmp(actions[i].name, name) != 0)
			continue;
		answer = actions[i].answer(opener, request, error);
		if (answer)
			json_write(answer, ret_body);
		return answer != NULL;
	}
	return error_set(error, ERROR_INPUT, "action: unknown: %.24s", name);
}
