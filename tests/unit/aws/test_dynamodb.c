/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "aws/dynamodb.h"
#include "base/clock.h"
#include "example_credentials.h"
#include "http_test_server.h"
#include "net/deadline.h"

#define AUTO_SERVER CLEANUP(test_server_free)
#define ATTEMPT_MS 5000
#define DEADLINE_MS 20000
/* What a machine under load may need beside the delays that a test asks for. */
#define SLACK_MS 3000
#define ITEMS_MAX 400

/* A client of a scripted server, and what became of the items of its last call. */
struct fixture {
	struct test_server *server;
	char host[32];
	struct dynamodb *client;
	size_t count;
	struct dynamodb_item items[ITEMS_MAX];
	struct error error;
};

static void fixture_done(struct fixture *fixture)
{
	for (size_t i = 0; i < fixture->count; i++)
		dynamodb_item_done(&fixture->items[i]);
	dynamodb_free(fixture->client);
	test_server_free(&fixture->server);
}

#define AUTO_FIXTURE CLEANUP(fixture_done)

static void fixture_make(struct fixture *fixture, const struct test_answer *answers, size_t count, unsigned attempt_ms)
{
	struct aws_endpoint endpoint = {.region = "us-east-1", .host = fixture->host, .timeout_ms = attempt_ms, .is_plain = true};

	*fixture = (struct fixture){.server = test_server_new(NULL, NULL, answers, count)};
	(void)snprintf(fixture->host, sizeof fixture->host, "localhost:%u", test_server_port(fixture->server));
	fixture->client = dynamodb_new(&endpoint, &credentials, &fixture->error);
	assert_ok(fixture->client != NULL, &fixture->error);
}

/* {"n": 0}, {"n": 1} and so on: they are told apart by their numbers. */
static void make_items(struct fixture *fixture, size_t count)
{
	for (size_t i = 0; i < fixture->count; i++)
		dynamodb_item_done(&fixture->items[i]);
	fixture->count = count;
	for (size_t i = 0; i < count; i++)
		fixture->items[i].request = json_pack("{s:i}", "n", (int)i);
}

static bool write_items(struct fixture *fixture, size_t count, unsigned deadline_ms)
{
	make_items(fixture, count);
	return dynamodb_write(fixture->client, fixture->items, count, deadline_after(deadline_ms), &fixture->error);
}

static bool read_items(struct fixture *fixture, size_t count)
{
	make_items(fixture, count);
	return dynamodb_read(fixture->client, "t", fixture->items, count, deadline_after(DEADLINE_MS), &fixture->error);
}

/* The numbers of the items in the n-th request, as text: "0 2 ". */
static char *members_of(const struct fixture *fixture, size_t n)
{
	const struct test_request *request = test_server_request(fixture->server, n);
	AUTO_JSON json_t *body = json_parse(buffer_view(&request->body), "body", NULL);
	json_t *list = json_object_get(body, "TransactItems");
	struct buffer text = {0};

	if (!list)
		list = json_object_get(json_object_get(json_object_get(body, "RequestItems"), "t"), "Keys");
	assert_true(json_is_array(list));
	for (size_t i = 0; i < json_array_size(list); i++)
		buffer_append_format(&text, "%d ", (int)json_integer_value(json_object_get(json_array_get(list, i), "n")));
	(void)buffer_text(&text);
	return (char *)text.data;
}

static void assert_members(const struct fixture *fixture, size_t n, const char *expected)
{
	AUTO_FREE char *members = members_of(fixture, n);

	assert_string_equal(members, expected);
}

static void assert_fates(const struct fixture *fixture, const enum dynamodb_fate *expected)
{
	for (size_t i = 0; i < fixture->count; i++)
		assert_int_equal(fixture->items[i].fate, expected[i]);
}

static void assert_all(const struct fixture *fixture, enum dynamodb_fate expected)
{
	for (size_t i = 0; i < fixture->count; i++)
		assert_int_equal(fixture->items[i].fate, expected);
}

#define CANCELLED(reasons)                                                                                                         \
	"{\"__type\":\"com.amazonaws.dynamodb.v20120810#TransactionCanceledException\",\"Message\":\"m\","                         \
	"\"CancellationReasons\":[" reasons "]}"
#define NONE "{\"Code\":\"None\"}"
#define REASON(code) "{\"Code\":\"" code "\",\"Message\":\"why\"}"

static const struct test_answer well = {.status = 200, .body = "{}"};

static void a_write_is_done_when_an_answer_says_so(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	const struct test_request *request;
	AUTO_FREE char *target = NULL;

	(void)state;
	fixture_make(&fixture, &well, 1, ATTEMPT_MS);
	assert_true(dynamodb_write(fixture.client, NULL, 0, 0, &fixture.error));
	assert_ok(write_items(&fixture, 3, DEADLINE_MS), &fixture.error);
	assert_all(&fixture, DYNAMODB_DONE);
	assert_int_equal(test_server_request_count(fixture.server), 1);
	request = test_server_request(fixture.server, 0);
	target = test_request_header(request, "x-amz-target");
	assert_string_equal(target, "DynamoDB_20120810.TransactWriteItems");
	assert_true(view_equal_text(buffer_view(&request->body), "{\"TransactItems\":[{\"n\":0},{\"n\":1},{\"n\":2}]}"));
	/* The deadline is over: nothing is even sent. */
	assert_false(write_items(&fixture, 3, 0));
	assert_all(&fixture, DYNAMODB_FAILED);
	assert_message_contains(&fixture.error, "3 of 3 items in doubt: no answer in time");
	assert_int_equal(test_server_request_count(fixture.server), 1);
}

static void the_guilty_are_told_from_the_innocent(void **state)
{
	static const struct test_answer answers[] = {
		{400,
		 CANCELLED(NONE
			   ",{\"Code\":\"ConditionalCheckFailed\",\"Item\":{\"block_slot\":{\"N\":\"7\"}},\"Message\":\"m\"}," NONE
			   "," REASON("ConditionalCheckFailed"))},
		{200, "{}"},
	};
	static const enum dynamodb_fate fates[] = {DYNAMODB_DONE, DYNAMODB_REFUSED, DYNAMODB_DONE, DYNAMODB_REFUSED};
	AUTO_FIXTURE struct fixture fixture;
	uint64_t slot;
	bool is_there;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers), ATTEMPT_MS);
	assert_ok(write_items(&fixture, 4, DEADLINE_MS), &fixture.error);
	assert_fates(&fixture, fates);
	assert_ok(dynamodb_read_number(fixture.items[1].found, "block_slot", &is_there, &slot, &fixture.error), &fixture.error);
	assert_int_equal(slot, 7);
	assert_null(fixture.items[3].found);
	assert_int_equal(test_server_request_count(fixture.server), 2);
	assert_members(&fixture, 1, "0 2 ");
}

/* Two innocents and two that met another transaction: the latter come again, no longer together. */
static void what_may_pass_is_sent_again(void **state)
{
	static const char *const codes[] = {
		CANCELLED(NONE "," REASON("TransactionConflict") "," NONE "," REASON("TransactionConflict")),
		CANCELLED(NONE "," REASON("ThrottlingError") "," NONE "," REASON("ProvisionedThroughputExceeded")),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		const struct test_answer answers[] = {{400, codes[i]}, {200, "{}"}};
		AUTO_FIXTURE struct fixture fixture;
		size_t sent = 0;

		fixture_make(&fixture, answers, ARRAY_SIZE(answers), ATTEMPT_MS);
		assert_ok(write_items(&fixture, 4, DEADLINE_MS), &fixture.error);
		assert_all(&fixture, DYNAMODB_DONE);
		for (size_t n = 1; n < test_server_request_count(fixture.server); n++) {
			AUTO_FREE char *members = members_of(&fixture, n);

			assert_true(strlen(members) <= strlen("0 2 "));
			sent += strlen(members) / 2;
		}
		assert_int_equal(sent, 4);
	}
}

static void failures_of_a_moment_are_tried_again(void **state)
{
	static const struct test_answer failures[] = {
		{.is_lost = true},
		{500, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#InternalServerError\"}"},
		{503, "<html>"},
		{400, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ThrottlingException\",\"message\":\"slow down\"}"},
		{400, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException\"}"},
		{400, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#RequestLimitExceeded\"}"},
		{400, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#TransactionInProgressException\"}"},
		{.status = 200, .body = "{}", .delay_ms = 1500}, /* longer than an attempt */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		const struct test_answer answers[] = {failures[i], well};
		AUTO_FIXTURE struct fixture fixture;
		size_t requests;

		fixture_make(&fixture, answers, ARRAY_SIZE(answers), 1000);
		assert_ok(write_items(&fixture, 1, DEADLINE_MS), &fixture.error);
		assert_all(&fixture, DYNAMODB_DONE);
		requests = test_server_request_count(fixture.server);
		assert_int_equal(requests, 2);
		/* The very same write. */
		assert_members(&fixture, 0, "0 ");
		assert_members(&fixture, 1, "0 ");
	}
}

static void failures_for_good_are_not(void **state)
{
	static char large[(256u << 10) + 2];
	static const struct {
		struct test_answer answer;
		enum error_code code;
		const char *message;
	} cases[] = {
		{{200, "garbage"}, ERROR_PEER, "malformed JSON"},
		{{.status = 200}, ERROR_PEER, "empty"},
		{{200, "[]"}, ERROR_PEER, "not a JSON object"},
		{{200, large}, ERROR_PEER, "larger than 262144 bytes"},
		{{400, "garbage"}, ERROR_AWS, "status 400"},
		{{302, "{}"}, ERROR_AWS, "status 302"},
		{{400, "{\"__type\":\"a#AccessDeniedException\",\"Message\":\"not you\"}"},
		 ERROR_POLICY,
		 "AccessDeniedException: not you"},
		{{400, "{\"__type\":\"a#ResourceNotFoundException\"}"}, ERROR_AWS, "ResourceNotFoundException"},
		{{400, "{\"__type\":\"a#ExpiredTokenException\"}"}, ERROR_AWS, "ExpiredTokenException"},
		{{400, "{\"__type\":\"a#ValidationException\",\"message\":\"bad\"}"}, ERROR_AWS, "ValidationException: bad"},
		{{400, "{\"__type\":\"a#TransactionCanceledException\"}"}, ERROR_PEER, "CancellationReasons: missing"},
		{{400, "{\"__type\":\"a#TransactionCanceledException\",\"CancellationReasons\":{}}"},
		 ERROR_PEER,
		 "CancellationReasons"},
		{{400, CANCELLED(REASON("ConditionalCheckFailed"))}, ERROR_PEER, "1 reasons for 2 items"},
		{{400, CANCELLED(NONE "," NONE "," REASON("ConditionalCheckFailed"))}, ERROR_PEER, "3 reasons for 2 items"},
		{{400, CANCELLED(NONE "," NONE)}, ERROR_PEER, "cancelled without any reason"},
		{{400, CANCELLED(NONE ",7")}, ERROR_PEER, "CancellationReasons[1]: not an object"},
		{{400, CANCELLED(NONE ",{}")}, ERROR_PEER, "CancellationReasons[1]: Code: missing"},
		{{400, CANCELLED("{\"Code\":7}," NONE)}, ERROR_PEER, "CancellationReasons[0]: Code"},
		{{400, CANCELLED("{\"Code\":\"ConditionalCheckFailed\",\"Item\":[]}," NONE)}, ERROR_PEER, "Item: not an object"},
	};

	(void)state;
	memset(large, ' ', sizeof large - 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FIXTURE struct fixture fixture;

		fixture_make(&fixture, &cases[i].answer, 1, ATTEMPT_MS);
		assert_false(write_items(&fixture, 2, DEADLINE_MS));
		assert_all(&fixture, DYNAMODB_FAILED);
		assert_int_equal(fixture.error.code, cases[i].code);
		assert_message_contains(&fixture.error, "DynamoDB: 2 of 2 items in doubt: ");
		assert_message_contains(&fixture.error, cases[i].message);
		assert_int_equal(test_server_request_count(fixture.server), 1);
	}
}

static void one_that_can_never_be_written_does_not_take_the_others_along(void **state)
{
	static const struct test_answer answers[] = {{400, CANCELLED(NONE "," REASON("ValidationError") "," REASON("Whatever"))},
						     {200, "{}"}};
	static const enum dynamodb_fate fates[] = {DYNAMODB_DONE, DYNAMODB_FAILED, DYNAMODB_FAILED};
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers), ATTEMPT_MS);
	assert_false(write_items(&fixture, 3, DEADLINE_MS));
	assert_fates(&fixture, fates);
	assert_message_contains(&fixture.error, "2 of 3 items in doubt: Whatever: why");
	assert_members(&fixture, 1, "0 ");
}

/* Nothing comes, or always the same: there is an end, and it says what was last heard. */
static void the_deadline_ends_it(void **state)
{
	static const struct {
		struct test_answer answer;
		const char *message;
	} cases[] = {
		{{.status = 200, .body = "{}", .delay_ms = 1200}, "time"} /* an attempt's, or the deadline's */,
		{{.is_lost = true}, "connection"},
		{{400, "{\"__type\":\"a#ThrottlingException\",\"message\":\"slow down\"}"}, "slow down"},
		{{400, CANCELLED(REASON("TransactionConflict"))}, "TransactionConflict: why"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FIXTURE struct fixture fixture;
		uint64_t start_ms = clock_monotonic_ms();

		fixture_make(&fixture, &cases[i].answer, 1, ATTEMPT_MS);
		assert_false(write_items(&fixture, 1, 700));
		assert_true(clock_monotonic_ms() - start_ms < 700 + SLACK_MS);
		assert_all(&fixture, DYNAMODB_FAILED);
		assert_message_contains(&fixture.error, cases[i].message);
		/* It waits longer each time. */
		assert_true(test_server_request_count(fixture.server) < 40);
	}
}

static void nobody_there_is_in_doubt(void **state)
{
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	fixture_make(&fixture, &well, 1, ATTEMPT_MS);
	test_server_free(&fixture.server);
	assert_false(write_items(&fixture, 2, 300));
	assert_all(&fixture, DYNAMODB_FAILED);
	assert_message_contains(&fixture.error, "cannot connect");
}

/* As many calls as connections, at one time; and the next burst finds them there. */
static void a_burst_is_one_round_trip(void **state)
{
	static const struct test_answer slow = {.status = 200, .body = "{}", .delay_ms = 1000};
	static const size_t sizes[] = {128, 400};
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	fixture_make(&fixture, &slow, 1, ATTEMPT_MS);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t start_ms = clock_monotonic_ms();

		assert_ok(write_items(&fixture, sizes[i], DEADLINE_MS), &fixture.error);
		assert_true(clock_monotonic_ms() - start_ms < 2000);
		assert_all(&fixture, DYNAMODB_DONE);
		assert_int_equal(test_server_request_count(fixture.server), (i + 1) * DYNAMODB_CONNECTIONS);
	}
	assert_int_equal(test_server_connection_count(fixture.server), DYNAMODB_CONNECTIONS);
}

static void reads_what_is_there(void **state)
{
	static const struct test_answer answers[] = {
		{200, "{\"Responses\":{\"t\":[{\"n\":2,\"a\":{\"N\":\"5\"}}]},\"UnprocessedKeys\":{\"t\":{\"Keys\":[{\"n\":1}]}}}"},
		{.is_lost = true},
		{200, "{\"Responses\":{},\"UnprocessedKeys\":{\"t\":{\"Keys\":[{\"n\":1}]}}}"},
		{200, "{\"Responses\":{\"t\":[{\"n\":1,\"a\":{\"N\":\"4\"}}]},\"UnprocessedKeys\":{}}"},
	};
	AUTO_FIXTURE struct fixture fixture;
	uint64_t value;
	bool is_there;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers), ATTEMPT_MS);
	assert_ok(read_items(&fixture, 3), &fixture.error);
	assert_all(&fixture, DYNAMODB_DONE);
	assert_null(fixture.items[0].found);
	assert_ok(dynamodb_read_number(fixture.items[1].found, "a", &is_there, &value, &fixture.error), &fixture.error);
	assert_int_equal(value, 4);
	assert_ok(dynamodb_read_number(fixture.items[2].found, "a", &is_there, &value, &fixture.error), &fixture.error);
	assert_int_equal(value, 5);
	assert_true(
		view_equal_text(buffer_view(&test_server_request(fixture.server, 0)->body),
				"{\"RequestItems\":{\"t\":{\"Keys\":[{\"n\":0},{\"n\":1},{\"n\":2}],\"ConsistentRead\":true}}}"));
	assert_int_equal(test_server_request_count(fixture.server), 4);
	assert_members(&fixture, 3, "1 ");
}

static void malformed_reads_are_failures(void **state)
{
	static const struct {
		const char *body;
		const char *message;
	} cases[] = {
		{"{}", "Responses: missing"},
		{"{\"Responses\":[]}", "Responses"},
		{"{\"Responses\":{}}", "nothing of the table"},
		{"{\"Responses\":{\"other\":[]}}", "nothing of the table"},
		{"{\"Responses\":{\"t\":{}}}", "nothing of the table"},
		{"{\"Responses\":{\"t\":[7]}}", "item 0 was not asked for"},
		{"{\"Responses\":{\"t\":[{\"n\":0},{\"n\":9}]}}", "item 1 was not asked for"},
		{"{\"Responses\":{\"t\":[]},\"UnprocessedKeys\":{\"t\":{\"Keys\":[{\"n\":9}]}}}", "unprocessed key 0"},
		{"{\"Responses\":{},\"UnprocessedKeys\":{\"t\":{\"Keys\":[{\"n\":1},{\"n\":1}]}}}", "nothing of the table"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct test_answer answer = {200, cases[i].body};
		AUTO_FIXTURE struct fixture fixture;

		fixture_make(&fixture, &answer, 1, ATTEMPT_MS);
		assert_false(read_items(&fixture, 2));
		assert_all(&fixture, DYNAMODB_FAILED);
		assert_int_equal(fixture.error.code, ERROR_PEER);
		assert_message_contains(&fixture.error, "malformed answer of BatchGetItem");
		assert_message_contains(&fixture.error, cases[i].message);
	}
}

static void values_are_strict(void **state)
{
	AUTO_JSON json_t *item =
		json_pack("{s:o,s:o,s:o,s:o,s:{s:s,s:b},s:{s:s},s:{s:s},s:[]}", "hex", dynamodb_hex(view_of("\xab\x01", 2)), "most",
			  dynamodb_number(UINT64_MAX), "yes", dynamodb_flag(true), "text", dynamodb_text("x"), "two", "N", "1",
			  "BOOL", 1, "more", "N", "18446744073709551616", "negative", "N", "-1", "list");
	uint8_t bytes[2];
	uint64_t number;
	bool is_there, flag;
	struct error error = {0};

	(void)state;
	assert_ok(dynamodb_read_hex(item, "hex", &is_there, bytes, 2, &error) && is_there, &error);
	assert_memory_equal(bytes, "\xab\x01", 2);
	assert_ok(dynamodb_read_number(item, "most", &is_there, &number, &error) && is_there, &error);
	assert_true(number == UINT64_MAX);
	assert_ok(dynamodb_read_flag(item, "yes", &is_there, &flag, &error) && is_there && flag, &error);
	assert_ok(dynamodb_read_number(item, "none", &is_there, &number, &error), &error);
	assert_false(is_there);
	assert_false(dynamodb_read_hex(item, "hex", &is_there, bytes, 1, &error));
	assert_message_contains(&error, "hex: S");
	assert_false(dynamodb_read_hex(item, "text", &is_there, bytes, 2, &error));
	assert_false(dynamodb_read_number(item, "two", &is_there, &number, &error));
	assert_message_contains(&error, "two: not of the type N");
	assert_int_equal(error.code, ERROR_PEER);
	assert_false(dynamodb_read_number(item, "more", &is_there, &number, &error));
	assert_false(dynamodb_read_number(item, "negative", &is_there, &number, &error));
	assert_int_equal(error.code, ERROR_PEER);
	assert_false(dynamodb_read_number(item, "hex", &is_there, &number, &error));
	assert_false(dynamodb_read_flag(item, "list", &is_there, &flag, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_is_done_when_an_answer_says_so),
		cmocka_unit_test(the_guilty_are_told_from_the_innocent),
		cmocka_unit_test(what_may_pass_is_sent_again),
		cmocka_unit_test(failures_of_a_moment_are_tried_again),
		cmocka_unit_test(failures_for_good_are_not),
		cmocka_unit_test(one_that_can_never_be_written_does_not_take_the_others_along),
		cmocka_unit_test(the_deadline_ends_it),
		cmocka_unit_test(nobody_there_is_in_doubt),
		cmocka_unit_test(a_burst_is_one_round_trip),
		cmocka_unit_test(reads_what_is_there),
		cmocka_unit_test(malformed_reads_are_failures),
		cmocka_unit_test(values_are_strict),
	};

	return cmocka_run_group_tests(tests, make_credentials, drop_credentials);
}
