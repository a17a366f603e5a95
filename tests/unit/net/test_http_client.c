/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/file.h"
#include "http_test_server.h"
#include "net/http_client.h"

#define TIMEOUT_MS 10000
#define SHORT_TIMEOUT_MS 200
#define RESPONSE_MAX_SIZE 4096

static struct test_certificate certificate;
static struct test_certificate stranger;
static char folder[] = "/tmp/ensign-http-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	test_certificate_make("localhost", &certificate);
	test_certificate_make("localhost", &stranger);
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	test_certificate_done(&certificate);
	test_certificate_done(&stranger);
	return rmdir(folder);
}

static const struct test_answer plain_answer = {.status = 200, .body = "hello", .content_type = "text/plain"};

#define AUTO_SERVER CLEANUP(test_server_free)

static struct http_request request_for(const char *url)
{
	return (struct http_request){
		.method = "GET",
		.url = url,
		.ca_pem = buffer_view(&certificate.certificate_pem),
		.max_response_size = RESPONSE_MAX_SIZE,
		.timeout_ms = TIMEOUT_MS,
	};
}

static void test_get_over_tls(void **state)
{
	static const char *const headers[] = {"X-Test: one", "X-Other: two", NULL};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &plain_answer, 1);
	AUTO_FREE char *url = memory_format("https://localhost:%u/a/b", test_server_port(server));
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	struct http_request request = request_for(url);
	struct error error = {0};
	AUTO_FREE char *header = NULL;

	(void)state;
	request.headers = headers;
	request.wanted_headers[0] = "x-not-there";
	assert_ok(http_exchange(&request, &response, &error), &error);
	assert_int_equal(response.status, 200);
	assert_string_equal(response.content_type, "text/plain");
	assert_string_equal(response.wanted_values[0], "");
	assert_true(view_equal_text(buffer_view(&response.body), "hello"));
	assert_string_equal(test_server_request(server, 0)->method, "GET");
	assert_string_equal(test_server_request(server, 0)->path, "/a/b");
	header = test_request_header(test_server_request(server, 0), "x-other");
	assert_non_null(header);
	assert_string_equal(header, "two");
	assert_null(test_request_header(test_server_request(server, 0), "Content-Type"));
}

static void test_post_and_put(void **state)
{
	static const char *const headers[] = {"Content-Type: application/x-amz-json-1.1", NULL};
	static const struct test_answer answer = {
		.status = 400, .body = "{}", .header_name = "X-Request-Id", .header_value = "r-1"};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &answer, 1);
	AUTO_FREE char *url = memory_format("https://localhost:%u/", test_server_port(server));
	AUTO_HTTP_RESPONSE struct http_response posted = {0};
	AUTO_HTTP_RESPONSE struct http_response put = {0};
	struct http_request request = request_for(url);
	struct error error = {0};
	AUTO_FREE char *type = NULL;
	AUTO_FREE char *size = NULL;

	(void)state;
	request.method = "POST";
	request.headers = headers;
	request.wanted_headers[1] = "x-request-id";
	request.body = view_of("a\0b", 3);
	assert_ok(http_exchange(&request, &posted, &error), &error);
	assert_int_equal(posted.status, 400);
	assert_string_equal(posted.wanted_values[1], "r-1");
	assert_true(view_equal(buffer_view(&test_server_request(server, 0)->body), request.body));
	type = test_request_header(test_server_request(server, 0), "content-type");
	assert_string_equal(type, "application/x-amz-json-1.1");

	request.method = "PUT";
	request.headers = NULL;
	request.body = view_of(NULL, 0);
	assert_ok(http_exchange(&request, &put, &error), &error);
	assert_string_equal(test_server_request(server, 1)->method, "PUT");
	assert_null(test_request_header(test_server_request(server, 1), "content-type"));
	size = test_request_header(test_server_request(server, 1), "content-length");
	assert_string_equal(size, "0");
}

/* The name in the URL resolves to nothing: all bytes go through `via`, and the certificate is checked against the URL. */
static void test_via_a_unix_socket(void **state)
{
	struct address address = {.kind = ADDRESS_UNIX};
	struct test_certificate kms;
	struct test_server *server;
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	struct http_request request = request_for("https://kms.us-east-1.invalid/");
	struct error error = {0};
	AUTO_FREE char *host = NULL;

	(void)state;
	(void)snprintf(address.path, sizeof address.path, "%s/s", folder);
	test_certificate_make("kms.us-east-1.invalid", &kms);
	server = test_server_new(&kms, &address, &plain_answer, 1);
	request.via = &address;
	request.ca_pem = buffer_view(&kms.certificate_pem);
	assert_ok(http_exchange(&request, &response, &error), &error);
	assert_true(view_equal_text(buffer_view(&response.body), "hello"));
	host = test_request_header(test_server_request(server, 0), "host");
	assert_string_equal(host, "kms.us-east-1.invalid");
	test_server_free(&server);
	test_certificate_done(&kms);
	assert_int_equal(unlink(address.path), 0);
}

static void test_via_numeric_hosts(void **state)
{
	AUTO_SERVER struct test_server *server = test_server_new(NULL, NULL, &plain_answer, 1);
	struct address address = {.kind = ADDRESS_TCP, .host = "127.0.0.1", .port = test_server_port(server)};
	static const char *const urls[] = {"http://192.0.2.1/", "http://[2001:db8::1]:99/", "http://nowhere.invalid:99/"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		AUTO_HTTP_RESPONSE struct http_response response = {0};
		struct http_request request = request_for(urls[i]);
		struct error error = {0};

		request.via = &address;
		assert_ok(http_exchange(&request, &response, &error), &error);
		assert_int_equal(response.status, 200);
	}
}

static void test_proxies_of_the_environment_are_ignored(void **state)
{
	AUTO_SERVER struct test_server *server = test_server_new(NULL, NULL, &plain_answer, 1);
	AUTO_FREE char *url = memory_format("http://127.0.0.1:%u/", test_server_port(server));
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	struct http_request request = request_for(url);
	struct error error = {0};

	(void)state;
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	assert_int_equal(setenv("all_proxy", "http://127.0.0.1:1", 1), 0);
	assert_ok(http_exchange(&request, &response, &error), &error);
	assert_int_equal(unsetenv("http_proxy"), 0);
	assert_int_equal(unsetenv("all_proxy"), 0);
}

/* The exchange fails with `code` and a message that has `reason` in it. Returns whether it was called transient. */
static bool fails(const struct http_request *request, enum error_code code, const char *reason)
{
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	struct error error = {0};

	assert_false(http_exchange(request, &response, &error));
	assert_int_equal(error.code, code);
	assert_message_contains(&error, reason);
	assert_message_contains(&error, request->method);
	assert_null(response.body.data);
	return response.transient;
}

static void test_wrong_ca_is_refused(void **state)
{
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &plain_answer, 1);
	AUTO_FREE char *url = memory_format("https://localhost:%u/", test_server_port(server));
	struct http_request request = request_for(url);

	(void)state;
	request.ca_pem = buffer_view(&stranger.certificate_pem);
	assert_false(fails(&request, ERROR_PEER, "certificate"));
	/* The system's bundle does not know it either, if there is one. */
	request.ca_pem = view_of(NULL, 0);
	assert_false(fails(&request, ERROR_PEER, "TLS"));
	assert_int_equal(test_server_request_count(server), 0);
}

static void test_wrong_host_name_is_refused(void **state)
{
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &plain_answer, 1);
	AUTO_FREE char *numeric = memory_format("https://127.0.0.1:%u/", test_server_port(server));
	struct address address = {.kind = ADDRESS_TCP, .host = "127.0.0.1", .port = test_server_port(server)};
	struct http_request request = request_for(numeric);

	(void)state;
	assert_false(fails(&request, ERROR_PEER, "certificate"));
	request.url = "https://kms.us-east-1.invalid/";
	request.via = &address;
	assert_false(fails(&request, ERROR_PEER, "kms.us-east-1.invalid"));
	assert_int_equal(test_server_request_count(server), 0);
}

static void test_useless_ca_bundle_is_refused(void **state)
{
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, &plain_answer, 1);
	AUTO_FREE char *url = memory_format("https://localhost:%u/", test_server_port(server));
	struct http_request request = request_for(url);

	(void)state;
	request.ca_pem = view_of_text("no certificate at all");
	(void)fails(&request, ERROR_PEER, "TLS");
	assert_int_equal(test_server_request_count(server), 0);
}

static void test_body_limit(void **state)
{
	static char text[RESPONSE_MAX_SIZE + 1];
	static const struct test_answer answers[] = {
		{.status = 200, .body = text, .body_size = RESPONSE_MAX_SIZE},
		{.status = 200, .body = text, .body_size = RESPONSE_MAX_SIZE + 1},
	};
	AUTO_SERVER struct test_server *server = test_server_new(&certificate, NULL, answers, ARRAY_SIZE(answers));
	AUTO_FREE char *url = memory_format("https://localhost:%u/", test_server_port(server));
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	struct http_request request = request_for(url);
	struct error error = {0};

	(void)state;
	memset(text, 't', sizeof text);
	assert_ok(http_exchange(&request, &response, &error), &error);
	assert_int_equal(response.body.size, RESPONSE_MAX_SIZE);
	assert_memory_equal(response.body.data, text, RESPONSE_MAX_SIZE);
	assert_false(fails(&request, ERROR_PEER, "larger than 4096 bytes"));
}

/* Above what is reserved at once the body grows piece by piece. */
static void test_large_body(void **state)
{
	const size_t size = 3u << 20;
	AUTO_FREE char *text = (char *)memory_allocate(size);
	const struct test_answer answer = {.status = 200, .body = text, .body_size = size};
	AUTO_SERVER struct test_server *server = test_server_new(NULL, NULL, &answer, 1);
	AUTO_FREE char *url = memory_format("http://127.0.0.1:%u/", test_server_port(server));
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	struct http_request request = request_for(url);
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < size; i++)
		text[i] = (char)('a' + i % 23);
	request.max_response_size = size;
	assert_ok(http_exchange(&request, &response, &error), &error);
	assert_int_equal(response.body.size, size);
	assert_memory_equal(response.body.data, text, size);
	request.max_response_size = size - 1;
	assert_false(fails(&request, ERROR_PEER, "larger than"));
}

static void test_redirects_are_not_followed(void **state)
{
	static const struct test_answer answer = {.status = 302, .header_name = "Location", .header_value = "http://127.0.0.1:1/"};
	AUTO_SERVER struct test_server *server = test_server_new(NULL, NULL, &answer, 1);
	AUTO_FREE char *url = memory_format("http://127.0.0.1:%u/", test_server_port(server));
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	struct http_request request = request_for(url);
	struct error error = {0};

	(void)state;
	assert_ok(http_exchange(&request, &response, &error), &error);
	assert_int_equal(response.status, 302);
	assert_int_equal(test_server_request_count(server), 1);
}

/* The kernel accepts for it, but nobody ever answers. */
static void test_stalled_server_hits_the_time_out(void **state)
{
	struct address address = {.kind = ADDRESS_TCP, .host = "127.0.0.1"};
	struct error error = {0};
	AUTO_FD int listener = address_listen(&address, 4, &error);
	AUTO_FREE char *url = memory_format("https://localhost:%u/", address_bound_port(listener));
	struct http_request request = request_for(url);
	uint64_t start_ms = clock_monotonic_ms();

	(void)state;
	assert_ok(listener >= 0, &error);
	request.timeout_ms = SHORT_TIMEOUT_MS;
	assert_true(fails(&request, ERROR_PEER, "timed out after 200 ms"));
	address.port = address_bound_port(listener);
	request.via = &address;
	assert_true(fails(&request, ERROR_PEER, "timed out after 200 ms"));
	assert_true(clock_monotonic_ms() - start_ms >= 2 * SHORT_TIMEOUT_MS);
}

static void test_refused_connections(void **state)
{
	struct address address = {.kind = ADDRESS_TCP, .host = "127.0.0.1"};
	struct error error = {0};
	AUTO_FD int bound = address_bind(&address, &error);
	AUTO_FREE char *url = memory_format("https://127.0.0.1:%u/", address_bound_port(bound));
	struct http_request request = request_for(url);

	(void)state;
	assert_ok(bound >= 0, &error);
	assert_true(fails(&request, ERROR_PEER, "cannot connect"));
	address.port = address_bound_port(bound);
	request.via = &address;
	assert_true(fails(&request, ERROR_PEER, "tcp:127.0.0.1:"));
	request.via = NULL;
	request.url = "https://nowhere.invalid/";
	assert_true(fails(&request, ERROR_PEER, "resolve"));
}

static void test_unusable_requests(void **state)
{
	static const char *const broken[] = {"X-Test: a\r\nX-Injected: b", NULL};
	struct address address = {.kind = ADDRESS_TCP, .host = "127.0.0.1", .port = 1};
	struct http_request request = request_for("http://127.0.0.1:1/");

	(void)state;
	request.headers = broken;
	assert_false(fails(&request, ERROR_INPUT, "line break"));
	request.headers = NULL;
	request.url = "http://";
	assert_false(fails(&request, ERROR_INPUT, "URL"));
	request.via = &address;
	assert_false(fails(&request, ERROR_INPUT, "URL"));
	request.via = NULL;
	request.url = "file:///etc/passwd";
	assert_false(fails(&request, ERROR_PEER, "file"));
}

/* A peer that takes one request and says exactly these bytes before it closes. */
struct raw_server {
	int listener;
	struct view answer;
};

static void *run_raw_server(void *context)
{
	const struct raw_server *server = (const struct raw_server *)context;
	AUTO_FD int fd = accept(server->listener, NULL, NULL);
	char request[4096];

	(void)!read(fd, request, sizeof request);
	for (size_t sent = 0; sent < server->answer.size;) {
		ssize_t count = send(fd, server->answer.data + sent, server->answer.size - sent, MSG_NOSIGNAL);

		if (count <= 0)
			break;
		sent += (size_t)count;
	}
	return NULL;
}

static bool raw_server_makes_it_fail(const char *scheme, struct view answer, const char *reason)
{
	struct address address = {.kind = ADDRESS_TCP, .host = "127.0.0.1"};
	struct error error = {0};
	AUTO_FD int listener = address_listen(&address, 1, &error);
	struct raw_server server = {.listener = listener, .answer = answer};
	AUTO_FREE char *url = memory_format("%s://localhost:%u/", scheme, address_bound_port(listener));
	struct http_request request = request_for(url);
	pthread_t thread;
	bool transient;

	assert_ok(listener >= 0, &error);
	assert_int_equal(pthread_create(&thread, NULL, run_raw_server, &server), 0);
	transient = fails(&request, ERROR_PEER, reason);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return transient;
}

static void test_peers_that_break_off_or_talk_nonsense(void **state)
{
	static const struct {
		const char *scheme;
		const char *answer;
		const char *reason;
		bool transient;
	} cases[] = {
		{"http", "", "without an answer", true},
		{"http", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "middle of the answer", true},
		{"http", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf", "middle of the answer", true},
		{"http", "garbage that is no HTTP\r\n\r\n", "not an HTTP answer", false},
		{"http", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", "middle of the answer", true},
		{"https", "", "TLS", true},
		{"https", "HTTP/1.1 400 Bad Request\r\n\r\n", "TLS", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(raw_server_makes_it_fail(cases[i].scheme, view_of_text(cases[i].answer), cases[i].reason),
				 cases[i].transient);
}

static void test_endless_headers_are_cut_off(void **state)
{
	AUTO_BUFFER struct buffer answer = {0};

	(void)state;
	buffer_append_text(&answer, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 8000; i++)
		buffer_append_format(&answer, "X-Header-%d: value\r\n", i);
	assert_false(raw_server_makes_it_fail("http", buffer_view(&answer), "headers are larger than 65536 bytes"));
}

/* The length is only known when the last chunk came, so the limit must count. */
static void test_chunked_body_over_the_limit(void **state)
{
	AUTO_BUFFER struct buffer answer = {0};

	(void)state;
	buffer_append_text(&answer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < RESPONSE_MAX_SIZE / 16 + 1; i++)
		buffer_append_text(&answer, "10\r\n0123456789abcdef\r\n");
	buffer_append_text(&answer, "0\r\n\r\n");
	assert_false(raw_server_makes_it_fail("http", buffer_view(&answer), "larger than 4096 bytes"));
}

static void test_done_accepts_empty(void **state)
{
	struct http_response response = {0};

	(void)state;
	http_response_done(NULL);
	http_response_done(&response);
	assert_null(response.body.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get_over_tls),
		cmocka_unit_test(test_post_and_put),
		cmocka_unit_test(test_via_a_unix_socket),
		cmocka_unit_test(test_via_numeric_hosts),
		cmocka_unit_test(test_proxies_of_the_environment_are_ignored),
		cmocka_unit_test(test_wrong_ca_is_refused),
		cmocka_unit_test(test_wrong_host_name_is_refused),
		cmocka_unit_test(test_useless_ca_bundle_is_refused),
		cmocka_unit_test(test_body_limit),
		cmocka_unit_test(test_large_body),
		cmocka_unit_test(test_redirects_are_not_followed),
		cmocka_unit_test(test_stalled_server_hits_the_time_out),
		cmocka_unit_test(test_refused_connections),
		cmocka_unit_test(test_unusable_requests),
		cmocka_unit_test(test_peers_that_break_off_or_talk_nonsense),
		cmocka_unit_test(test_endless_headers_are_cut_off),
		cmocka_unit_test(test_chunked_body_over_the_limit),
		cmocka_unit_test(test_done_accepts_empty),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
