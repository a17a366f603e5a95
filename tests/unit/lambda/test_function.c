/* SPDX-License-Identifier: Apache-2.0 */
/* The loop under a Lambda that says what it is told to. */
#include "lambda/function.h"

#include "base/clock.h"
#include "http_test_server.h"
#include "lambda/operations.h"
#include "vectors.h"

#define LATER "4102444800000" /* 2100 */
#define NEXT(event, id, deadline)                                                                                                  \
	{                                                                                                                          \
		200, event, .header_name = "Lambda-Runtime-Aws-Request-Id", .header_value = (id),                                  \
			    .other_header_name = "Lambda-Runtime-Deadline-Ms", .other_header_value = (deadline)                    \
	}
#define TAKEN                                                                                                                      \
	{                                                                                                                          \
		202, "{\"status\":\"OK\"}"                                                                                         \
	}
#define LAMBDA_ENDS                                                                                                                \
	{                                                                                                                          \
		500, "{}"                                                                                                          \
	}
#define DECRYPT "{\"operation\":\"decrypt_tls_key\"}"

static const struct lambda_settings production;

struct fixture {
	struct test_server *server;
	struct runtime_api api;
	struct error error;
};

static void fixture_done(struct fixture *fixture)
{
	runtime_api_done(&fixture->api);
	test_server_free(&fixture->server);
}

#define AUTO_FIXTURE CLEANUP(fixture_done)

/* Serves until one of the answers ends it. */
static void serve(struct fixture *fixture, const struct test_answer *answers, size_t count)
{
	char place[32];

	*fixture = (struct fixture){.server = test_server_new(NULL, NULL, answers, count)};
	(void)snprintf(place, sizeof place, "127.0.0.1:%u", test_server_port(fixture->server));
	assert_ok(runtime_api_init(place, &fixture->api, &fixture->error), &fixture->error);
	assert_false(lambda_serve(&production, &fixture->api, &fixture->error));
}

static void assert_request(struct fixture *fixture, size_t index, const char *method, const char *path)
{
	const struct test_request *request = test_server_request(fixture->server, index);

	assert_string_equal(request->method, method);
	assert_string_equal(request->path, path);
}

static void assert_failure(struct fixture *fixture, size_t index, const char *type, const char *text)
{
	const struct test_request *request = test_server_request(fixture->server, index);
	AUTO_FREE char *header = test_request_header(request, "Lambda-Runtime-Function-Error-Type");
	struct error error = {0};
	AUTO_JSON json_t *body = json_parse_object(buffer_view(&request->body), "body", &error);

	assert_ok(body != NULL, &error);
	assert_non_null(header);
	assert_string_equal(header, type);
	assert_string_equal(json_string_value(json_object_get(body, "errorType")), type);
	if (!strstr(json_string_value(json_object_get(body, "errorMessage")), text))
		fail_msg("%s", json_string_value(json_object_get(body, "errorMessage")));
}

static void each_invocation_gets_its_error(void **state)
{
	static const struct test_answer answers[] = {NEXT("[1", "first-1", LATER),
						     TAKEN,
						     NEXT(DECRYPT, "second-2", LATER),
						     TAKEN,
						     NEXT("{\"operation\":\"attest\"}", "third-3", "1000"),
						     TAKEN,
						     LAMBDA_ENDS};
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	serve(&fixture, answers, ARRAY_SIZE(answers));
	assert_int_equal(fixture.error.code, ERROR_PEER);
	assert_message_contains(&fixture.error, "next: status 500");
	assert_int_equal(test_server_request_count(fixture.server), 7);
	assert_request(&fixture, 0, "GET", "/2018-06-01/runtime/invocation/next");
	assert_request(&fixture, 1, "POST", "/2018-06-01/runtime/invocation/first-1/error");
	assert_failure(&fixture, 1, "BadRequest", "event");
	assert_request(&fixture, 3, "POST", "/2018-06-01/runtime/invocation/second-2/error");
	assert_failure(&fixture, 3, "Forbidden", "DEPLOYMENT_MODE=dev");
	assert_request(&fixture, 5, "POST", "/2018-06-01/runtime/invocation/third-3/error");
	assert_failure(&fixture, 5, "Unavailable", "over before it began");
}

static void what_is_not_taken_is_no_end(void **state)
{
	static const struct test_answer answers[] = {
		NEXT(DECRYPT, "a", LATER), {400, "{}"}, NEXT(DECRYPT, "b", LATER), {413, "{}"}, LAMBDA_ENDS};
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	serve(&fixture, answers, ARRAY_SIZE(answers));
	assert_message_contains(&fixture.error, "next: status 500");
	assert_int_equal(test_server_request_count(fixture.server), 5);
}

static void a_lambda_that_fails_is_an_end(void **state)
{
	static const struct test_answer answers[] = {NEXT(DECRYPT, "a", LATER), {500, "{}"}};
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	serve(&fixture, answers, ARRAY_SIZE(answers));
	assert_int_equal(fixture.error.code, ERROR_PEER);
	assert_message_contains(&fixture.error, "refuses what is handed in: 500");
}

static void invocations_without_a_name_are_an_end(void **state)
{
	static const struct test_answer answers[][1] = {
		{NEXT("{}", "", LATER)},
		{NEXT("{}", "../../x", LATER)},
		{NEXT("{}", "a b", LATER)},
		{NEXT("{}", "a", "")},
		{NEXT("{}", "a", "-1")},
		{NEXT("{}", "a", "1e3")},
		{{200, "{}"}},
		{{404, "{}"}},
		{{200, "{}", .is_lost = true}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		AUTO_FIXTURE struct fixture fixture;

		serve(&fixture, answers[i], 1);
		assert_int_equal(fixture.error.code, ERROR_PEER);
		assert_int_equal(test_server_request_count(fixture.server), 1);
	}
}

static void answers_and_failures_to_start_are_handed_in(void **state)
{
	static const struct test_answer answers[] = {TAKEN, TAKEN};
	static const struct runtime_failure failure = {"NotFound", "KEY_ARN is not set; \xff"};
	AUTO_FIXTURE struct fixture fixture = {.server = test_server_new(NULL, NULL, answers, ARRAY_SIZE(answers))};
	char place[32];
	const struct test_request *request;
	AUTO_FREE char *type = NULL;

	(void)state;
	(void)snprintf(place, sizeof place, "127.0.0.1:%u", test_server_port(fixture.server));
	assert_ok(runtime_api_init(place, &fixture.api, &fixture.error), &fixture.error);
	assert_ok(runtime_respond(&fixture.api, "an-id", view_of_text("null"), &fixture.error), &fixture.error);
	assert_request(&fixture, 0, "POST", "/2018-06-01/runtime/invocation/an-id/response");
	request = test_server_request(fixture.server, 0);
	assert_true(view_equal_text(buffer_view(&request->body), "null"));
	type = test_request_header(request, "Content-Type");
	assert_string_equal(type, "application/json");
	assert_ok(runtime_fail_to_start(&fixture.api, &failure, &fixture.error), &fixture.error);
	assert_request(&fixture, 1, "POST", "/2018-06-01/runtime/init/error");
	assert_failure(&fixture, 1, "NotFound", "KEY_ARN is not set; ?");
}

static void places_are_checked(void **state)
{
	static const char *const bad[] = {"", "localhost", "localhost:x", "a/b:80", "user@host:80"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct runtime_api api;
		struct error error = {0};

		assert_false(runtime_api_init(bad[i], &api, &error));
		assert_int_equal(error.code, ERROR_INPUT);
	}
}

static void every_error_has_a_type(void **state)
{
	(void)state;
	for (unsigned code = ERROR_NONE; code <= ERROR_CODE_COUNT; code++) {
		const struct error error = {.code = (enum error_code)code};

		assert_true(strlen(lambda_error_type(&error)) > 0);
	}
}

/* A step never gets all the time there is, nor none at all. */
static void steps_end_before_the_deadline(void **state)
{
	struct lambda_call call = {.deadline_ms = clock_monotonic_ms() + 1000};

	(void)state;
	assert_int_equal(lambda_time_ms(&call, 100), 100);
	assert_in_range(lambda_time_ms(&call, 5000), 1, 1000);
	call.deadline_ms = 0;
	assert_int_equal(lambda_time_ms(&call, 5000), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_invocation_gets_its_error),
		cmocka_unit_test(what_is_not_taken_is_no_end),
		cmocka_unit_test(a_lambda_that_fails_is_an_end),
		cmocka_unit_test(invocations_without_a_name_are_an_end),
		cmocka_unit_test(answers_and_failures_to_start_are_handed_in),
		cmocka_unit_test(places_are_checked),
		cmocka_unit_test(every_error_has_a_type),
		cmocka_unit_test(steps_end_before_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
