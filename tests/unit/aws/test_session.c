/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "aws/session.h"
#include "base/clock.h"
#include "example_credentials.h"
#include "http_test_server.h"

#define AUTO_SERVER CLEANUP(test_server_free)
#define TIMEOUT_MS 10000
#define CONNECTIONS 4
#define RESPONSE_MAX_SIZE 4096
#define SLACK_MS 3000
#define TARGET "DynamoDB_20120810.GetItem"

static void session_done(struct aws_session **session)
{
	aws_session_free(*session);
}

#define AUTO_SESSION CLEANUP(session_done)

static struct aws_session *new_session(const char *host)
{
	const struct aws_session_options options = {
		.endpoint = {.region = "us-east-1", .host = host, .is_plain = true},
		.service = "dynamodb",
		.credentials = &credentials,
		.connections = CONNECTIONS,
	};
	struct error error = {0};
	struct aws_session *session = aws_session_new(&options, &error);

	assert_ok(session != NULL, &error);
	return session;
}

static char *host_of(const struct test_server *server)
{
	return memory_format("localhost:%u", test_server_port(server));
}

static struct aws_session_call call_of(const char *body, void *context)
{
	return (struct aws_session_call){TARGET, view_of_text(body), TIMEOUT_MS, RESPONSE_MAX_SIZE, context};
}

static void begin(struct aws_session *session, const char *body, void *context)
{
	AUTO_FREE char *copied = memory_copy_text(body);
	struct aws_session_call call = call_of(copied, context);
	struct error error = {0};

	assert_ok(aws_session_begin(session, &call, &error), &error);
}

static struct aws_outcome next(struct aws_session *session)
{
	struct aws_outcome outcome;

	assert_true(aws_session_next(session, TIMEOUT_MS, &outcome));
	return outcome;
}

static void expect_header(const struct test_request *request, const char *name, const char *expected)
{
	AUTO_FREE char *value = test_request_header(request, name);

	assert_non_null(value);
	assert_non_null(strstr(value, expected));
}

static void calls_run_side_by_side(void **state)
{
	static const struct test_answer slow = {.status = 200, .body = "{\"ok\":true}", .delay_ms = 500};
	AUTO_SERVER struct test_server *server = test_server_new(NULL, NULL, &slow, 1);
	AUTO_FREE char *host = host_of(server);
	AUTO_SESSION struct aws_session *session = new_session(host);
	uint64_t start_ms = clock_monotonic_ms();
	struct aws_session_call another = call_of("{}", NULL);
	bool seen[CONNECTIONS] = {false};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < CONNECTIONS; i++)
		begin(session, "{}", &seen[i]);
	assert_false(aws_session_begin(session, &another, &error));
	assert_int_equal(error.code, ERROR_BUG);
	for (size_t i = 0; i < CONNECTIONS; i++) {
		AUTO_AWS_OUTCOME struct aws_outcome outcome = next(session);

		assert_ok(outcome.ok, &outcome.error);
		assert_true(json_is_true(json_object_get(outcome.answer, "ok")));
		*(bool *)outcome.context = true;
	}
	assert_true(clock_monotonic_ms() - start_ms < 500 + SLACK_MS);
	for (size_t i = 0; i < CONNECTIONS; i++)
		assert_true(seen[i]);
}

static void a_call_is_signed_for_its_service(void **state)
{
	static const struct test_answer answer = {.status = 200, .body = "{}"};
	AUTO_SERVER struct test_server *server = test_server_new(NULL, NULL, &answer, 1);
	AUTO_FREE char *host = host_of(server);
	AUTO_SESSION struct aws_session *session = new_session(host);
	AUTO_AWS_OUTCOME struct aws_outcome outcome = {0};
	const struct test_request *request;

	(void)state;
	begin(session, "{\"TableName\":\"t\"}", NULL);
	outcome = next(session);
	assert_ok(outcome.ok, &outcome.error);
	request = test_server_request(server, 0);
	assert_true(view_equal_text(buffer_view(&request->body), "{\"TableName\":\"t\"}"));
	expect_header(request, "x-amz-target", TARGET);
	expect_header(request, "content-type", "application/x-amz-json-1.0");
	expect_header(request, "authorization",
		      "/us-east-1/dynamodb/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target");
}

static void failures_are_told_apart(void **state)
{
	static const struct {
		struct test_answer answer;
		const char *message;
		bool passing;
		bool has_answer;
	} cases[] = {
		{{400, "{\"__type\":\"a#TransactionCanceledException\",\"Message\":\"m\",\"CancellationReasons\":[]}"},
		 "TransactionCanceledException: m",
		 false,
		 true},
		{{400, "{\"__type\":\"a#ThrottlingException\"}"}, "ThrottlingException", true, true},
		{{500, "{\"__type\":\"a#InternalServerError\"}"}, "InternalServerError", true, true},
		{{503, "<html>"}, "status 503", true, false},
		{{.is_lost = true}, "connection", true, false},
		{{200, "garbage"}, TARGET ": malformed JSON", false, false},
		{{200, "[]"}, TARGET ": not a JSON object", false, false},
		{{.status = 200}, TARGET ": empty", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_SERVER struct test_server *server = test_server_new(NULL, NULL, &cases[i].answer, 1);
		AUTO_FREE char *host = host_of(server);
		AUTO_SESSION struct aws_session *session = new_session(host);
		AUTO_AWS_OUTCOME struct aws_outcome outcome = {0};

		begin(session, "{}", &host);
		outcome = next(session);
		assert_false(outcome.ok);
		assert_ptr_equal(outcome.context, &host);
		assert_message_contains(&outcome.error, cases[i].message);
		assert_int_equal(outcome.passing, cases[i].passing);
		assert_int_equal(outcome.answer != NULL, cases[i].has_answer);
		assert_int_equal(outcome.failure.status,
				 cases[i].has_answer || cases[i].answer.status == 503 ? cases[i].answer.status : 0);
	}
}

static void cancelled_calls_make_room(void **state)
{
	static const struct test_answer answers[] = {{.status = 200, .body = "{}", .delay_ms = 500}, {.status = 200, .body = "{}"}};
	AUTO_SERVER struct test_server *server = test_server_new(NULL, NULL, answers, ARRAY_SIZE(answers));
	AUTO_FREE char *host = host_of(server);
	AUTO_SESSION struct aws_session *session = new_session(host);
	struct aws_outcome none;

	(void)state;
	begin(session, "{}", NULL);
	assert_false(aws_session_next(session, 100, &none));
	aws_session_cancel(session);
	for (size_t i = 0; i < CONNECTIONS; i++)
		begin(session, "{}", &server);
	for (size_t i = 0; i < CONNECTIONS; i++) {
		AUTO_AWS_OUTCOME struct aws_outcome outcome = next(session);

		assert_ok(outcome.ok, &outcome.error);
		assert_ptr_equal(outcome.context, &server);
	}
}

/* Whatever it is connected through: the other end of a relay is not this machine. */
static void plain_http_is_for_the_loopback_only(void **state)
{
	static const char *const refused[] = {"dynamodb.us-east-1.amazonaws.com", "localhost.example.com",
					      "127.0.0.1.example.com:80", "10.0.0.1:8000", ""};
	const struct address relay = {.kind = ADDRESS_UNIX, .path = "/nowhere"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct aws_endpoint endpoint = {.region = "us-east-1",
						.host = refused[i],
						.via = &relay,
						.timeout_ms = 100,
						.attempts = 1,
						.is_plain = true};
		json_t *answer = NULL;
		struct error error = {0};

		assert_false(
			aws_call(&endpoint, "dynamodb", TARGET, &credentials, view_of_text("{}"), 1024, &answer, NULL, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, "plain HTTP");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_run_side_by_side),
		cmocka_unit_test(a_call_is_signed_for_its_service),
		cmocka_unit_test(failures_are_told_apart),
		cmocka_unit_test(cancelled_calls_make_room),
		cmocka_unit_test(plain_http_is_for_the_loopback_only),
	};

	return cmocka_run_group_tests(tests, make_credentials, drop_credentials);
}
