/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DELETE /eth/v1/keystores: each key in turn stops signing at once and durably, then its history is exported. What the export does not
 * have was never signed, and will not be: keeper and ledger refuse a retired key whatever puts it back. The parent is told to forget the
 * row, but nothing depends on whether it does.
 */
#include "base/json.h"
#include "enclave/frontend/api_keystores.h"
#include "enclave/frontend/json_budget.h"
#include "slashing/interchange.h"

/* One after the other, each with an fsync of a few milliseconds. */
#define KEYS_MAX 1024
/* A status with its message, and a key of the interchange document with every quote of it escaped. */
#define KEY_TEXT_SIZE (ERROR_MESSAGE_SIZE + 1024)

enum deletion_status { DELETION_DELETED, DELETION_NOT_ACTIVE, DELETION_NOT_FOUND, DELETION_ERROR };

struct deletion_item {
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	enum deletion_status status;
	const char *message;
};

struct api_deletion {
	struct http_call *call;
	size_t next;
	size_t count;
	struct deletion_item *items;
	bool has_root;
	uint8_t genesis_validators_root[ROOT_SIZE];
	struct interchange_key *export;
	size_t export_count;
};

void api_deletion_free(struct api_deletion *job)
{
	if (!job)
		return;
	free(job->items);
	free(job->export);
	free(job);
}

/* ---- the answer ---- */

/* The document goes into a JSON text. */
static void append_export(const struct api_deletion *job, struct buffer *text)
{
	AUTO_BUFFER struct buffer document = {0};

	if (job->has_root)
		interchange_write(job->genesis_validators_root, job->export, job->export_count, &document);
	else
		buffer_append_text(&document, "{\"metadata\":{\"interchange_format_version\":\"" INTERCHANGE_FORMAT_VERSION
					      "\"},\"data\":[]}");
	api_append_text(text, buffer_text(&document));
}

static void answer(struct api_deletion *job)
{
	static const char *const names[] = {
		[DELETION_DELETED] = "deleted",
		[DELETION_NOT_ACTIVE] = "not_active",
		[DELETION_NOT_FOUND] = "not_found",
		[DELETION_ERROR] = "error",
	};
	AUTO_BUFFER struct buffer text = {0};

	buffer_append_text(&text, "{\"data\":[");
	for (size_t i = 0; i < job->count; i++) {
		buffer_append_format(&text, "%s{\"status\":\"%s\",\"message\":", i ? "," : "", names[job->items[i].status]);
		api_append_text(&text, job->items[i].message);
		buffer_append_byte(&text, '}');
	}
	buffer_append_text(&text, "],\"slashing_protection\":");
	append_export(job, &text);
	buffer_append_byte(&text, '}');
	http_call_answer(job->call, &(struct http_answer){.status = 200, .content_type = API_JSON, .body = buffer_view(&text)});
}

/* ---- one key after the other ---- */

static void settle(struct deletion_item *item, enum deletion_status status, const char *message)
{
	item->status = status;
	item->message = message;
}

static void forget(struct api_deletion *job, struct deletion_item *item)
{
	struct control_client *control = api_call_of(job->call)->api->control;
	struct error error;

	settle(item, DELETION_DELETED, "");
	if (!control || !control_client_forget(control, item->public_key, &error))
		settle(item, DELETION_DELETED, "it signs no more, but its row in the key table stays active for now");
}

/* Without slashing protection nobody knows what was signed. */
static void add_to_export(struct api_deletion *job, const struct deletion_item *item, const struct message_history_result *result)
{
	struct interchange_key *export = &job->export[job->export_count];

	if (!api_call_of(job->call)->api->slashing_protection || !result->has_root)
		return;
	job->has_root = true;
	memcpy(job->genesis_validators_root, result->genesis_validators_root, ROOT_SIZE);
	memcpy(export->public_key, item->public_key, sizeof export->public_key);
	export->watermark = result->watermark;
	job->export_count++;
}

static void note_result(struct api_deletion *job, struct deletion_item *item, const struct message_history_result *result)
{
	if (result->status == HISTORY_UNKNOWN) {
		settle(item, DELETION_NOT_FOUND, "no such key is loaded, and none ever signed here");
		return;
	}
	if (result->status == HISTORY_OVERLOADED) {
		settle(item, DELETION_ERROR, "too much is under way; try again");
		return;
	}
	if (result->status != HISTORY_OK) {
		settle(item, DELETION_ERROR,
		       "the slashing protection store failed: the key signs no more until a restart, but it is not deleted; try "
		       "again");
		return;
	}
	add_to_export(job, item, result);
	/* Its row may be active all the same: an earlier answer was lost, or never came. */
	forget(job, item);
	if (!result->is_loaded)
		settle(item, DELETION_NOT_ACTIVE, "the key is not loaded; what it signed here is in slashing_protection");
}

static void on_retired(void *context, const union message *answer, const struct error *error);

static void retire_next(struct api_deletion *job)
{
	struct message_history retire;
	struct error error;

	if (job->next == job->count) {
		answer(job);
		return;
	}
	/* Its end would undo the deletion. */
	if (api_is_importing(api_call_of(job->call)->api, job->items[job->next].public_key)) {
		settle(&job->items[job->next++], DELETION_ERROR, "an import of this key is under way; try again");
		retire_next(job);
		return;
	}
	message_init(&retire, MESSAGE_HISTORY, 0);
	retire.action = HISTORY_RETIRE;
	memcpy(retire.public_key, job->items[job->next].public_key, sizeof retire.public_key);
	if (!keeper_client_send(api_call_of(job->call)->api->keeper, &retire, on_retired, job, &error))
		api_answer_error(job->call, 503, error.message, NULL);
}

/* On the keeper client's thread. */
static void on_retired(void *context, const union message *answer, const struct error *error)
{
	struct api_deletion *job = (struct api_deletion *)context;

	if (!answer) {
		api_answer_error(job->call, 503, error->message, NULL);
		return;
	}
	note_result(job, &job->items[job->next], &answer->history_result);
	job->next++;
	retire_next(job);
}

/* ---- the request ---- */

static bool is_repeated(const struct api_deletion *job, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	for (size_t i = 0; i < job->count; i++) {
		if (memcmp(job->items[i].public_key, public_key, BLS_PUBLIC_KEY_SIZE) == 0)
			return true;
	}
	return false;
}

static bool read_keys(struct api_deletion *job, json_t *pubkeys, struct error *error)
{
	if (json_array_size(pubkeys) > KEYS_MAX)
		return error_set(error, ERROR_INPUT, "pubkeys: %zu of them, at most %d are taken at one time",
				 json_array_size(pubkeys), KEYS_MAX);
	job->items = (struct deletion_item *)memory_allocate_zeroed(json_array_size(pubkeys) + 1, sizeof *job->items);
	job->export = (struct interchange_key *)memory_allocate_zeroed(json_array_size(pubkeys) + 1, sizeof *job->export);
	for (size_t i = 0; i < json_array_size(pubkeys); i++) {
		const char *text = json_string_value(json_array_get(pubkeys, i));
		uint8_t public_key[BLS_PUBLIC_KEY_SIZE];

		if (!text || !api_parse_identifier(text, public_key))
			return error_set(error, ERROR_INPUT, "pubkeys[%zu]: no BLS public key (96 hex digits)", i);
		if (is_repeated(job, public_key))
			return error_set(error, ERROR_INPUT, "pubkeys[%zu]: is there already", i);
		memcpy(job->items[job->count++].public_key, public_key, sizeof public_key);
	}
	return true;
}

void api_delete_keystores(struct http_call *call, const char *identifier)
{
	AUTO_JSON json_t *body = NULL;
	struct api_deletion *job;
	struct error error;
	json_t *pubkeys;

	(void)identifier;
	if (!api_authorize_manager(call))
		return;
	json_budget_begin(call->body.size);
	job = (struct api_deletion *)memory_allocate_zeroed(1, sizeof *job);
	api_call_of(call)->deletion = job;
	job->call = call;
	body = json_parse_object(call->body, "body", &error);
	if (!body || !json_read_array(body, "pubkeys", &pubkeys, &error) || !read_keys(job, pubkeys, &error)) {
		(void)api_answer_bad_request(call, &error);
		return;
	}
	if (!http_call_charge(call, 2 * job->count * KEY_TEXT_SIZE)) {
		api_answer_error(call, 503, "too many large answers are on their way at one time; try again", NULL);
		return;
	}
	http_call_defer(call);
	retire_next(job);
}
