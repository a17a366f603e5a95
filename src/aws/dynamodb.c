/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/dynamodb.h"

#include "aws/dynamodb_answers.h"
#include "aws/dynamodb_internal.h"
#include "aws/exchange.h"
#include "aws/session.h"
#include "base/clock.h"
#include "net/deadline.h"

/* A transaction takes about as long with this many items as with one, so it is not worth a connection to have fewer. */
#define CHUNK_MIN 16

struct dynamodb *dynamodb_new(const struct aws_endpoint *endpoint, const struct credentials *credentials, struct error *error)
{
	const struct aws_session_options options = {
		.endpoint = *endpoint,
		.service = "dynamodb",
		.credentials = credentials,
		.connections = DYNAMODB_CONNECTIONS,
	};
	struct aws_session *session = aws_session_new(&options, error);
	struct dynamodb *dynamodb;

	if (!session)
		return NULL;
	dynamodb = (struct dynamodb *)memory_allocate_zeroed(1, sizeof *dynamodb);
	dynamodb->session = session;
	dynamodb->attempt_ms = endpoint->timeout_ms;
	return dynamodb;
}

void dynamodb_free(struct dynamodb *dynamodb)
{
	if (!dynamodb)
		return;
	aws_session_free(dynamodb->session);
	free(dynamodb);
}

void dynamodb_item_done(struct dynamodb_item *item)
{
	json_decref(item->request);
	json_decref(item->found);
	*item = (struct dynamodb_item){0};
}

/* Items on their way to their fates. */
struct run {
	struct aws_session *session;
	unsigned attempt_ms;
	const struct operation *operation;
	const char *table;
	struct dynamodb_item *items;
	size_t count;
	size_t pending;
	uint64_t deadline_ms;
	struct dynamodb_chunk chunks[DYNAMODB_CONNECTIONS]; /* under way; empty: a free place */
	struct error problem;                               /* the last */
};

struct operation {
	const char *target;
	json_t *(*request)(const struct run *run, const struct dynamodb_chunk *chunk);
	/* The members' verdicts out of a success, and out of a failure. ERROR_PEER when they cannot be understood. */
	bool (*success)(const struct run *run, json_t *answer, const struct dynamodb_chunk *chunk,
			struct dynamodb_verdicts *verdicts, struct error *error);
	bool (*failure)(const struct run *run, const struct aws_outcome *outcome, const struct dynamodb_chunk *chunk,
			struct dynamodb_verdicts *verdicts, struct error *error);
};

/* ---- the end of an item, or another try ---- */

static void settle(struct run *run, struct dynamodb_item *item, enum dynamodb_fate fate, json_t *found)
{
	item->fate = fate;
	item->found = json_incref(found);
	run->pending--;
}

static void give_up(struct run *run)
{
	aws_session_cancel(run->session);
	for (size_t i = 0; i < run->count; i++) {
		if (run->items[i].fate == DYNAMODB_PENDING)
			settle(run, &run->items[i], DYNAMODB_FAILED, NULL);
	}
}

static void apply(struct run *run, const struct dynamodb_chunk *chunk, const struct dynamodb_verdicts *verdicts)
{
	static const enum dynamodb_fate fates[] = {
		[VERDICT_DONE] = DYNAMODB_DONE,
		[VERDICT_REFUSED] = DYNAMODB_REFUSED,
		[VERDICT_FAILED] = DYNAMODB_FAILED,
	};
	unsigned failures = 0;
	uint64_t later_ms;

	for (size_t i = 0; i < chunk->count; i++)
		failures = chunk->items[i]->failures > failures ? chunk->items[i]->failures : failures;
	/* One wait for all of them, or they would go each on its own. */
	later_ms = deadline_after(aws_back_off_ms(BACKOFF_BASE_MS, BACKOFF_MAX_MS, failures + 1));
	for (size_t i = 0; i < chunk->count; i++) {
		struct dynamodb_item *item = chunk->items[i];

		item->is_sent = false;
		if (verdicts->verdicts[i] == VERDICT_AGAIN) {
			item->failures++;
			item->not_before_ms = later_ms;
			/* Two enclaves at the same keys: the fewer there are in a transaction, the fewer it can fail for. */
			item->company_max = (chunk->count + 1) / 2;
		} else if (verdicts->verdicts[i] != VERDICT_INNOCENT) {
			settle(run, item, fates[verdicts->verdicts[i]], verdicts->found[i]);
		}
	}
	if (verdicts->problem.code != ERROR_NONE)
		run->problem = verdicts->problem;
}

static void apply_to_all(struct run *run, const struct dynamodb_chunk *chunk, enum dynamodb_verdict verdict,
			 const struct error *problem)
{
	struct dynamodb_verdicts verdicts = {.problem = *problem};

	for (size_t i = 0; i < chunk->count; i++)
		verdicts.verdicts[i] = verdict;
	apply(run, chunk, &verdicts);
}

static void take_outcome(struct run *run, const struct aws_outcome *outcome)
{
	struct dynamodb_chunk *place = (struct dynamodb_chunk *)outcome->context;
	const struct dynamodb_chunk chunk = *place;
	struct dynamodb_verdicts verdicts;
	struct error error = outcome->error;
	bool is_understood;

	place->count = 0;
	if (outcome->ok)
		is_understood = run->operation->success(run, outcome->answer, &chunk, &verdicts, &error);
	else
		is_understood = run->operation->failure(run, outcome, &chunk, &verdicts, &error);
	if (is_understood)
		apply(run, &chunk, &verdicts);
	else
		apply_to_all(run, &chunk, outcome->passing ? VERDICT_AGAIN : VERDICT_FAILED, &error);
}

/* ---- chunks ---- */

static bool is_ready(const struct dynamodb_item *item, uint64_t now_ms)
{
	return item->fate == DYNAMODB_PENDING && !item->is_sent && item->not_before_ms <= now_ms;
}

static size_t count_ready(const struct run *run, uint64_t now_ms)
{
	size_t count = 0;

	for (size_t i = 0; i < run->count; i++)
		count += is_ready(&run->items[i], now_ms);
	return count;
}

static struct dynamodb_chunk *find_free_chunk(struct run *run, size_t *ret_free)
{
	struct dynamodb_chunk *found = NULL;

	*ret_free = 0;
	for (size_t i = 0; i < DYNAMODB_CONNECTIONS; i++) {
		if (run->chunks[i].count > 0)
			continue;
		found = &run->chunks[i];
		(*ret_free)++;
	}
	return found;
}

/* As many as are an even share of the connections, in their order, none in larger company than it may be. */
static void fill_chunk(struct run *run, struct dynamodb_chunk *chunk, size_t share, uint64_t now_ms)
{
	size_t size = share < CHUNK_MIN ? CHUNK_MIN : share;

	if (size > DYNAMODB_CHUNK_MAX)
		size = DYNAMODB_CHUNK_MAX;
	for (size_t i = 0; i < run->count && chunk->count < size; i++) {
		struct dynamodb_item *item = &run->items[i];

		if (!is_ready(item, now_ms) || (item->company_max && item->company_max <= chunk->count))
			continue;
		if (item->company_max && item->company_max < size)
			size = item->company_max;
		item->is_sent = true;
		chunk->items[chunk->count++] = item;
	}
}

static void send_chunk(struct run *run, struct dynamodb_chunk *chunk)
{
	AUTO_JSON json_t *request = run->operation->request(run, chunk);
	AUTO_BUFFER struct buffer body = {0};
	unsigned left_ms = deadline_left_ms(run->deadline_ms);
	struct aws_session_call call = {.target = run->operation->target,
					.timeout_ms = left_ms < run->attempt_ms ? left_ms : run->attempt_ms,
					.max_response_size = RESPONSE_MAX_SIZE,
					.context = chunk};
	struct error error;
	struct dynamodb_chunk unsent;

	json_write(request, &body);
	call.body = buffer_view(&body);
	if (aws_session_begin(run->session, &call, &error))
		return;
	unsent = *chunk;
	chunk->count = 0;
	apply_to_all(run, &unsent, VERDICT_FAILED, &error);
}

static void send_ready(struct run *run)
{
	for (;;) {
		uint64_t now_ms = clock_monotonic_ms();
		size_t ready = count_ready(run, now_ms);
		size_t free_places;
		struct dynamodb_chunk *chunk = find_free_chunk(run, &free_places);

		if (ready == 0 || !chunk || now_ms >= run->deadline_ms)
			return;
		fill_chunk(run, chunk, (ready + free_places - 1) / free_places, now_ms);
		send_chunk(run, chunk);
	}
}

/* Until there is more to send, or the deadline. */
static unsigned wait_ms(struct run *run)
{
	uint64_t next_ms = run->deadline_ms;
	size_t free_places;

	if (!find_free_chunk(run, &free_places))
		return deadline_left_ms(next_ms);
	for (size_t i = 0; i < run->count; i++) {
		const struct dynamodb_item *item = &run->items[i];

		if (item->fate == DYNAMODB_PENDING && !item->is_sent && item->not_before_ms < next_ms)
			next_ms = item->not_before_ms;
	}
	return deadline_left_ms(next_ms);
}

static bool explain(const struct run *run, struct error *error)
{
	size_t failed = 0;

	for (size_t i = 0; i < run->count; i++)
		failed += run->items[i].fate == DYNAMODB_FAILED;
	if (failed == 0)
		return true;
	if (run->problem.code == ERROR_NONE)
		return error_set(error, ERROR_PEER, "DynamoDB: %zu of %zu items in doubt: no answer in time", failed, run->count);
	return error_set(error, run->problem.code, "DynamoDB: %zu of %zu items in doubt: %s", failed, run->count,
			 run->problem.message);
}

static bool run_to_the_end(struct run *run, struct error *error)
{
	run->pending = run->count;
	for (;;) {
		AUTO_AWS_OUTCOME struct aws_outcome outcome = {0};

		send_ready(run);
		if (run->pending == 0)
			break;
		if (aws_session_next(run->session, wait_ms(run), &outcome))
			take_outcome(run, &outcome);
		else if (deadline_left_ms(run->deadline_ms) == 0)
			give_up(run);
	}
	return explain(run, error);
}

/* ---- TransactWriteItems ---- */

static json_t *write_request(const struct run *run, const struct dynamodb_chunk *chunk)
{
	json_t *list = json_array();

	(void)run;
	for (size_t i = 0; i < chunk->count; i++)
		(void)json_array_append(list, chunk->items[i]->request);
	return json_pack("{s:o}", "TransactItems", list);
}

static bool write_success(const struct run *run, json_t *answer, const struct dynamodb_chunk *chunk,
			  struct dynamodb_verdicts *verdicts, struct error *error)
{
	(void)run;
	(void)answer;
	(void)chunk;
	(void)error;
	*verdicts = (struct dynamodb_verdicts){0};
	return true;
}

static bool write_failure(const struct run *run, const struct aws_outcome *outcome, const struct dynamodb_chunk *chunk,
			  struct dynamodb_verdicts *verdicts, struct error *error)
{
	(void)run;
	return strcmp(outcome->failure.name, "TransactionCanceledException") == 0 &&
	       dynamodb_read_cancellation(outcome->answer, chunk, verdicts, error);
}

bool dynamodb_write(struct dynamodb *dynamodb, struct dynamodb_item *items, size_t count, uint64_t deadline_ms, struct error *error)
{
	static const struct operation operation = {"DynamoDB_20120810.TransactWriteItems", write_request, write_success,
						   write_failure};
	struct run run = {.session = dynamodb->session,
			  .attempt_ms = dynamodb->attempt_ms,
			  .operation = &operation,
			  .items = items,
			  .count = count,
			  .deadline_ms = deadline_ms};

	return run_to_the_end(&run, error);
}

/* ---- BatchGetItem ---- */

static json_t *read_request(const struct run *run, const struct dynamodb_chunk *chunk)
{
	json_t *keys = json_array();

	for (size_t i = 0; i < chunk->count; i++)
		(void)json_array_append(keys, chunk->items[i]->request);
	return json_pack("{s:{s:{s:o,s:b}}}", "RequestItems", run->table, "Keys", keys, "ConsistentRead", 1);
}

static bool read_success(const struct run *run, json_t *answer, const struct dynamodb_chunk *chunk,
			 struct dynamodb_verdicts *verdicts, struct error *error)
{
	return dynamodb_read_batch(answer, run->table, chunk, verdicts, error);
}

static bool read_failure(const struct run *run, const struct aws_outcome *outcome, const struct dynamodb_chunk *chunk,
			 struct dynamodb_verdicts *verdicts, struct error *error)
{
	(void)run;
	(void)outcome;
	(void)chunk;
	(void)verdicts;
	(void)error;
	return false;
}

bool dynamodb_read(struct dynamodb *dynamodb, const char *table, struct dynamodb_item *items, size_t count, uint64_t deadline_ms,
		   struct error *error)
{
	static const struct operation operation = {"DynamoDB_20120810.BatchGetItem", read_request, read_success, read_failure};
	struct run run = {.session = dynamodb->session,
			  .attempt_ms = dynamodb->attempt_ms,
			  .operation = &operation,
			  .table = table,
			  .items = items,
			  .count = count,
			  .deadline_ms = deadline_ms};

	return run_to_the_end(&run, error);
}
