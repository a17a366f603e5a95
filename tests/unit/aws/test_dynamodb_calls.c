/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to DynamoDB as one call: pages of Scan and Query, and transactions that are all or none. */
#include "vectors.h"

#include "aws/dynamodb.h"
#include "base/clock.h"
#include "example_credentials.h"
#include "http_test_server.h"
#include "net/deadline.h"

#define ATTEMPT_MS 5000
#define DEADLINE_MS 20000
/* What a machine under load may need beside the delays that a test asks for. */
#define SLACK_MS 3000
#define ITEMS 3

struct fixture {
	struct test_server *server;
	char host[32];
	struct dynamodb *client;
	struct dynamodb_item items[ITEMS];
	struct error error;
};

static void release_items(struct fixture *fixture)
{
	for (size_t i = 0; i < ITEMS; i++)
		dynamodb_item_done(&fixture->items[i]);
}

static void fixture_done(struct fixture *fixture)
{
	release_items(fixture);
	dynamodb_free(fixture->client);
	test_server_free(&fixture->server);
}

#define AUTO_FIXTURE CLEANUP(fixture_done)

static void fixture_make(struct fixture *fixture, const struct test_answer *answers, size_t count)
{
	struct aws_endpoint endpoint = {.region = "us-east-1", .host = fixture->host, .timeout_ms = ATTEMPT_MS, .is_plain = true};

	*fixture = (struct fixture){.server = test_server_new(NULL, NULL, answers, count)};
	(void)snprintf(fixture->host, sizeof fixture->host, "localhost:%u", test_server_port(fixture->server));
	fixture->client = dynamodb_new(&endpoint, &credentials, &fixture->error);
	assert_ok(fixture->client != NULL, &fixture->error);
}

static void assert_request(const struct fixture *fixture, size_t n, const char *operation, const char *expected)
{
	const struct test_request *request = test_server_request(fixture->server, n);
	AUTO_FREE char *target = test_request_header(request, "x-amz-target");
	AUTO_FREE char *wanted = memory_format("DynamoDB_20120810.%s", operation);
	AUTO_JSON json_t *body = json_parse_object(buffer_view(&request->body), "body", NULL);
	AUTO_JSON json_t *wanted_body = json_parse_object(view_of_text(expected), "expected", NULL);

	assert_string_equal(target, wanted);
	assert_true(json_equal(body, wanted_body));
}

/* ---- pages ---- */

typedef json_t *read_page(struct fixture *fixture, json_t *after, size_t limit, unsigned deadline_ms);

static json_t *scan(struct fixture *fixture, json_t *after, size_t limit, unsigned deadline_ms)
{
	return dynamodb_scan(fixture->client, "t", after, limit, deadline_after(deadline_ms), &fixture->error);
}

static json_t *query(struct fixture *fixture, json_t *after, size_t limit, unsigned deadline_ms)
{
	AUTO_JSON json_t *value = dynamodb_text("one");
	const struct dynamodb_query asked = {.table = "t", .key_name = "signer", .key_value = value, .limit = limit};

	return dynamodb_query(fixture->client, &asked, after, deadline_after(deadline_ms), &fixture->error);
}

static read_page *const page_readers[] = {scan, query};

#define QUERY                                                                                                                      \
	"\"TableName\":\"t\",\"ConsistentRead\":true,\"KeyConditionExpression\":\"#k = :k\","                                      \
	"\"ExpressionAttributeNames\":{\"#k\":\"signer\"},\"ExpressionAttributeValues\":{\":k\":{\"S\":\"one\"}}"

static void pages_are_asked_for_one_after_the_other(void **state)
{
	static const struct test_answer answers[] = {
		{200, "{\"Items\":[{\"n\":{\"N\":\"1\"}}],\"LastEvaluatedKey\":{\"n\":{\"N\":\"1\"}}}"},
		{200, "{\"Items\":[]}"},
		{200, "{\"Items\":[]}"},
	};
	AUTO_FIXTURE struct fixture fixture;
	AUTO_JSON json_t *first = NULL;
	AUTO_JSON json_t *second = NULL;
	AUTO_JSON json_t *third = NULL;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers));
	first = query(&fixture, NULL, 0, DEADLINE_MS);
	assert_ok(first != NULL, &fixture.error);
	assert_int_equal(json_array_size(json_object_get(first, "Items")), 1);
	second = query(&fixture, json_object_get(first, "LastEvaluatedKey"), 7, DEADLINE_MS);
	assert_ok(second != NULL, &fixture.error);
	assert_null(json_object_get(second, "LastEvaluatedKey"));
	third = scan(&fixture, json_object_get(first, "LastEvaluatedKey"), 9, DEADLINE_MS);
	assert_ok(third != NULL, &fixture.error);
	assert_request(&fixture, 0, "Query", "{" QUERY "}");
	assert_request(&fixture, 1, "Query", "{" QUERY ",\"Limit\":7,\"ExclusiveStartKey\":{\"n\":{\"N\":\"1\"}}}");
	assert_request(&fixture, 2, "Scan",
		       "{\"TableName\":\"t\",\"ConsistentRead\":true,\"Limit\":9,\"ExclusiveStartKey\":{\"n\":{\"N\":\"1\"}}}");
}

static void a_page_is_asked_for_again_when_that_may_help(void **state)
{
	static const struct test_answer answers[] = {
		{.is_lost = true},
		{500, "{}"},
		{400, "{\"__type\":\"a#ProvisionedThroughputExceededException\"}"},
		{200, "{\"Items\":[]}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(page_readers); i++) {
		AUTO_FIXTURE struct fixture fixture;
		AUTO_JSON json_t *page = NULL;

		fixture_make(&fixture, answers, ARRAY_SIZE(answers));
		page = page_readers[i](&fixture, NULL, 1, DEADLINE_MS);
		assert_ok(page != NULL, &fixture.error);
		assert_int_equal(test_server_request_count(fixture.server), ARRAY_SIZE(answers));
	}
}

static void bad_pages_are_failures(void **state)
{
	static const struct {
		struct test_answer answer;
		enum error_code code;
		const char *message;
	} cases[] = {
		{{200, "{}"}, ERROR_PEER, "no list of items"},
		{{200, "{\"Items\":{}}"}, ERROR_PEER, "no list of items"},
		{{200, "{\"Items\":[],\"LastEvaluatedKey\":7}"}, ERROR_PEER, "no list of items"},
		{{200, "{\"Items\":[{},[]]}"}, ERROR_PEER, "Items[1]: no object"},
		{{200, "garbage"}, ERROR_PEER, "malformed JSON"},
		{{400, "{\"__type\":\"a#AccessDeniedException\",\"Message\":\"not you\"}"}, ERROR_POLICY, "not you"},
		{{400, "{\"__type\":\"a#ResourceNotFoundException\"}"}, ERROR_AWS, "DynamoDB: ResourceNotFoundException"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(page_readers); i++) {
		AUTO_FIXTURE struct fixture fixture;

		fixture_make(&fixture, &cases[i / 2].answer, 1);
		assert_null(page_readers[i % 2](&fixture, NULL, 1, DEADLINE_MS));
		assert_int_equal(fixture.error.code, cases[i / 2].code);
		assert_message_contains(&fixture.error, cases[i / 2].message);
		assert_int_equal(test_server_request_count(fixture.server), 1);
	}
}

static void the_deadline_ends_a_page(void **state)
{
	static const struct test_answer slow = {.status = 200, .body = "{\"Items\":[]}", .delay_ms = 1200};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(page_readers); i++) {
		AUTO_FIXTURE struct fixture fixture;
		uint64_t start_ms = clock_monotonic_ms();

		fixture_make(&fixture, &slow, 1);
		assert_null(page_readers[i](&fixture, NULL, 1, 300));
		assert_true(clock_monotonic_ms() - start_ms < 300 + SLACK_MS);
		assert_message_contains(&fixture.error, "time");
		/* It is over: nothing is even sent. */
		assert_null(page_readers[i](&fixture, NULL, 1, 0));
		assert_message_contains(&fixture.error, "no answer in time");
	}
}

/* A page is a megabyte, of which writes and reads by key would take a quarter. */
static void a_page_of_a_query_may_be_large(void **state)
{
	AUTO_FREE char *text = (char *)memory_allocate((1u << 20) + 1);
	AUTO_FREE char *body = NULL;
	struct test_answer answer = {.status = 200};
	AUTO_FIXTURE struct fixture fixture;
	AUTO_JSON json_t *page = NULL;

	(void)state;
	memset(text, 'x', 1u << 20);
	text[1u << 20] = 0;
	body = memory_format("{\"Items\":[{\"a\":{\"S\":\"%s\"}}]}", text);
	answer.body = body;
	fixture_make(&fixture, &answer, 1);
	page = query(&fixture, NULL, 0, DEADLINE_MS);
	assert_ok(page != NULL, &fixture.error);
	assert_null(scan(&fixture, NULL, 1, DEADLINE_MS));
	assert_message_contains(&fixture.error, "larger than 262144 bytes");
}

/* ---- transactions ---- */

#define CANCELLED(reasons)                                                                                                         \
	"{\"__type\":\"com.amazonaws.dynamodb.v20120810#TransactionCanceledException\",\"Message\":\"m\","                         \
	"\"CancellationReasons\":[" reasons "]}"
#define NONE "{\"Code\":\"None\"}"
#define REASON(code) "{\"Code\":\"" code "\",\"Message\":\"why\"}"

static bool transact(struct fixture *fixture, unsigned deadline_ms)
{
	release_items(fixture);
	for (size_t i = 0; i < ITEMS; i++)
		fixture->items[i].request = json_pack("{s:i}", "n", (int)i);
	return dynamodb_transact(fixture->client, fixture->items, ITEMS, deadline_after(deadline_ms), &fixture->error);
}

static void assert_fates(const struct fixture *fixture, enum dynamodb_fate first, enum dynamodb_fate second,
			 enum dynamodb_fate third)
{
	assert_int_equal(fixture->items[0].fate, first);
	assert_int_equal(fixture->items[1].fate, second);
	assert_int_equal(fixture->items[2].fate, third);
}

/* The token of the n-th request, which has all the items. Caller frees. */
static char *token_of(const struct fixture *fixture, size_t n)
{
	const struct test_request *request = test_server_request(fixture->server, n);
	AUTO_JSON json_t *body = json_parse(buffer_view(&request->body), "body", NULL);
	const char *token = json_string_value(json_object_get(body, "ClientRequestToken"));

	assert_int_equal(json_array_size(json_object_get(body, "TransactItems")), ITEMS);
	assert_non_null(token);
	assert_in_range(strlen(token), 1, 36);
	return memory_copy_text(token);
}

/* It is sent whole and under the same token until it is known what became of it; another one has another token. */
static void a_transaction_has_one_token(void **state)
{
	static const struct test_answer answers[] = {
		{.is_lost = true},
		{500, "{}"},
		{400, CANCELLED(NONE "," REASON("TransactionConflict") "," NONE)},
		{400, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#TransactionInProgressException\"}"},
		{200, "{}"},
	};
	AUTO_FIXTURE struct fixture fixture;
	AUTO_FREE char *token = NULL;
	AUTO_FREE char *another = NULL;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers));
	assert_true(dynamodb_transact(fixture.client, NULL, 0, 0, &fixture.error));
	assert_ok(transact(&fixture, DEADLINE_MS), &fixture.error);
	assert_fates(&fixture, DYNAMODB_DONE, DYNAMODB_DONE, DYNAMODB_DONE);
	assert_int_equal(test_server_request_count(fixture.server), ARRAY_SIZE(answers));
	token = token_of(&fixture, 0);
	for (size_t i = 1; i < ARRAY_SIZE(answers); i++) {
		AUTO_FREE char *again = token_of(&fixture, i);

		assert_string_equal(again, token);
	}
	assert_ok(transact(&fixture, DEADLINE_MS), &fixture.error);
	another = token_of(&fixture, ARRAY_SIZE(answers));
	assert_string_not_equal(another, token);
}

static void a_refusal_of_one_is_of_all(void **state)
{
	static const struct test_answer refused = {
		400, CANCELLED(NONE ",{\"Code\":\"ConditionalCheckFailed\",\"Item\":{\"a\":{\"N\":\"7\"}}}," REASON(
			     "TransactionConflict"))};
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	fixture_make(&fixture, &refused, 1);
	assert_ok(transact(&fixture, DEADLINE_MS), &fixture.error);
	assert_fates(&fixture, DYNAMODB_PENDING, DYNAMODB_REFUSED, DYNAMODB_PENDING);
	assert_non_null(fixture.items[1].found);
	assert_int_equal(test_server_request_count(fixture.server), 1);
}

static void a_transaction_that_fails_is_in_doubt_as_a_whole(void **state)
{
	static const struct {
		struct test_answer answer;
		enum error_code code;
		const char *message;
	} cases[] = {
		{{200, "garbage"}, ERROR_PEER, "malformed JSON"},
		{{400, "{\"__type\":\"a#ValidationException\",\"message\":\"bad\"}"},
		 ERROR_AWS,
		 "DynamoDB: ValidationException: bad"},
		{{400, CANCELLED(REASON("ConditionalCheckFailed") "," REASON("ValidationError") "," NONE)},
		 ERROR_AWS,
		 "DynamoDB: ValidationError: why"},
		{{400, CANCELLED(REASON("ConditionalCheckFailed"))}, ERROR_PEER, "1 reasons for 3 items"},
		{{400, CANCELLED(NONE "," NONE "," NONE)}, ERROR_PEER, "cancelled without any reason"},
		{{400, "{\"__type\":\"a#TransactionCanceledException\"}"}, ERROR_PEER, "CancellationReasons: missing"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FIXTURE struct fixture fixture;

		fixture_make(&fixture, &cases[i].answer, 1);
		assert_false(transact(&fixture, DEADLINE_MS));
		assert_fates(&fixture, DYNAMODB_FAILED, DYNAMODB_FAILED, DYNAMODB_FAILED);
		assert_int_equal(fixture.error.code, cases[i].code);
		assert_message_contains(&fixture.error, cases[i].message);
		assert_int_equal(test_server_request_count(fixture.server), 1);
	}
}

static void the_deadline_ends_a_transaction(void **state)
{
	static const struct test_answer busy = {400, CANCELLED(REASON("TransactionConflict") "," NONE "," NONE)};
	AUTO_FIXTURE struct fixture fixture;
	uint64_t start_ms = clock_monotonic_ms();

	(void)state;
	fixture_make(&fixture, &busy, 1);
	assert_false(transact(&fixture, 500));
	assert_true(clock_monotonic_ms() - start_ms < 500 + SLACK_MS);
	assert_fates(&fixture, DYNAMODB_FAILED, DYNAMODB_FAILED, DYNAMODB_FAILED);
	assert_message_contains(&fixture.error, "DynamoDB");
	assert_true(test_server_request_count(fixture.server) > 1);
}

static void a_transaction_is_not_larger_than_dynamodb_takes(void **state)
{
	static const struct test_answer well = {.status = 200, .body = "{}"};
	static struct dynamodb_item items[DYNAMODB_TRANSACTION_MAX + 1];
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	fixture_make(&fixture, &well, 1);
	assert_false(dynamodb_transact(fixture.client, items, ARRAY_SIZE(items), deadline_after(DEADLINE_MS), &fixture.error));
	assert_int_equal(fixture.error.code, ERROR_BUG);
	assert_int_equal(test_server_request_count(fixture.server), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_asked_for_one_after_the_other),
		cmocka_unit_test(a_page_is_asked_for_again_when_that_may_help),
		cmocka_unit_test(bad_pages_are_failures),
		cmocka_unit_test(the_deadline_ends_a_page),
		cmocka_unit_test(a_page_of_a_query_may_be_large),
		cmocka_unit_test(a_transaction_has_one_token),
		cmocka_unit_test(a_refusal_of_one_is_of_all),
		cmocka_unit_test(a_transaction_that_fails_is_in_doubt_as_a_whole),
		cmocka_unit_test(the_deadline_ends_a_transaction),
		cmocka_unit_test(a_transaction_is_not_larger_than_dynamodb_takes),
	};

	return cmocka_run_group_tests(tests, make_credentials, drop_credentials);
}
