/* SPDX-License-Identifier: Apache-2.0 */
#include "host/start_flag.h"

#include "base/file.h"
#include "base/secret.h"
#include "http_test_server.h"
#include "vectors.h"

/* It is read every five seconds. */
#define PATIENCE_MS 30000u

struct fixture {
	struct test_certificate certificate;
	struct test_server *server;
	char ca_file[32];
	struct settings settings;
	struct event_base *base;
	struct start_flag *flag;
	unsigned changes;
	unsigned calls;
	bool may_run;
};

static void on_changed(void *context, bool may_run)
{
	struct fixture *fixture = context;

	fixture->changes += may_run != fixture->may_run;
	fixture->calls++;
	fixture->may_run = may_run;
}

static void start(struct fixture *fixture, const struct test_answer *answers, size_t count)
{
	struct error error = {0};
	int fd;

	test_certificate_make("localhost", &fixture->certificate);
	fixture->server = test_server_new(&fixture->certificate, NULL, answers, count);
	memcpy(fixture->ca_file, "/tmp/start-flag-XXXXXX", sizeof "/tmp/start-flag-XXXXXX");
	fd = mkstemp(fixture->ca_file);
	assert_true(fd >= 0 &&
		    fd_write_all(fd, fixture->certificate.certificate_pem.data, fixture->certificate.certificate_pem.size));
	(void)close(fd);
	memcpy(fixture->settings.start_flag, "/f/flag", sizeof "/f/flag");
	memcpy(fixture->settings.ssm.region, "eu-west-1", sizeof "eu-west-1");
	(void)snprintf(fixture->settings.ssm.host, sizeof fixture->settings.ssm.host, "localhost:%u",
		       test_server_port(fixture->server));
	memcpy(fixture->settings.ssm.ca_file, fixture->ca_file, sizeof fixture->ca_file);
	fixture->settings.credential_source = CREDENTIAL_SOURCE_ENVIRONMENT;
	fixture->base = event_base_new();
	fixture->flag = start_flag_new(fixture->base, &fixture->settings, on_changed, fixture, &error);
	assert_ok(fixture->flag != NULL, &error);
}

static void done(struct fixture *fixture)
{
	start_flag_free(fixture->flag);
	event_base_free(fixture->base);
	test_server_free(&fixture->server);
	test_certificate_done(&fixture->certificate);
	(void)unlink(fixture->ca_file);
}

/* Until it was asked so often. */
static void turn_until(struct fixture *fixture, size_t requests)
{
	const struct timeval step = {.tv_usec = 20000};

	for (unsigned waited_ms = 0; test_server_request_count(fixture->server) < requests && waited_ms < PATIENCE_MS;
	     waited_ms += 20) {
		(void)event_base_loopexit(fixture->base, &step);
		(void)event_base_dispatch(fixture->base);
	}
	(void)event_base_loopexit(fixture->base, &(struct timeval){.tv_usec = 200000});
	(void)event_base_dispatch(fixture->base);
}

#define PARAMETER(value) "{\"Parameter\":{\"Name\":\"/f/flag\",\"Value\":\"" value "\"}}"

/* What cannot be read, or says neither, changes nothing. */
static void follows_the_parameter(void **state)
{
	static const struct test_answer answers[] = {
		{.status = 200, .body = PARAMETER("false")},
		{.status = 200, .body = PARAMETER("true")},
		{.status = 500, .body = "{}"},
		{.status = 200, .body = PARAMETER("maybe")},
		{.status = 200, .body = PARAMETER("false")},
	};
	static const struct {
		unsigned changes;
		bool may_run;
		const char *problem;
	} expected[] = {
		{0, false, NULL}, {1, true, NULL}, {1, true, "status 500"}, {1, true, "neither true nor false"}, {2, false, NULL}};
	struct fixture fixture = {0};

	(void)state;
	start(&fixture, answers, ARRAY_SIZE(answers));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		turn_until(&fixture, i + 1);
		assert_int_equal(fixture.changes, expected[i].changes);
		assert_int_equal(fixture.may_run, expected[i].may_run);
		assert_int_equal(start_flag_problem(fixture.flag) != NULL, expected[i].problem != NULL);
		if (expected[i].problem)
			assert_message_contains(start_flag_problem(fixture.flag), expected[i].problem);
	}
	assert_string_equal(test_server_request(fixture.server, 0)->method, "POST");
	assert_true(view_equal_text(buffer_view(&test_server_request(fixture.server, 0)->body), "{\"Name\":\"/f/flag\"}"));
	done(&fixture);
}

static void a_parameter_that_is_not_there_starts_nothing(void **state)
{
	static const struct test_answer answers[] = {{.status = 400, .body = "{\"__type\":\"ParameterNotFound\"}"}};
	struct fixture fixture = {0};

	(void)state;
	start(&fixture, answers, ARRAY_SIZE(answers));
	turn_until(&fixture, 1);
	assert_int_equal(fixture.changes, 0);
	assert_int_equal(fixture.calls, 1); /* that it cannot be read is told once */
	done(&fixture);
}

static int set_up(void **state)
{
	struct error error = {0};

	(void)state;
	json_use_wiping_memory();
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) &&
			       setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE00000", 1) == 0 &&
			       setenv("AWS_SECRET_ACCESS_KEY", "example", 1) == 0
		       ? 0
		       : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_parameter),
		cmocka_unit_test(a_parameter_that_is_not_there_starts_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
