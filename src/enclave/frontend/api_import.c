/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /eth/v1/keystores. First what the keys have signed elsewhere is made durable, then each keystore goes to control, which has it
 * opened, sealed, stored by the parent and loaded; at last a key that had been deleted here is allowed to sign again. So no key signs before
 * its history is known, and one whose import is answered as an error signs nothing later. The steps of one call follow each other on
 * different threads, one at a time until the imports fan out.
 */
#include "base/json.h"
#include "enclave/frontend/api_keystores.h"
#include "enclave/frontend/json_budget.h"
#include "slashing/interchange.h"

#define ITEM_TEXT_SIZE (2 * ERROR_MESSAGE_SIZE + 64)

struct import_item {
	struct api_import *job;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	bool has_key;
	bool is_begun;        /* api_begin_import() */
	const char *keystore; /* borrowed from the body, as is the password */
	const char *password;
	bool has_history;
	struct watermark history; /* what it signed elsewhere */
	enum import_status status;
	char message[ERROR_MESSAGE_SIZE];
};

struct api_import {
	struct http_call *call;
	json_t *body;                               /* in memory that is wiped */
	bool has_document;                          /* slashing_protection, where it counts */
	uint8_t genesis_validators_root[ROOT_SIZE]; /* of its histories */
	size_t next;                                /* of the items whose history is to be raised */
	size_t count;
	struct import_item items[IMPORTS_MAX];
	atomic_size_t unfinished; /* items, and one while they are sent */
};

static void end_imports(struct api_import *job)
{
	for (size_t i = 0; i < job->count; i++) {
		if (job->items[i].is_begun)
			api_end_import(api_call_of(job->call)->api, job->items[i].public_key);
		job->items[i].is_begun = false;
	}
}

void api_import_free(struct api_import *job)
{
	if (!job)
		return;
	end_imports(job);
	json_decref(job->body);
	free(job);
}

/* ---- the answer ---- */

static void answer(struct api_import *job)
{
	static const char *const names[IMPORT_STATUS_COUNT] = {
		[IMPORT_OK] = "imported",
		[IMPORT_DUPLICATE] = "duplicate",
		[IMPORT_FAILED] = "error",
		[IMPORT_STORED] = "error",
	};
	AUTO_BUFFER struct buffer text = {0};

	buffer_append_text(&text, "{\"data\":[");
	for (size_t i = 0; i < job->count; i++) {
		const struct import_item *item = &job->items[i];

		buffer_append_format(&text, "%s{\"status\":\"%s\",\"message\":", i ? "," : "", names[item->status]);
		api_append_text(&text, item->message);
		buffer_append_byte(&text, '}');
		if (item->status == IMPORT_FAILED)
			api_log_refusal(job->call, 200, item->message);
	}
	buffer_append_text(&text, "]}");
	http_call_answer(job->call, &(struct http_answer){.status = 200, .content_type = API_JSON, .body = buffer_view(&text)});
}

/* The job may be gone after it. */
static void release(struct api_import *job)
{
	if (atomic_fetch_sub(&job->unfinished, 1) != 1)
		return;
	end_imports(job);
	answer(job);
}

static void finish(struct import_item *item, enum import_status status, const char *message)
{
	item->status = status;
	(void)snprintf(item->message, sizeof item->message, "%s", message);
	release(item->job);
}

static struct keeper_client *keeper_of(const struct api_import *job)
{
	return api_call_of(job->call)->api->keeper;
}

/* ---- last: it may sign ---- */

/* On the keeper client's thread. */
static void on_enabled(void *context, const union message *answer, const struct error *error)
{
	struct import_item *item = (struct import_item *)context;

	if (answer && answer->history_result.status == HISTORY_UNKNOWN)
		finish(item, item->status,
		       "slashing_protection does not name this key, and nothing else is known of what it signed: it signs no block "
		       "and no vote before its history is imported");
	else if (!answer || answer->history_result.status != HISTORY_OK)
		finish(item, IMPORT_FAILED,
		       answer ? "the key is stored, but the slashing protection store failed to let it sign; import it again"
			      : error->message);
	else
		release(item->job);
}

/*
 * A key that is there already was perhaps deleted, and came back by the table alone: it is imported now. Who gives a document does not say of a key
 * that the document leaves out that it never signed.
 */
static void enable(struct import_item *item)
{
	struct message_history request;
	struct error error;

	message_init(&request, MESSAGE_HISTORY, 0);
	request.action = HISTORY_ENABLE;
	request.known_only = item->job->has_document && !item->has_history;
	memcpy(request.public_key, item->public_key, sizeof request.public_key);
	if (!keeper_client_send(keeper_of(item->job), &request, on_enabled, item, &error))
		finish(item, IMPORT_FAILED, error.message);
}

/* ---- or: it never will ---- */

/* On the keeper client's thread. */
static void on_given_up(void *context, const union message *answer, const struct error *error)
{
	struct import_item *item = (struct import_item *)context;
	char message[sizeof item->message];

	(void)error;
	(void)snprintf(message, sizeof message, "%.200s%s", item->message,
		       answer && answer->history_result.status == HISTORY_OK
			       ? "; should it be loaded later, it signs nothing until it is imported again"
			       : "; should it be loaded later, it may sign here: delete it before you use it elsewhere");
	finish(item, IMPORT_FAILED, message);
}

/* Its row is with the host, who may load it whenever it likes: the client hears of an error, and takes the key elsewhere. */
static void give_up(struct import_item *item)
{
	struct message_history request;
	struct error error;

	message_init(&request, MESSAGE_HISTORY, 0);
	request.action = HISTORY_RETIRE;
	memcpy(request.public_key, item->public_key, sizeof request.public_key);
	(void)!control_client_forget(api_call_of(item->job->call)->api->control, item->public_key, &error);
	if (!keeper_client_send(keeper_of(item->job), &request, on_given_up, item, &error))
		on_given_up(item, NULL, &error);
}

/* On the role's main thread. */
static void on_imported(void *context, enum import_status status, const char *message)
{
	struct import_item *item = (struct import_item *)context;

	item->status = status;
	(void)snprintf(item->message, sizeof item->message, "%s", message);
	if (status == IMPORT_FAILED)
		release(item->job);
	else if (status == IMPORT_STORED)
		give_up(item);
	else
		enable(item);
}

static void send_imports(struct api_import *job)
{
	struct control_client *control = api_call_of(job->call)->api->control;

	for (size_t i = 0; i < job->count; i++) {
		struct import_item *item = &job->items[i];
		struct error error;

		if (!item->has_key)
			finish(item, IMPORT_FAILED, "keystore: no JSON object with a pubkey of 96 hex digits");
		else if (!item->is_begun)
			finish(item, IMPORT_FAILED, "an import of this key is under way, or too many are; try again");
		else if (!control_client_import(control, view_of_text(item->keystore), view_of_text(item->password), on_imported,
						item, &error))
			finish(item, IMPORT_FAILED, error.message);
	}
	release(job);
}

/* ---- first: what the keys have signed ---- */

static void on_raised(void *context, const union message *answer, const struct error *error);

static const struct import_item *next_with_history(struct api_import *job)
{
	while (job->next < job->count) {
		const struct import_item *item = &job->items[job->next++];

		if (item->has_history)
			return item;
	}
	return NULL;
}

static void raise_next(struct api_import *job)
{
	const struct import_item *item = next_with_history(job);
	struct message_history raise;
	struct error error;

	if (!item) {
		send_imports(job);
		return;
	}
	message_init(&raise, MESSAGE_HISTORY, 0);
	raise.action = HISTORY_RAISE;
	memcpy(raise.public_key, item->public_key, sizeof raise.public_key);
	memcpy(raise.genesis_validators_root, job->genesis_validators_root, ROOT_SIZE);
	raise.watermark = item->history;
	if (!keeper_client_send(keeper_of(job), &raise, on_raised, job, &error))
		api_answer_error(job->call, 503, error.message, NULL);
}

static void refuse_raise(struct http_call *call, const struct message_history_result *result)
{
	char root[2 * ROOT_SIZE + 1];
	struct error error;

	hex_encode(view_of(result->genesis_validators_root, ROOT_SIZE), root);
	if (result->status != HISTORY_WRONG_NETWORK) {
		api_answer_error(call, 503, "the slashing protection store failed, so nothing was imported; try again", NULL);
		return;
	}
	(void)error_set(&error, ERROR_INPUT,
			"slashing_protection: metadata.genesis_validators_root: not that of this signer's network, %s (0x%s)",
			api_call_of(call)->api->network.name, root);
	api_answer_error(call, 400, error.message, NULL);
}

/* On the keeper client's thread. */
static void on_raised(void *context, const union message *answer, const struct error *error)
{
	struct api_import *job = (struct api_import *)context;

	if (!answer)
		api_answer_error(job->call, 503, error->message, NULL);
	else if (answer->history_result.status != HISTORY_OK)
		refuse_raise(job->call, &answer->history_result);
	else
		raise_next(job);
}

/* ---- the request ---- */

/* EIP-2335 has the key without 0x. Whether it is that of the secret is for the opener to see. */
static void read_public_key(struct import_item *item)
{
	struct error ignored;
	AUTO_JSON json_t *keystore = json_parse_object(view_of_text(item->keystore), "keystore", &ignored);

	item->has_key = keystore && json_read_hex(keystore, "pubkey", item->public_key, sizeof item->public_key, &ignored);
}

static bool read_items(struct api_import *job, struct error *error)
{
	json_t *keystores, *passwords;

	if (!json_read_array(job->body, "keystores", &keystores, error) ||
	    !json_read_array(job->body, "passwords", &passwords, error))
		return false;
	if (json_array_size(keystores) != json_array_size(passwords))
		return error_set(error, ERROR_INPUT, "passwords: %zu of them for %zu keystores", json_array_size(passwords),
				 json_array_size(keystores));
	if (json_array_size(keystores) > IMPORTS_MAX)
		return error_set(error, ERROR_INPUT, "keystores: %zu of them, at most %d are taken at one time",
				 json_array_size(keystores), IMPORTS_MAX);
	job->count = json_array_size(keystores);
	for (size_t i = 0; i < job->count; i++) {
		struct import_item *item = &job->items[i];

		item->job = job;
		item->keystore = json_string_value(json_array_get(keystores, i));
		item->password = json_string_value(json_array_get(passwords, i));
		if (!item->keystore || !item->password)
			return error_set(error, ERROR_INPUT, "%s[%zu]: not a text", item->keystore ? "passwords" : "keystores", i);
		read_public_key(item);
	}
	return true;
}

static void take_history(struct import_item *item, const struct interchange *document)
{
	const struct interchange_key *found = item->has_key ? interchange_find(document, item->public_key) : NULL;

	item->has_history = found != NULL;
	if (found)
		item->history = found->watermark;
}

/*
 * Without slashing protection there is nothing that it could be imported into. The document may have 100,000 keys and be as large as the
 * body; imports take seconds, and all that they need of it is what it says of their own few keys.
 */
static bool read_histories(struct api_import *job, struct error *error)
{
	AUTO_INTERCHANGE struct interchange document = {0};
	const char *text;

	if (!json_read_text_optional(job->body, "slashing_protection", &text, error))
		return false;
	if (text && api_call_of(job->call)->api->slashing_protection && !interchange_parse(view_of_text(text), &document, error))
		return error_prefix(error, "slashing_protection");
	job->has_document = text && api_call_of(job->call)->api->slashing_protection;
	(void)json_object_del(job->body, "slashing_protection");
	memcpy(job->genesis_validators_root, document.genesis_validators_root, ROOT_SIZE);
	for (size_t i = 0; i < job->count; i++)
		take_history(&job->items[i], &document);
	return true;
}

void api_import_keystores(struct http_call *call, const char *identifier)
{
	struct api_import *job;
	struct error error;

	(void)identifier;
	if (!api_authorize_manager(call))
		return;
	json_budget_begin(call->body.size);
	job = (struct api_import *)memory_allocate_zeroed(1, sizeof *job);
	api_call_of(call)->import = job;
	job->call = call;
	job->body = json_parse_object(call->body, "body", &error);
	if (!job->body || !read_items(job, &error) || !read_histories(job, &error)) {
		(void)api_answer_bad_request(call, &error);
		return;
	}
	if (!http_call_charge(call, 2 * job->count * ITEM_TEXT_SIZE)) {
		api_answer_error(call, 503, "too many large answers are on their way at one time; try again", NULL);
		return;
	}
	atomic_init(&job->unfinished, job->count + 1);
	for (size_t i = 0; i < job->count; i++)
		job->items[i].is_begun =
			job->items[i].has_key && api_begin_import(api_call_of(call)->api, job->items[i].public_key);
	http_call_defer(call);
	raise_next(job);
}
