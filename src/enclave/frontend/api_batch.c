/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request, signed by many keys: an array in the order of the identifiers, with a signature or an error each. A key that is
 * named twice is asked twice; the second is a repeat of the same duty, which the keeper signs again.
 */
#include "enclave/frontend/api_internal.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/json.h"
#include "enclave/frontend/json_budget.h"
#include "enclave/frontend/sign_request.h"
#include "enclave/metrics.h"

/* The attesters of one slot among 100,000 keys are 3,125; as many as the keeper's queue has places. */
#define IDENTIFIERS_MAX 4096
/* With the keeper at one time: what the ledger makes durable in one go (LEDGER_GROUP_MAX); more would only wait there. */
#define WINDOW 128
/* Under way at one time. */
#define BATCHES_MAX (API_BATCH_REQUESTS_MAX / WINDOW)
/*
 * After this no further key is begun. With the keeper's own deadline for the last ones (10 s) the answer is there within the
 * 30 s that a request has, and no client waits longer than 12 s anyway.
 */
#define BATCH_DEADLINE_MS 10000

#define KEY_TEXT_SIZE (2 * BLS_PUBLIC_KEY_SIZE + 1)
#define SIGNATURE_TEXT_SIZE (2 * BLS_SIGNATURE_SIZE + 1)
/* {"identifier":"0x…","error":{"code":N,"message":"…"}} with every character escaped; a signature is shorter. */
#define ITEM_TEXT_MAX_SIZE (KEY_TEXT_SIZE + 64 + 2 * ERROR_MESSAGE_SIZE)

struct batch_item {
	struct api_batch *batch;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	const char *refusing_rule; /* of the signing policy, or NULL: then the keeper is asked */
	char *failure;             /* why there is no result, or NULL */
	struct message_sign_result result;
};

/* The item, its failure, its text and the server's copy of that. */
#define ITEM_MEMORY_SIZE (sizeof(struct batch_item) + ERROR_MESSAGE_SIZE + 2 * (size_t)ITEM_TEXT_MAX_SIZE)

struct api_batch {
	struct http_call *call;
	struct message_sign message; /* but for the key */
	uint64_t started_us;         /* monotonic */
	uint64_t deadline_ms;
	struct batch_item *items;
	size_t count;
	atomic_size_t unfinished; /* items, and one while the handler runs; who brings it to zero answers */

	pthread_mutex_t lock; /* what follows */
	size_t next;
	size_t under_way;
};

void api_batch_free(struct api_batch *batch)
{
	if (!batch)
		return;
	for (size_t i = 0; i < batch->count; i++)
		free(batch->items[i].failure);
	free(batch->items);
	(void)pthread_mutex_destroy(&batch->lock);
	free(batch);
}

static struct api_batch *batch_new(struct http_call *call, size_t count)
{
	struct api_batch *batch = (struct api_batch *)memory_allocate_zeroed(1, sizeof *batch);

	batch->call = call;
	batch->items = (struct batch_item *)memory_allocate_zeroed(count, sizeof *batch->items);
	batch->count = count;
	batch->started_us = clock_monotonic_us();
	batch->deadline_ms = clock_monotonic_ms() + BATCH_DEADLINE_MS;
	atomic_init(&batch->unfinished, count + 1);
	(void)pthread_mutex_init(&batch->lock, NULL);
	for (size_t i = 0; i < count; i++)
		batch->items[i].batch = batch;
	return batch;
}

/* ---- the answer ---- */

static void append_item(struct buffer *text, struct http_call *call, const struct batch_item *item)
{
	struct api_call *state = api_call_of(call);
	char hex[SIGNATURE_TEXT_SIZE];
	unsigned status = 503;
	struct error reason;

	hex_encode(view_of(item->public_key, BLS_PUBLIC_KEY_SIZE), hex);
	buffer_append_format(text, "{\"identifier\":\"0x%s\",", hex);
	memcpy(state->public_key, item->public_key, BLS_PUBLIC_KEY_SIZE);
	if (item->failure)
		(void)error_set(&reason, ERROR_PEER, "%s", item->failure);
	if (item->refusing_rule) {
		status = 403;
		api_describe_refusing_rule(call, item->batch->message.artifact_type, item->refusing_rule, &reason);
	}
	if (!item->failure && !item->refusing_rule)
		status = api_describe_result(state, &item->result, &reason);
	api_count_signing(item->batch->message.artifact_type, status, item->failure || item->refusing_rule ? NULL : &item->result);
	if (status == 200) {
		hex_encode(view_of(item->result.signature, BLS_SIGNATURE_SIZE), hex);
		buffer_append_format(text, "\"signature\":\"0x%s\"}", hex);
		return;
	}
	api_log_refusal(call, status, reason.message);
	buffer_append_text(text, "\"error\":");
	api_append_error(text, status, reason.message);
	buffer_append_byte(text, '}');
}

static void answer_batch(struct api_batch *batch)
{
	struct http_call *call = batch->call;
	AUTO_BUFFER struct buffer text = {0};

	for (size_t i = 0; i < batch->count; i++) {
		buffer_append_byte(&text, i == 0 ? '[' : ',');
		append_item(&text, call, &batch->items[i]);
	}
	buffer_append_byte(&text, ']');
	(void)atomic_fetch_sub(&api_call_of(call)->api->batches, 1);
	http_call_answer(call, &(struct http_answer){.status = 200, .content_type = API_JSON, .body = buffer_view(&text)});
}

/* ---- the items ---- */

/* The batch may be gone after it. */
static void release(struct api_batch *batch)
{
	if (atomic_fetch_sub(&batch->unfinished, 1) == 1)
		answer_batch(batch);
}

static struct batch_item *take_next(struct api_batch *batch)
{
	struct batch_item *item = NULL;

	(void)pthread_mutex_lock(&batch->lock);
	if (batch->under_way < WINDOW && batch->next < batch->count) {
		item = &batch->items[batch->next++];
		batch->under_way++;
	}
	(void)pthread_mutex_unlock(&batch->lock);
	return item;
}

static void leave_window(struct api_batch *batch)
{
	(void)pthread_mutex_lock(&batch->lock);
	batch->under_way--;
	(void)pthread_mutex_unlock(&batch->lock);
}

static void on_item(void *context, const union message *answer, const struct error *error);

static bool send_item(struct batch_item *item, struct error *error)
{
	struct api_batch *batch = item->batch;
	struct message_sign message;

	if (clock_monotonic_ms() > batch->deadline_ms)
		return error_set(error, ERROR_PEER, "no time was left for this key; try again");
	memcpy(&message, &batch->message, sizeof message);
	memcpy(message.public_key, item->public_key, BLS_PUBLIC_KEY_SIZE);
	return keeper_client_send(api_call_of(batch->call)->api->keeper, &message, on_item, item, error);
}

/* Fill the window. The caller has a hold on the batch. */
static void send_more(struct api_batch *batch)
{
	struct batch_item *item;

	while ((item = take_next(batch)) != NULL) {
		struct error error;

		if (!item->refusing_rule && send_item(item, &error))
			continue;
		if (!item->refusing_rule)
			item->failure = memory_copy_text(error.message);
		leave_window(batch);
		release(batch);
	}
}

/* On the keeper client's thread. */
static void on_item(void *context, const union message *answer, const struct error *error)
{
	struct batch_item *item = (struct batch_item *)context;
	struct api_batch *batch = item->batch;

	if (answer)
		memcpy(&item->result, &answer->sign_result, sizeof item->result);
	else
		item->failure = memory_copy_text(error->message);
	metrics_observe(METRIC_SIGNING_DURATION, batch->message.artifact_type, clock_monotonic_us() - batch->started_us);
	leave_window(batch);
	send_more(batch);
	release(batch);
}

/* ---- the handler ---- */

static bool read_identifiers(json_t *body, json_t **ret_identifiers, struct error *error)
{
	json_t *identifiers;

	if (!json_read_array(body, "identifiers", &identifiers, error))
		return false;
	if (json_array_size(identifiers) == 0)
		return error_set(error, ERROR_INPUT, "identifiers: empty");
	if (json_array_size(identifiers) > IDENTIFIERS_MAX)
		return error_set(error, ERROR_INPUT, "identifiers: %zu of them, at most %d are taken", json_array_size(identifiers),
				 IDENTIFIERS_MAX);
	*ret_identifiers = identifiers;
	return true;
}

/* The request is a member of its own, or its members stand beside the identifiers. */
static bool read_request(json_t *body, const struct network *network, struct message_sign *ret_message, struct error *error)
{
	static const uint8_t no_key[BLS_PUBLIC_KEY_SIZE];
	json_t *request;

	if (!json_object_get(body, "signing_request"))
		return sign_request_read(body, no_key, network, ret_message, error);
	if (!json_read_object(body, "signing_request", &request, error))
		return false;
	return sign_request_read(request, no_key, network, ret_message, error) || error_prefix(error, "signing_request");
}

static bool read_keys(json_t *identifiers, struct api_batch *batch, struct error *error)
{
	for (size_t i = 0; i < batch->count; i++) {
		const char *text = json_string_value(json_array_get(identifiers, i));

		if (!text || !api_parse_identifier(text, batch->items[i].public_key))
			return error_set(error, ERROR_INPUT, "identifiers: number %zu is no BLS public key (96 hex digits)", i + 1);
	}
	return true;
}

static void apply_policy(const struct http_call *call, struct api_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct batch_item *item = &batch->items[i];

		item->refusing_rule = api_find_refusing_rule(call, batch->message.artifact_type, item->public_key);
	}
}

static void begin(struct http_call *call, struct api_batch *batch)
{
	struct api *api = api_call_of(call)->api;

	if (atomic_fetch_add(&api->batches, 1) >= BATCHES_MAX) {
		(void)atomic_fetch_sub(&api->batches, 1);
		api_count_signing(batch->message.artifact_type, 503, NULL);
		api_answer_error(call, 503, "too many batches at one time; try again", NULL);
		return;
	}
	http_call_defer(call);
	send_more(batch);
	release(batch);
}

void api_sign_batch(struct http_call *call, const char *identifier)
{
	struct api_call *state = api_call_of(call);
	AUTO_JSON json_t *body = NULL;
	struct message_sign message;
	json_t *identifiers = NULL;
	struct error error;

	(void)identifier;
	json_budget_begin(call->body.size);
	body = json_parse_object(call->body, "body", &error);
	if (!body || !read_identifiers(body, &identifiers, &error) || !read_request(body, &state->api->network, &message, &error)) {
		api_count_signing(0, api_answer_bad_request(call, &error), NULL);
		return;
	}
	if (!http_call_charge(call, json_array_size(identifiers) * ITEM_MEMORY_SIZE)) {
		api_answer_error(call, 503, "too many large answers are on their way at one time; try again", NULL);
		return;
	}
	state->batch = batch_new(call, json_array_size(identifiers));
	if (!read_keys(identifiers, state->batch, &error)) {
		api_count_signing(0, api_answer_bad_request(call, &error), NULL);
		return;
	}
	memcpy(&state->batch->message, &message, sizeof message);
	memcpy(state->signing_root, message.signing_root, ROOT_SIZE);
	apply_policy(call, state->batch);
	begin(call, state->batch);
}
