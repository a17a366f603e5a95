/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <dirent.h>
#include <signal.h>

#include "base/clock.h"
#include "http_test_server.h"
#include "net/http_session.h"

#define TIMEOUT_MS 10000
#define SHORT_TIMEOUT_MS 200
#define RESPONSE_MAX_SIZE 4096
#define CONNECTIONS 8
/* What a machine under load may need beside the delays that a test asks for. */
#define SLACK_MS 3000

#define AUTO_SERVER CLEANUP(test_server_free)

static struct test_certificate certificate;
static char folder[] = "/tmp/ensign-session-XXXXXX";
static struct address address = {.kind = ADDRESS_UNIX};

static int set_up(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	test_certificate_make("kms.invalid", &certificate);
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(address.path, sizeof address.path, "%s/s", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_certificate_done(&certificate);
	(void)unlink(address.path);
	return rmdir(folder);
}

static struct http_session *new_session(void)
{
	struct error error = {0};
	struct http_session *session = http_session_new(CONNECTIONS, &error);

	assert_ok(session != NULL, &error);
	return session;
}

static struct http_request request_for(const char *url)
{
	return (struct http_request){
		.method = "POST",
		.url = url,
		.via = &address,
		.ca_pem = buffer_view(&certificate.certificate_pem),
		.body = view_of_text("what is asked"),
		.max_response_size = RESPONSE_MAX_SIZE,
		.timeout_ms = TIMEOUT_MS,
	};
}

static const char url[] = "https://kms.invalid/";

static void begin(struct http_session *session, const struct http_request *request, void *context)
{
	struct error error = {0};

	assert_ok(http_session_begin(session, request, context, &error), &error);
}

/* The next one's context; it must have succeeded. */
static void *succeed(struct http_session *session)
{
	struct http_finished finished;

	assert_true(http_session_next(session, TIMEOUT_MS, &finished));
	assert_ok(finished.ok, &finished.error);
	assert_int_equal(finished.response.status, 200);
	assert_true(view_equal_text(buffer_view(&finished.response.body), "hello"));
	http_response_done(&finished.response);
	return finished.context;
}

/* The next one must have failed for `reason`. */
static bool fail_for(struct http_session *session, const char *reason)
{
	struct http_finished finished;

	assert_true(http_session_next(session, TIMEOUT_MS, &finished));
	assert_false(finished.ok);
	assert_message_contains(&finished.error, "POST https://");
	assert_message_contains(&finished.error, reason);
	assert_null(finished.response.body.data);
	return finished.response.transient;
}

static const struct test_answer hello = {.status = 200, .body = "hello"};

static void one_connection_serves_one_after_the_other(void **state)
{
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, &address, &hello, 1);
	AUTO_HTTP_SESSION struct http_session *session = new_session();
	struct http_request request = request_for(url);
	int contexts[5];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(contexts); i++) {
		begin(session, &request, &contexts[i]);
		assert_ptr_equal(succeed(session), &contexts[i]);
		assert_true(view_equal_text(buffer_view(&test_server_request(server, i)->body), "what is asked"));
	}
	assert_int_equal(test_server_connection_count(server), 1);
}

static void run_all_at_once(struct http_session *session)
{
	struct http_request request = request_for(url);
	bool seen[CONNECTIONS] = {false};

	for (size_t i = 0; i < CONNECTIONS; i++) {
		/* Nothing of the request need live on. */
		AUTO_FREE char *copied_url = memory_copy_text(url);
		AUTO_FREE char *copied_body = memory_copy_text("what is asked");

		request.url = copied_url;
		request.body = view_of_text(copied_body);
		begin(session, &request, &seen[i]);
	}
	for (size_t i = 0; i < CONNECTIONS; i++)
		*(bool *)succeed(session) = true;
	for (size_t i = 0; i < CONNECTIONS; i++)
		assert_true(seen[i]);
}

static void several_run_side_by_side(void **state)
{
	static const struct test_answer slow = {.status = 200, .body = "hello", .delay_ms = 500};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, &address, &slow, 1);
	AUTO_HTTP_SESSION struct http_session *session = new_session();
	uint64_t start_ms;

	(void)state;
	run_all_at_once(session);
	start_ms = clock_monotonic_ms();
	run_all_at_once(session);
	assert_true(clock_monotonic_ms() - start_ms < 500 + SLACK_MS);
	assert_int_equal(test_server_connection_count(server), CONNECTIONS);
}

static void a_closed_connection_is_made_anew(void **state)
{
	struct test_server *server = test_server_new(&certificate, &address, &hello, 1);
	AUTO_HTTP_SESSION struct http_session *session = new_session();
	struct http_request request = request_for(url);

	(void)state;
	begin(session, &request, NULL);
	(void)succeed(session);
	test_server_free(&server);
	server = test_server_new(&certificate, &address, &hello, 1);
	begin(session, &request, NULL);
	(void)succeed(session);
	assert_int_equal(test_server_request_count(server), 1);
	test_server_free(&server);
}

static void a_lost_answer_is_transient(void **state)
{
	static const struct test_answer answers[] = {{.status = 200, .body = "hello"}, {.is_lost = true}, {.is_lost = true}};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, &address, answers, ARRAY_SIZE(answers));
	AUTO_HTTP_SESSION struct http_session *session = new_session();
	struct http_request request = request_for(url);

	(void)state;
	begin(session, &request, NULL);
	(void)succeed(session);
	begin(session, &request, NULL);
	assert_true(fail_for(session, "connection"));
	assert_true(test_server_request_count(server) > 1);
}

static void a_slow_one_does_not_hold_up_the_others(void **state)
{
	static const struct test_answer answers[] = {{.status = 200, .body = "hello", .delay_ms = 3000},
						     {.status = 200, .body = "hello"}};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, &address, answers, ARRAY_SIZE(answers));
	AUTO_HTTP_SESSION struct http_session *session = new_session();
	struct http_request request = request_for(url);
	struct http_finished finished;

	(void)state;
	request.timeout_ms = 1500;
	begin(session, &request, NULL);
	assert_false(http_session_next(session, 300, &finished));
	request.timeout_ms = TIMEOUT_MS;
	begin(session, &request, &request);
	assert_ptr_equal(succeed(session), &request);
	assert_true(fail_for(session, "timed out after 1500 ms"));
	/* The one that timed out took its connection with it; the other one's is still good. */
	begin(session, &request, &request);
	assert_ptr_equal(succeed(session), &request);
	assert_int_equal(test_server_connection_count(server), 2);
}

static size_t open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count;
}

static void what_is_cancelled_is_gone(void **state)
{
	/* So late that none has come yet, however long it takes to begin on a busy machine. */
	static const struct test_answer late = {.status = 200, .body = "hello", .delay_ms = 3000};
	size_t before = open_descriptors();
	struct test_server *server = test_server_new(&certificate, &address, &late, 1);
	struct http_request request = request_for(url);
	struct http_session *session = new_session();
	struct http_finished finished;
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < CONNECTIONS; i++)
		begin(session, &request, NULL);
	assert_false(http_session_begin(session, &request, NULL, &error));
	assert_int_equal(error.code, ERROR_BUG);
	assert_false(http_session_next(session, 0, &finished));
	http_session_cancel(session);
	assert_false(http_session_next(session, SHORT_TIMEOUT_MS, &finished));
	begin(session, &request, &request);
	assert_ptr_equal(succeed(session), &request);
	begin(session, &request, NULL); /* and one that is under way at the end */
	http_session_free(session);
	http_session_free(NULL);
	test_server_free(&server);
	assert_int_equal(open_descriptors(), before);
}

static void what_cannot_be_begun_leaves_its_place_free(void **state)
{
	static const char *const broken[] = {"X-Test: a\r\nX-Injected: b", NULL};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, &address, &hello, 1);
	AUTO_HTTP_SESSION struct http_session *session = new_session();
	struct http_request request = request_for(url);
	struct error error = {0};

	(void)state;
	request.headers = broken;
	for (size_t i = 0; i < CONNECTIONS + 1; i++) {
		assert_false(http_session_begin(session, &request, NULL, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, "line break");
	}
	request.headers = NULL;
	begin(session, &request, NULL);
	(void)succeed(session);
	assert_int_equal(test_server_request_count(server), 1);
}

static void failures_say_why(void **state)
{
	static char large[RESPONSE_MAX_SIZE + 2];
	static const struct test_answer answer = {.status = 200, .body = large};
	AUTO_HTTP_SESSION struct http_session *session = new_session();
	struct http_request request = request_for(url);
	struct test_server *server;

	(void)state;
	memset(large, ' ', sizeof large - 1);
	begin(session, &request, NULL);
	assert_true(fail_for(session, "unix:/tmp/ensign-session-"));
	server = test_server_new(&certificate, &address, &answer, 1);
	begin(session, &request, NULL);
	assert_false(fail_for(session, "larger than 4096 bytes"));
	request.url = "https://another.invalid/";
	begin(session, &request, NULL);
	assert_false(fail_for(session, "certificate"));
	assert_int_equal(test_server_request_count(server), 1);
	test_server_free(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_connection_serves_one_after_the_other),  cmocka_unit_test(several_run_side_by_side),
		cmocka_unit_test(a_closed_connection_is_made_anew),           cmocka_unit_test(a_lost_answer_is_transient),
		cmocka_unit_test(a_slow_one_does_not_hold_up_the_others),     cmocka_unit_test(what_is_cancelled_is_gone),
		cmocka_unit_test(what_cannot_be_begun_leaves_its_place_free), cmocka_unit_test(failures_say_why),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
