/* SPDX-License-Identifier: Apache-2.0 */
/* What goes by path or by body instead of by target: Lambda and STS. */
#include "aws/lambda.h"

#include "aws/sts.h"
#include "base/json.h"
#include "service_fixture.h"

#define FUNCTION "arn:aws:lambda:us-east-1:000000000000:function:fleet-LambdaFunction-1"
/* As it is decoded: the test server's HTTP library does that. */
#define FUNCTION_PATH "/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:fleet-LambdaFunction-1/invocations"

static bool invoke(const struct service_fixture *fixture, json_t **ret_answer, struct error *error)
{
	const struct lambda_client client = {fixture->endpoint, &credentials};
	AUTO_JSON json_t *event = json_pack("{s:s}", "operation", "web3signer_status");

	return lambda_invoke(&client, FUNCTION, event, ret_answer, error);
}

static void answers_are_any_value(void **state)
{
	static const char *const bodies[] = {"\"OK\"", "null", "[\"0xab\"]", "{\"a\":1}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		AUTO_SERVICE struct service_fixture fixture;
		AUTO_JSON json_t *answer = NULL;
		AUTO_FREE char *text = NULL;
		AUTO_FREE char *target = NULL;
		struct error error = {0};
		const struct test_request *request;

		service_fixture_make(&fixture, (struct test_answer){.status = 200, .body = bodies[i]});
		assert_ok(invoke(&fixture, &answer, &error), &error);
		text = json_dumps(answer, JSON_COMPACT | JSON_ENCODE_ANY);
		assert_string_equal(text, bodies[i]);
		request = test_server_request(fixture.server, 0);
		assert_string_equal(request->path, FUNCTION_PATH);
		target = test_request_header(request, "x-amz-target");
		assert_null(target);
		assert_true(view_equal_text(buffer_view(&request->body), "{\"operation\":\"web3signer_status\"}"));
	}
}

static void what_goes_wrong_is_told(void **state)
{
	static const struct {
		struct test_answer answer;
		enum error_code code;
		const char *message;
	} cases[] = {
		{{.status = 200,
		  .body = "{\"errorType\":\"NotFound\",\"errorMessage\":\"no TLS row\"}",
		  .header_name = "X-Amz-Function-Error",
		  .header_value = "Unhandled"},
		 ERROR_PEER,
		 "NotFound: no TLS row"},
		{{.status = 200, .body = "\"x\"", .header_name = "X-Amz-Function-Error", .header_value = "Handled"},
		 ERROR_PEER,
		 "no reason given"},
		{{.status = 200, .body = "OK"}, ERROR_PEER, "malformed JSON"},
		/* As Lambda has it: the name in a header, a Type that is something else, a Message. */
		{{.status = 403,
		  .body = "{\"Type\":\"User\",\"Message\":\"not authorized to invoke it\"}",
		  .header_name = "x-amzn-ErrorType",
		  .header_value = "AccessDeniedException:http://internal.amazon.com/coral/com.amazon.coral.service/"},
		 ERROR_POLICY,
		 "AccessDeniedException: not authorized to invoke it"},
		{{.status = 403, .body = "{\"__type\":\"AccessDeniedException\",\"Message\":\"no\"}"},
		 ERROR_POLICY,
		 "AccessDeniedException"},
		{{.status = 409, .body = "{\"Message\":\"is being updated\"}"}, ERROR_AWS, "is being updated"},
		{{.status = 500, .body = ""}, ERROR_AWS, "status 500"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_SERVICE struct service_fixture fixture;
		AUTO_JSON json_t *answer = NULL;
		struct error error = {0};

		service_fixture_make(&fixture, cases[i].answer);
		assert_false(invoke(&fixture, &answer, &error));
		assert_null(answer);
		assert_int_equal(error.code, cases[i].code);
		assert_message_contains(&error, cases[i].message);
	}
}

#define CALLER(arn)                                                                                                                \
	"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>" arn                                                            \
	"</Arn><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"

static void says_who_one_is(void **state)
{
	AUTO_SERVICE struct service_fixture fixture;
	struct sts_client client = {.credentials = &credentials};
	char arn[STS_ARN_SIZE] = "";
	struct error error = {0};

	(void)state;
	service_fixture_make(&fixture, (struct test_answer){.status = 200,
							    .body = CALLER("arn:aws:sts::123456789012:assumed-role/a.b/c@d"),
							    .content_type = "text/xml"});
	client.endpoint = fixture.endpoint;
	assert_ok(sts_get_caller(&client, arn, &error), &error);
	assert_string_equal(arn, "arn:aws:sts::123456789012:assumed-role/a.b/c@d");
	assert_true(view_equal_text(buffer_view(&test_server_request(fixture.server, 0)->body),
				    "Action=GetCallerIdentity&Version=2011-06-15"));
}

static void other_answers_are_refused(void **state)
{
	static const char *const bodies[] = {"", "<Arn></Arn>", "<Arn>a", "<Arn>a<b/></Arn>", "<Arn>&lt;</Arn>", "{}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		AUTO_SERVICE struct service_fixture fixture;
		struct sts_client client = {.credentials = &credentials};
		char arn[STS_ARN_SIZE] = "";
		struct error error = {0};

		service_fixture_make(&fixture, (struct test_answer){.status = 200, .body = bodies[i]});
		client.endpoint = fixture.endpoint;
		assert_false(sts_get_caller(&client, arn, &error));
		assert_int_equal(error.code, ERROR_PEER);
		assert_string_equal(arn, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_any_value),
		cmocka_unit_test(what_goes_wrong_is_told),
		cmocka_unit_test(says_who_one_is),
		cmocka_unit_test(other_answers_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
