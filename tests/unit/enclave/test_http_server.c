/* SPDX-License-Identifier: Apache-2.0 */
/* Strangers on the server's socket: TLS versions, sizes, crowds. */
#include "vectors.h"

#include <signal.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "server_fixture.h"

/* A machine under load may be late by this. */
#define SLACK_MS 3000

#define CROWD 200

static struct fixture fixture;

static void start(const struct fixture_options *options)
{
	(void)signal(SIGPIPE, SIG_IGN);
	fixture_start(&fixture, options);
}

static int stop(void **state)
{
	(void)state;
	fixture_stop(&fixture);
	return 0;
}

/* ---- TLS ---- */

static void versions_and_ciphers(void **state)
{
	static const struct {
		const char *priorities;
		bool accepted;
	} cases[] = {
		{"NORMAL:-VERS-ALL:+VERS-TLS1.3", true},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2", true},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM", true},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305", true},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-GROUP-ALL:+GROUP-SECP256R1", true},
		{"LEGACY:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0:%ALLOW_SMALL_RECORDS", false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC:+AES-256-CBC:+SHA1", false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA", false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA", false},
	};

	(void)state;
	start(&(struct fixture_options){0});
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_TLS_CLIENT struct tls_client client;
		struct error error = {0};
		bool accepted =
			tls_client_connect(&client, &fixture.address, buffer_view(&fixture.ca_pem), cases[i].priorities, &error);

		if (accepted != cases[i].accepted)
			fail_msg("%s: %s", cases[i].priorities, error.message);
		if (!accepted)
			continue;
		fixture_send_text(&client, "GET /upcheck HTTP/1.1\r\nHost: localhost\r\n\r\n");
		fixture_assert_status(&client, 200);
	}
}

static void key_and_chain_must_fit(void **state)
{
	static const char *const names[] = {"localhost"};
	AUTO_TLS_IDENTITY struct tls_identity other = {0};
	AUTO_BUFFER struct buffer ca = {0};
	struct http_server_options options = {.threads = 2, .connection_limit = 16, .request_deadline_ms = 400};
	struct error error;
	size_t size;

	(void)state;
	fixture_prepare(&fixture);
	assert_ok(tls_identity_create("other", names, 1, 1, &other, &ca, &error), &error);
	options.listen_fd = fixture.listen_fd;
	options.tls_key = secret_view(&other.key);
	options.tls_chain = buffer_view(&fixture.identity.chain);
	assert_null(http_server_new(&options, &error));
	assert_int_equal(error.code, ERROR_CRYPTO);
	assert_message_contains(&error, "not that of the certificate");
	options.tls_key = view_of(other.key.data, other.key.size / 2);
	assert_null(http_server_new(&options, &error));
	assert_message_contains(&error, "TLS key");
	options.tls_key = secret_view(&fixture.identity.key);
	size = options.tls_chain.size;
	options.tls_chain.size = size / 2;
	assert_null(http_server_new(&options, &error));
	assert_message_contains(&error, "chain");
	options.tls_chain.size = 0;
	assert_null(http_server_new(&options, &error));
	assert_message_contains(&error, "chain");
	fixture_release(&fixture);
}

/* Before there is a server nothing listens: clients are refused, they do not hang. */
static void nothing_listens_before(void **state)
{
	struct error error;

	(void)state;
	fixture_prepare(&fixture);
	assert_int_equal(address_connect(&fixture.address, 1000, &error), -1);
	fixture_release(&fixture);
}

/* ---- sizes ---- */

static void announced_large_body_is_413(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;
	AUTO_ANSWER struct answer answer = {0};

	(void)state;
	start(&(struct fixture_options){0});
	fixture_connect(&fixture, &client);
	/* not one byte of it has to come */
	fixture_send_text(&client, "POST /api/v1/eth2/sign/00 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10485761\r\n\r\n");
	assert_true(tls_client_receive(&client, &answer));
	assert_int_equal(answer.status, 413);
	assert_string_equal(answer_header(&answer, "Content-Type"), "application/json; charset=utf-8");
	assert_string_equal(answer_header(&answer, "Connection"), "close");
	assert_true(tls_client_wait_for_end(&client, SLACK_MS) < SLACK_MS);
}

static void endless_chunks_are_413(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;
	AUTO_ANSWER struct answer answer = {0};
	AUTO_BUFFER struct buffer chunk = {0};
	size_t sent;

	(void)state;
	start(&(struct fixture_options){0});
	fixture_connect(&fixture, &client);
	fixture_send_text(&client, "POST /api/v1/eth2/sign/00 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
	buffer_append_text(&chunk, "10000\r\n");
	for (size_t i = 0; i < 0x10000; i++)
		buffer_append_byte(&chunk, ' ');
	buffer_append_text(&chunk, "\r\n");
	for (sent = 0; sent < 2 * (size_t)API_BODY_MAX_SIZE; sent += 0x10000)
		if (!tls_client_send(&client, buffer_view(&chunk)))
			break;
	assert_true(sent >= API_BODY_MAX_SIZE && sent < 2 * (size_t)API_BODY_MAX_SIZE);
	assert_true(tls_client_receive(&client, &answer));
	assert_int_equal(answer.status, 413);
	assert_string_equal(answer_header(&answer, "Connection"), "close");
}

static void chunked_body_is_a_body(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;
	AUTO_FREE char *text = memory_format("POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
					     "5\r\n%.5s\r\n%zx\r\n%s\r\n0\r\n\r\n",
					     sign_path(0, 0), FIXTURE_RANDAO, strlen(FIXTURE_RANDAO) - 5, &FIXTURE_RANDAO[5]);

	(void)state;
	start(&(struct fixture_options){0});
	fixture_connect(&fixture, &client);
	fixture_send_text(&client, text);
	fixture_assert_status(&client, 200);
}

static void expect_continue_is_answered(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;
	AUTO_FREE char *text =
		memory_format("POST %s HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
			      sign_path(0, 0), strlen(FIXTURE_RANDAO));
	char piece[64] = {0};
	ssize_t got;

	(void)state;
	start(&(struct fixture_options){0});
	fixture_connect(&fixture, &client);
	fixture_send_text(&client, text);
	do
		got = gnutls_record_recv(client.session, piece, sizeof piece - 1);
	while (got == GNUTLS_E_AGAIN); /* session tickets */
	assert_true(got > 0);
	assert_non_null(strstr(piece, "HTTP/1.1 100"));
	fixture_send_text(&client, FIXTURE_RANDAO);
	fixture_assert_status(&client, 200);
}

/* ---- HTTP ---- */

static void nonsense_is_refused(void **state)
{
	static const struct {
		const char *request;
		unsigned status;
	} cases[] = {
		{"GET /upcheck HTTP/1.1\r\n\r\n", 400}, /* no Host */
		{"POST /upcheck HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
		{"POST /upcheck HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 413},
		{"POST /upcheck HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
	};

	(void)state;
	start(&(struct fixture_options){0});
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_TLS_CLIENT struct tls_client client;

		fixture_connect(&fixture, &client);
		fixture_send_text(&client, cases[i].request);
		fixture_assert_status(&client, cases[i].status);
	}
}

static void only_listed_hosts_are_served(void **state)
{
	static const struct {
		const char *request;
		unsigned status;
	} cases[] = {
		{"GET /upcheck HTTP/1.1\r\nHost: signer.example\r\n\r\n", 200},
		{"GET /upcheck HTTP/1.1\r\nHost: SIGNER.example:8443\r\n\r\n", 200},
		{"GET /upcheck HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n\r\n", 200},
		{"GET /upcheck HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403},
		{"GET /nowhere HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403}, /* before routing */
		{"GET /upcheck HTTP/1.1\r\nHost:\r\n\r\n", 403},
		{"GET /upcheck HTTP/1.1\r\n\r\n", 400},
		{"GET /upcheck HTTP/1.0\r\n\r\n", 403},
		{"GET /upcheck HTTP/1.1\r\nHost: signer.example\r\nHost: evil.example\r\n\r\n", 403},
		{"GET /upcheck HTTP/1.1\r\nHost: evil.example\r\nHost: signer.example\r\n\r\n", 403},
		{"POST /upcheck HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 5\r\n\r\nhello", 403},
	};
	AUTO_CLIENT_SETTINGS struct client_settings hosts = {0};
	struct error error;

	(void)state;
	assert_ok(client_settings_add_host(&hosts, "signer.example", &error), &error);
	assert_ok(client_settings_add_host(&hosts, "2001:db8::1", &error), &error);
	start(&(struct fixture_options){.hosts = &hosts});
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_TLS_CLIENT struct tls_client client;
		AUTO_ANSWER struct answer answer = {0};

		fixture_connect(&fixture, &client);
		fixture_send_text(&client, cases[i].request);
		assert_true(tls_client_receive(&client, &answer));
		if (answer.status != cases[i].status)
			fail_msg("%u for %s", answer.status, cases[i].request);
		if (answer.status == 403)
			assert_error(&answer, 403, "Host not authorized.");
	}
}

static void huge_headers_are_refused(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;
	AUTO_BUFFER struct buffer text = {0};
	AUTO_ANSWER struct answer answer = {0};

	(void)state;
	start(&(struct fixture_options){0});
	fixture_connect(&fixture, &client);
	buffer_append_text(&text, "GET /upcheck HTTP/1.1\r\nHost: x\r\n");
	while (text.size < 100000)
		buffer_append_text(&text, "X-Filler: 0123456789012345678901234567890123456789\r\n");
	if (tls_client_send(&client, buffer_view(&text)) && tls_client_receive(&client, &answer))
		assert_true(answer.status == 431 || answer.status == 413 || answer.status == 400);
}

static void keep_alive_and_pipelining(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;

	(void)state;
	start(&(struct fixture_options){0});
	fixture_connect(&fixture, &client);
	for (unsigned i = 0; i < 3; i++) {
		fixture_send_sign(&client, sign_path(SIGN_OK, 0), "");
		fixture_send_sign(&client, sign_path(SIGN_SLASHABLE, 0), "");
		fixture_send_text(&client, "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n");
		fixture_assert_status(&client, 200);
		fixture_assert_status(&client, 412);
		fixture_assert_status(&client, 404);
	}
}

/* All requests are under way before the first answer is read, round after round on the same connections. */
static void serve_crowd(void)
{
	struct tls_client *clients = (struct tls_client *)memory_allocate_zeroed(CROWD, sizeof *clients);

	for (size_t i = 0; i < CROWD; i++)
		fixture_connect(&fixture, &clients[i]);
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < CROWD; i++)
			fixture_send_sign(&clients[i], sign_path(i % 2 ? SIGN_OK : SIGN_UNKNOWN_KEY, 0), "");
		for (size_t i = 0; i < CROWD; i++)
			fixture_assert_status(&clients[i], i % 2 ? 200 : 404);
	}
	for (size_t i = 0; i < CROWD; i++)
		tls_client_done(&clients[i]);
	free(clients);
}

static void crowd_is_served(void **state)
{
	(void)state;
	start(&(struct fixture_options){0});
	serve_crowd();
}

static void more_requests_than_places_is_503(void **state)
{
	AUTO_TLS_CLIENT struct tls_client first;
	AUTO_TLS_CLIENT struct tls_client second;

	(void)state;
	start(&(struct fixture_options){.keeper_capacity = 1, .keeper_deadline_ms = 1000});
	fixture_connect(&fixture, &first);
	fixture_connect(&fixture, &second);
	fixture_send_sign(&first, sign_path(SIGN_OK, KEY_SILENT), "");
	fixture_send_sign(&second, sign_path(SIGN_OK, KEY_SILENT), "");
	fixture_assert_status(&first, 503);
	fixture_assert_status(&second, 503);
	fixture_send_sign(&second, sign_path(SIGN_OK, 0), "");
	fixture_assert_status(&second, 200);
}

/* A client that goes while the keeper works leaves nothing behind. */
static void client_may_leave(void **state)
{
	(void)state;
	start(&(struct fixture_options){.keeper_deadline_ms = 300});
	for (unsigned i = 0; i < 20; i++) {
		AUTO_TLS_CLIENT struct tls_client client;

		fixture_connect(&fixture, &client);
		fixture_send_sign(&client, sign_path(SIGN_OK, i % 2 ? KEY_SILENT : 0), "");
	}
	serve_crowd();
}

/* ---- the other kind of socket ---- */

static void tcp_is_served(void **state)
{
	struct http_server_options options = {
		.threads = 2, .connection_limit = 16, .request_deadline_ms = 5000, .idle_timeout_ms = 5000, .body_budget = 1 << 20};
	AUTO_TLS_CLIENT struct tls_client client;
	struct address address;
	struct error error;
	struct api *api;

	(void)state;
	start(&(struct fixture_options){0});
	http_server_free(fixture.server);
	assert_ok(address_parse("tcp:127.0.0.1:0", &address, &error), &error);
	options.listen_fd = address_bind(&address, &error);
	assert_ok(options.listen_fd >= 0, &error);
	address.port = address_bound_port(options.listen_fd);
	options.tls_key = secret_view(&fixture.identity.key);
	options.tls_chain = buffer_view(&fixture.identity.chain);
	api = fixture.api;
	api_fill_options(api, &options);
	fixture.server = http_server_new(&options, &error);
	assert_ok(fixture.server != NULL, &error);
	assert_ok(tls_client_connect(&client, &address, buffer_view(&fixture.ca_pem), NULL, &error), &error);
	fixture_send_sign(&client, sign_path(SIGN_OK, 0), "");
	fixture_assert_status(&client, 200);
	(void)close(options.listen_fd);
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, NULL, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(versions_and_ciphers),
		cmocka_unit_test(key_and_chain_must_fit),
		cmocka_unit_test(nothing_listens_before),
		with_server(announced_large_body_is_413),
		with_server(endless_chunks_are_413),
		with_server(chunked_body_is_a_body),
		with_server(expect_continue_is_answered),
		with_server(nonsense_is_refused),
		with_server(only_listed_hosts_are_served),
		with_server(huge_headers_are_refused),
		with_server(keep_alive_and_pipelining),
		with_server(crowd_is_served),
		with_server(more_requests_than_places_is_503),
		with_server(client_may_leave),
		with_server(tcp_is_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
