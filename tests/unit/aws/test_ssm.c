/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/ssm.h"

#include "service_fixture.h"

#define COMMAND "11111111-2222-3333-4444-555555555555"

struct fixture {
	struct service_fixture service;
	struct ssm_client client;
};

static void fixture_make(struct fixture *fixture, unsigned status, const char *body)
{
	service_fixture_make(&fixture->service, (struct test_answer){.status = status, .body = body});
	fixture->client = (struct ssm_client){.endpoint = fixture->service.endpoint, .credentials = &credentials};
}

static void fixture_done(struct fixture *fixture)
{
	service_fixture_done(&fixture->service);
}

#define AUTO_FIXTURE CLEANUP(fixture_done)

static void expect_request(struct fixture *fixture, const char *operation, const char *body)
{
	AUTO_FREE char *target = memory_format("AmazonSSM.%s", operation);

	service_expect(&fixture->service, target, body);
}

static void gets_a_parameter(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	AUTO_BUFFER struct buffer value = {0};
	struct error error = {0};

	(void)state;
	fixture_make(&fixture, 200,
		     "{\"Parameter\":{\"Name\":\"/fleet/flag\",\"Type\":\"String\",\"Value\":\"true\",\"Version\":2}}");
	assert_ok(ssm_get_parameter(&fixture.client, "/fleet/flag", &value, &error), &error);
	assert_true(view_equal_text(buffer_view(&value), "true"));
	expect_request(&fixture, "GetParameter", "{\"Name\":\"/fleet/flag\"}");
}

static void a_missing_parameter_is_not_found(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	AUTO_BUFFER struct buffer value = {0};
	struct error error = {0};

	(void)state;
	fixture_make(&fixture, 400, "{\"__type\":\"ParameterNotFound\"}");
	assert_false(ssm_get_parameter(&fixture.client, "/fleet/flag", &value, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	assert_message_contains(&error, "/fleet/flag");
}

static void a_malformed_parameter_is_the_peers_fault(void **state)
{
	static const char *const bodies[] = {"{}", "{\"Parameter\":1}", "{\"Parameter\":{\"Value\":1}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		AUTO_FIXTURE struct fixture fixture;
		AUTO_BUFFER struct buffer value = {0};
		struct error error = {0};

		fixture_make(&fixture, 200, bodies[i]);
		assert_false(ssm_get_parameter(&fixture.client, "x", &value, &error));
		assert_int_equal(error.code, ERROR_PEER);
		assert_int_equal(value.size, 0);
	}
}

static void puts_a_parameter(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	struct error error = {0};

	(void)state;
	fixture_make(&fixture, 200, "{\"Version\":2,\"Tier\":\"Standard\"}");
	assert_ok(ssm_put_parameter(&fixture.client, "/fleet/flag", "true", &error), &error);
	expect_request(&fixture, "PutParameter",
		       "{\"Name\":\"/fleet/flag\",\"Value\":\"true\",\"Type\":\"String\",\"Overwrite\":true}");
}

static void sends_a_command(void **state)
{
	char id[SSM_COMMAND_ID_SIZE] = "";
	struct error error = {0};

	(void)state;
	for (int one = 0; one < 2; one++) {
		AUTO_FIXTURE struct fixture fixture;
		const struct ssm_target whom = {.group = one ? NULL : "G", .instance = one ? "i-1" : NULL};

		fixture_make(&fixture, 200, "{\"Command\":{\"CommandId\":\"" COMMAND "\",\"Status\":\"Pending\"}}");
		assert_ok(ssm_send_command(&fixture.client, whom, "true", 60, id, &error), &error);
		assert_string_equal(id, COMMAND);
		expect_request(&fixture, "SendCommand",
			       one ? "{\"DocumentName\":\"AWS-RunShellScript\",\"Parameters\":{\"commands\":[\"true\"]},"
				     "\"TimeoutSeconds\":60,\"InstanceIds\":[\"i-1\"]}"
				   : "{\"DocumentName\":\"AWS-RunShellScript\",\"Parameters\":{\"commands\":[\"true\"]},"
				     "\"TimeoutSeconds\":60,\"Targets\":[{\"Key\":\"tag:aws:autoscaling:groupName\",\"Values\":["
				     "\"G\"]}]}");
	}
}

static void a_command_without_an_id_is_refused(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	char id[SSM_COMMAND_ID_SIZE] = "";
	struct error error = {0};

	(void)state;
	fixture_make(&fixture, 200, "{\"Command\":{\"CommandId\":\"" COMMAND COMMAND "\"}}");
	assert_false(ssm_send_command(&fixture.client, (struct ssm_target){.group = "G"}, "true", 60, id, &error));
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "CommandId");
}

static void lists_invocations(void **state)
{
	AUTO_FIXTURE struct fixture fixture;
	AUTO_FREE struct ssm_invocations *list = memory_allocate_zeroed(1, sizeof *list);
	struct error error = {0};

	(void)state;
	fixture_make(&fixture, 200,
		     "{\"CommandInvocations\":[{\"InstanceId\":\"i-2\",\"Status\":\"InProgress\",\"CommandPlugins\":[]},"
		     "{\"InstanceId\":\"i-1\",\"Status\":\"Success\",\"CommandPlugins\":[{\"Output\":\"done\\n\"}]},"
		     "{\"InstanceId\":\"i-3\",\"Status\":\"TimedOut\"}]}");
	assert_ok(ssm_list_invocations(&fixture.client, COMMAND, list, &error), &error);
	assert_int_equal(list->count, 3);
	assert_string_equal(list->items[0].instance, "i-1");
	assert_true(list->items[0].ok && list->items[0].has_ended);
	assert_string_equal(list->items[0].output, "done\n");
	assert_false(list->items[1].ok || list->items[1].has_ended);
	assert_true(list->items[2].has_ended);
	assert_false(list->items[2].ok);
	expect_request(&fixture, "ListCommandInvocations", "{\"CommandId\":\"" COMMAND "\",\"Details\":true,\"MaxResults\":50}");
}

/* The agent appends to it what came on stderr, and its own word on an exit code. */
static void stdout_is_told_from_the_rest(void **state)
{
	static const struct {
		const char *output;
		const char *on_stdout;
	} cases[] = {
		{"", ""},
		{"{}\n", "{}\n"},
		{"{}\n\n----------ERROR-------\nfailed to run commands: exit status 1", "{}\n"},
		{"\n----------ERROR-------\nfailed to run commands: exit status 127", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ssm_invocation invocation = {0};

		(void)snprintf(invocation.output, sizeof invocation.output, "%s", cases[i].output);
		assert_true(view_equal_text(ssm_invocation_stdout(&invocation), cases[i].on_stdout));
	}
}

static void malformed_invocations_are_refused(void **state)
{
	static const char *const bodies[] = {
		"{}",
		"{\"CommandInvocations\":[1]}",
		"{\"CommandInvocations\":[{\"InstanceId\":\"i-1\"}]}",
		"{\"CommandInvocations\":[{\"InstanceId\":\"\",\"Status\":\"Success\"}]}",
		"{\"CommandInvocations\":[{\"InstanceId\":\"i-1\",\"Status\":\"Success\",\"CommandPlugins\":1}]}",
		"{\"CommandInvocations\":[{\"InstanceId\":\"i-1\",\"Status\":\"Success\",\"CommandPlugins\":[{\"Output\":1}]}]}",
	};
	AUTO_FREE struct ssm_invocations *list = memory_allocate_zeroed(1, sizeof *list);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		AUTO_FIXTURE struct fixture fixture;
		struct error error = {0};

		fixture_make(&fixture, 200, bodies[i]);
		assert_false(ssm_list_invocations(&fixture.client, COMMAND, list, &error));
		assert_int_equal(error.code, ERROR_PEER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gets_a_parameter),
		cmocka_unit_test(a_missing_parameter_is_not_found),
		cmocka_unit_test(a_malformed_parameter_is_the_peers_fault),
		cmocka_unit_test(puts_a_parameter),
		cmocka_unit_test(sends_a_command),
		cmocka_unit_test(a_command_without_an_id_is_refused),
		cmocka_unit_test(lists_invocations),
		cmocka_unit_test(stdout_is_told_from_the_rest),
		cmocka_unit_test(malformed_invocations_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
