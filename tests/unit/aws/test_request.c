/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <openssl/sha.h>

#include "aws/request.h"
#include "aws/sigv4.h"
#include "base/clock.h"
#include "http_test_server.h"

#define AUTO_SERVER CLEANUP(test_server_free)
#define TIMEOUT_MS 10000
#define SHORT_TIMEOUT_MS 200
#define SECRET_KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define TOKEN "AQoDYXdzEPT//wEXAMPLE=="
#define BODY "{\"KeyId\":\"k\"}"

static struct test_certificate certificate;
static struct credentials credentials;
static struct credentials long_lived;

static int set_up(void **state)
{
	struct error error = {0};
	AUTO_JSON json_t *object = json_pack("{s:s,s:s}", "access_key_id", "AKIDEXAMPLE", "secret_access_key", SECRET_KEY);

	(void)state;
	if (!secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ||
	    !credentials_from_json(object, &long_lived, &error) || json_object_set_new(object, "token", json_string(TOKEN)) != 0 ||
	    !credentials_from_json(object, &credentials, &error))
		return -1;
	test_certificate_make("localhost", &certificate);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	credentials_done(&credentials);
	credentials_done(&long_lived);
	test_certificate_done(&certificate);
	return 0;
}

/* What one call did, for tests that look at it from several sides. */
struct outcome {
	bool ok;
	json_t *answer;
	struct aws_failure failure;
	struct error error;
};

static void outcome_done(struct outcome *outcome)
{
	json_decref(outcome->answer);
}

#define AUTO_OUTCOME CLEANUP(outcome_done)

static struct outcome call_at(const char *host, const struct credentials *who, unsigned attempts, unsigned timeout_ms)
{
	struct aws_endpoint endpoint = {
		.region = "us-east-1",
		.host = host,
		.ca_pem = buffer_view(&certificate.certificate_pem),
		.timeout_ms = timeout_ms,
		.attempts = attempts,
	};
	struct outcome outcome = {0};

	outcome.ok = aws_call(&endpoint, "kms", "TrentService.Decrypt", who, view_of_text(BODY), AWS_KMS_RESPONSE_MAX_SIZE,
			      &outcome.answer, &outcome.failure, &outcome.error);
	return outcome;
}

static struct outcome call(struct test_server *server, unsigned attempts)
{
	AUTO_FREE char *host = memory_format("localhost:%u", test_server_port(server));

	return call_at(host, &credentials, attempts, TIMEOUT_MS);
}

static void expect_header(const struct test_request *request, const char *name, const char *expected)
{
	AUTO_FREE char *value = test_request_header(request, name);

	assert_non_null(value);
	assert_string_equal(value, expected);
}

/* Sign what arrived again, from its own headers, as the service does. */
static void expect_valid_signature(const struct test_request *request, const char *const *names, size_t count)
{
	struct sigv4_header headers[8];
	char *values[8];
	AUTO_FREE char *date = test_request_header(request, "x-amz-date");
	AUTO_FREE char *authorization = test_request_header(request, "authorization");
	AUTO_FREE char *expected = NULL;
	const struct sigv4_scope scope = {.region = "us-east-1", .service = "kms", .date_time = date};
	struct sigv4_request signing = {.method = view_of_text("POST"), .headers = headers, .header_count = count};
	AUTO_BUFFER struct buffer canonical = {0};
	AUTO_BUFFER struct buffer signed_names = {0};
	AUTO_BUFFER struct buffer string = {0};
	struct error error = {0};
	char signature[65];

	assert_true(date && authorization && count <= ARRAY_SIZE(values));
	for (size_t i = 0; i < count; i++) {
		values[i] = test_request_header(request, names[i]);
		assert_non_null(values[i]);
		headers[i] = (struct sigv4_header){.name = view_of_text(names[i]), .value = view_of_text(values[i])};
	}
	(void)SHA256(request->body.data, request->body.size, signing.payload_sha256);
	assert_ok(sigv4_canonical_request(&signing, &canonical, &signed_names, &error), &error);
	sigv4_string_to_sign(buffer_view(&canonical), &scope, &string);
	assert_ok(sigv4_signature(buffer_view(&string), &scope, view_of_text(SECRET_KEY), signature, &error), &error);
	expected = memory_format(
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/%.8s/us-east-1/kms/aws4_request, SignedHeaders=%s, Signature=%s", date,
		buffer_text(&signed_names), signature);
	assert_string_equal(authorization, expected);
	for (size_t i = 0; i < count; i++)
		free(values[i]);
}

static void test_a_call_as_it_is_sent(void **state)
{
	static const struct test_answer answer = {.status = 200, .body = "{\"KeyId\":\"arn\"}"};
	static const char *const names[] = {"host", "content-type", "x-amz-date", "x-amz-target", "x-amz-security-token"};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &answer, 1);
	AUTO_FREE char *host = memory_format("localhost:%u", test_server_port(server));
	AUTO_OUTCOME struct outcome outcome = call(server, 1);
	const struct test_request *request;

	(void)state;
	assert_ok(outcome.ok, &outcome.error);
	assert_string_equal(json_string_value(json_object_get(outcome.answer, "KeyId")), "arn");
	request = test_server_request(server, 0);
	assert_string_equal(request->method, "POST");
	assert_string_equal(request->path, "/");
	assert_true(view_equal_text(buffer_view(&request->body), BODY));
	expect_header(request, "host", host);
	expect_header(request, "content-type", "application/x-amz-json-1.1");
	expect_header(request, "x-amz-target", "TrentService.Decrypt");
	expect_header(request, "x-amz-security-token", TOKEN);
	expect_valid_signature(request, names, ARRAY_SIZE(names));
}

static void test_long_lived_credentials_send_no_token(void **state)
{
	static const struct test_answer answer = {.status = 200, .body = "{}"};
	static const char *const names[] = {"host", "content-type", "x-amz-date", "x-amz-target"};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &answer, 1);
	AUTO_FREE char *host = memory_format("localhost:%u", test_server_port(server));
	AUTO_OUTCOME struct outcome outcome = call_at(host, &long_lived, 1, TIMEOUT_MS);

	(void)state;
	assert_ok(outcome.ok, &outcome.error);
	assert_null(test_request_header(test_server_request(server, 0), "x-amz-security-token"));
	expect_valid_signature(test_server_request(server, 0), names, ARRAY_SIZE(names));
}

static void test_an_empty_success_is_an_empty_object(void **state)
{
	static const struct test_answer answer = {.status = 200};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &answer, 1);
	AUTO_OUTCOME struct outcome outcome = call(server, 1);

	(void)state;
	assert_ok(outcome.ok, &outcome.error);
	assert_int_equal(json_object_size(outcome.answer), 0);
}

static void test_errors_are_final_unless_they_pass(void **state)
{
	static const struct {
		struct test_answer answer;
		enum error_code code;
		const char *name;
		const char *message;
		bool passing;
	} cases[] = {
		{{400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"no\"}", .header_name = "x-amzn-RequestId",
		  .header_value = "r-7"},
		 ERROR_POLICY,
		 "AccessDeniedException",
		 "AccessDeniedException: no (request id r-7)",
		 false},
		{{400, "{\"__type\":\"ExpiredTokenException\",\"message\":\"old\"}"},
		 ERROR_AWS,
		 "ExpiredTokenException",
		 "ExpiredTokenException: old",
		 false},
		{{400, "{\"__type\":\"com.amazonaws.kms#InvalidCiphertextException\"}"},
		 ERROR_AWS,
		 "InvalidCiphertextException",
		 "InvalidCiphertextException",
		 false},
		{{400, "{\"__type\":\"NotFoundException:http://x/\",\"message\":\"gone\"}"},
		 ERROR_AWS,
		 "NotFoundException",
		 "NotFoundException: gone",
		 false},
		{{400, "{\"message\":\"nameless\"}"}, ERROR_AWS, "", "status 400 without the name of an error", false},
		{{400, "{\"__type\":17}"}, ERROR_AWS, "", "status 400", false},
		{{403, "<html>"}, ERROR_AWS, "", "status 403", false},
		{{404, NULL}, ERROR_AWS, "", "status 404", false},
		{{301, NULL}, ERROR_AWS, "", "status 301", false},
		{{503, "<html>"}, ERROR_AWS, "", "status 503", true},
		{{500, "{\"__type\":\"KMSInternalException\"}"}, ERROR_AWS, "KMSInternalException", "KMSInternalException", true},
		{{429, NULL}, ERROR_AWS, "", "status 429", true},
		{{400,
		  "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException\",\"message\":\"slow\"}"},
		 ERROR_AWS,
		 "ProvisionedThroughputExceededException",
		 "slow",
		 true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &cases[i].answer, 1);
		AUTO_OUTCOME struct outcome outcome = call(server, 2);

		assert_false(outcome.ok);
		assert_null(outcome.answer);
		assert_int_equal(outcome.error.code, cases[i].code);
		assert_message_contains(&outcome.error, cases[i].message);
		assert_string_equal(outcome.failure.name, cases[i].name);
		assert_int_equal(outcome.failure.status, cases[i].answer.status);
		assert_int_equal(test_server_request_count(server), cases[i].passing ? 2 : 1);
	}
}

/* The message starts with AWS's name, which callers and operators search for. */
static void test_the_message_starts_with_the_name(void **state)
{
	static const struct test_answer answer = {.status = 400, .body = "{\"__type\":\"DisabledException\",\"message\":\"m\"}"};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &answer, 1);
	AUTO_OUTCOME struct outcome outcome = call(server, 1);

	(void)state;
	assert_string_equal(outcome.error.message, "DisabledException: m");
}

static void test_long_names_and_messages_are_cut(void **state)
{
	AUTO_FREE char *body = memory_format("{\"__type\":\"%0200d\",\"message\":\"%03000d\"}", 0, 0);
	const struct test_answer answer = {.status = 400, .body = body};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &answer, 1);
	AUTO_OUTCOME struct outcome outcome = call(server, 1);

	(void)state;
	assert_false(outcome.ok);
	assert_int_equal(strlen(outcome.failure.name), AWS_ERROR_NAME_SIZE - 1);
	assert_true(strlen(outcome.error.message) < ERROR_MESSAGE_SIZE);
}

static void test_throttling_is_retried_until_it_succeeds(void **state)
{
	static const struct test_answer answers[] = {
		{.status = 400, .body = "{\"__type\":\"ThrottlingException\",\"message\":\"You have exceeded the rate\"}"},
		{.status = 502, .body = "bad gateway"},
		{.status = 200, .body = "{\"ok\":true}"},
	};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, answers, ARRAY_SIZE(answers));
	AUTO_OUTCOME struct outcome outcome = call(server, 4);

	(void)state;
	assert_ok(outcome.ok, &outcome.error);
	assert_true(json_is_true(json_object_get(outcome.answer, "ok")));
	assert_int_equal(test_server_request_count(server), 3);
	assert_int_equal(outcome.failure.status, 0);
}

static void test_malformed_successes_are_not_retried(void **state)
{
	static const char *const bodies[] = {"no JSON", "[]", "\"text\"", "{\"a\":1,\"a\":2}", "{} trailing"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		const struct test_answer answer = {.status = 200, .body = bodies[i]};
		AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &answer, 1);
		AUTO_OUTCOME struct outcome outcome = call(server, 3);

		assert_false(outcome.ok);
		assert_int_equal(outcome.error.code, ERROR_PEER);
		assert_message_contains(&outcome.error, "TrentService.Decrypt");
		assert_int_equal(test_server_request_count(server), 1);
	}
}

static void test_oversize_answers_are_not_retried(void **state)
{
	static char body[AWS_KMS_RESPONSE_MAX_SIZE + 2];
	static const struct test_answer answer = {.status = 200, .body = body};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &answer, 1);

	(void)state;
	memset(body, ' ', sizeof body - 1);
	{
		AUTO_OUTCOME struct outcome outcome = call(server, 3);

		assert_false(outcome.ok);
		assert_int_equal(outcome.error.code, ERROR_PEER);
		assert_message_contains(&outcome.error, "larger than");
	}
	assert_int_equal(test_server_request_count(server), 1);
}

static void test_an_untrusted_server_gets_no_request(void **state)
{
	static const struct test_answer answer = {.status = 200, .body = "{}"};
	struct test_certificate stranger;
	struct test_server *server;

	(void)state;
	test_certificate_make("localhost", &stranger);
	server = test_server_new(&stranger, NULL, &answer, 1);
	{
		AUTO_OUTCOME struct outcome outcome = call(server, 3);

		assert_false(outcome.ok);
		assert_int_equal(outcome.error.code, ERROR_PEER);
		assert_message_contains(&outcome.error, "certificate");
		assert_int_equal(outcome.failure.status, 0);
		assert_string_equal(outcome.failure.name, "");
	}
	assert_int_equal(test_server_request_count(server), 0);
	test_server_free(&server);
	test_certificate_done(&stranger);
}

/* Each attempt gets the whole time-out, and there are as many as were asked for. */
static void test_a_stalled_server_is_tried_again(void **state)
{
	struct address address = {.kind = ADDRESS_TCP, .host = "127.0.0.1"};
	struct error error = {0};
	AUTO_FD int listener = address_listen(&address, 4, &error);
	AUTO_FREE char *host = memory_format("localhost:%u", address_bound_port(listener));
	uint64_t start_ms = clock_monotonic_ms();
	AUTO_OUTCOME struct outcome outcome = call_at(host, &credentials, 2, SHORT_TIMEOUT_MS);

	(void)state;
	assert_false(outcome.ok);
	assert_int_equal(outcome.error.code, ERROR_PEER);
	assert_message_contains(&outcome.error, "timed out");
	assert_true(clock_monotonic_ms() - start_ms >= 2 * SHORT_TIMEOUT_MS);
}

static void test_failure_and_error_may_be_left_out(void **state)
{
	static const struct test_answer answers[] = {{.status = 400, .body = "{\"__type\":\"X\"}"},
						     {.status = 200, .body = "no JSON"}};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, answers, ARRAY_SIZE(answers));
	AUTO_FREE char *host = memory_format("localhost:%u", test_server_port(server));
	struct aws_endpoint endpoint = {.region = "us-east-1",
					.host = host,
					.ca_pem = buffer_view(&certificate.certificate_pem),
					.timeout_ms = TIMEOUT_MS,
					.attempts = 1};
	json_t *answer = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		assert_false(aws_call(&endpoint, "kms", "T.X", &credentials, view_of_text("{}"), 1024, &answer, NULL, NULL));
	assert_null(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_call_as_it_is_sent),
		cmocka_unit_test(test_long_lived_credentials_send_no_token),
		cmocka_unit_test(test_an_empty_success_is_an_empty_object),
		cmocka_unit_test(test_errors_are_final_unless_they_pass),
		cmocka_unit_test(test_the_message_starts_with_the_name),
		cmocka_unit_test(test_long_names_and_messages_are_cut),
		cmocka_unit_test(test_throttling_is_retried_until_it_succeeds),
		cmocka_unit_test(test_malformed_successes_are_not_retried),
		cmocka_unit_test(test_oversize_answers_are_not_retried),
		cmocka_unit_test(test_an_untrusted_server_gets_no_request),
		cmocka_unit_test(test_a_stalled_server_is_tried_again),
		cmocka_unit_test(test_failure_and_error_may_be_left_out),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
