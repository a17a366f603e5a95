/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include <openssl/rand.h>

#include "aws/dynamodb_answers.h"
#include "aws/dynamodb_internal.h"
#include "aws/exchange.h"
#include "net/deadline.h"

/* DynamoDB takes 36 characters. */
#define TOKEN_SIZE 16

/* What has become of a transaction. */
enum end {
	END_AGAIN, /* nothing was done; it may go well another time */
	END_REFUSED,
	END_FAILED,
};

static enum end judge(const struct dynamodb_chunk *chunk, const struct dynamodb_verdicts *verdicts)
{
	enum end end = END_AGAIN;

	for (size_t i = 0; i < chunk->count; i++) {
		if (verdicts->verdicts[i] == VERDICT_FAILED)
			return END_FAILED;
		if (verdicts->verdicts[i] == VERDICT_REFUSED)
			end = END_REFUSED;
	}
	return end;
}

/* Out of a failure; *error becomes what is to be told of it. */
static enum end read_failure(const struct aws_outcome *outcome, const struct dynamodb_chunk *chunk, struct error *error)
{
	struct dynamodb_verdicts verdicts;
	enum end end;

	*error = outcome->error;
	if (strcmp(outcome->failure.name, "TransactionCanceledException") != 0)
		return END_FAILED;
	if (!dynamodb_read_cancellation(outcome->answer, chunk, &verdicts, error))
		return (void)error_prefix(error, "DynamoDB"), END_FAILED;
	end = judge(chunk, &verdicts);
	if (end != END_REFUSED) {
		*error = verdicts.problem;
		(void)error_prefix(error, "DynamoDB");
		return end;
	}
	for (size_t i = 0; i < chunk->count; i++) {
		if (verdicts.verdicts[i] != VERDICT_REFUSED)
			continue;
		chunk->items[i]->fate = DYNAMODB_REFUSED;
		chunk->items[i]->found = json_incref(verdicts.found[i]);
	}
	return end;
}

static void set_fates(const struct dynamodb_chunk *chunk, enum dynamodb_fate fate)
{
	for (size_t i = 0; i < chunk->count; i++)
		chunk->items[i]->fate = fate;
}

static bool run(struct dynamodb *dynamodb, const struct dynamodb_call *call, const struct dynamodb_chunk *chunk,
		uint64_t deadline_ms, struct error *error)
{
	for (unsigned failures = 1;; failures++) {
		AUTO_AWS_OUTCOME struct aws_outcome outcome = {0};
		enum end end;

		if (dynamodb_call(dynamodb, call, deadline_ms, &outcome)) {
			set_fates(chunk, DYNAMODB_DONE);
			return true;
		}
		end = read_failure(&outcome, chunk, error);
		if (end == END_REFUSED)
			return true;
		if (end == END_FAILED || deadline_left_ms(deadline_ms) == 0)
			break;
		(void)usleep(aws_back_off_ms(BACKOFF_BASE_MS, BACKOFF_MAX_MS, failures) * 1000);
	}
	set_fates(chunk, DYNAMODB_FAILED);
	return false;
}

bool dynamodb_transact(struct dynamodb *dynamodb, struct dynamodb_item *items, size_t count, uint64_t deadline_ms,
		       struct error *error)
{
	AUTO_JSON json_t *list = json_array();
	AUTO_JSON json_t *request = NULL;
	AUTO_BUFFER struct buffer body = {0};
	struct dynamodb_call call = {"DynamoDB_20120810.TransactWriteItems", {0}, RESPONSE_MAX_SIZE};
	struct dynamodb_chunk chunk = {.count = count};
	uint8_t random[TOKEN_SIZE];
	char token[2 * TOKEN_SIZE + 1];
	struct error problem = {0};

	if (count == 0)
		return true;
	if (count > DYNAMODB_TRANSACTION_MAX)
		return error_set(error, ERROR_BUG, "DynamoDB: %zu items in a transaction", count);
	if (RAND_bytes(random, sizeof random) != 1)
		return error_set(error, ERROR_CRYPTO, "no random bytes");
	hex_encode(view_of(random, sizeof random), token);
	for (size_t i = 0; i < count; i++) {
		chunk.items[i] = &items[i];
		(void)json_array_append(list, items[i].request);
	}
	request = json_pack("{s:O,s:s}", "TransactItems", list, "ClientRequestToken", token);
	json_write(request, &body);
	call.body = buffer_view(&body);
	if (run(dynamodb, &call, &chunk, deadline_ms, &problem))
		return true;
	if (error)
		*error = problem;
	return false;
}
