/* SPDX-License-Identifier: Apache-2.0 */
/* How long a connection may take in each phase, and how many there may be. */
#include "vectors.h"

#include <signal.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "server_fixture.h"

/* Shortened for the tests of stalling clients; the server notices within an eighth. */
#define SHORT_MS 400
/* A machine under load may be late by this. */
#define SLACK_MS 3000
/* Nothing takes that long unless it is broken; shorter than the deadline of a request, so that a refusal is not taken for one. */
#define PATIENCE_MS 20000
#define LIMIT 16
#define THREADS 4
#define CROWD 120

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

/* A connection that says nothing, not even a handshake. */
static struct tls_client connect_silently(void)
{
	struct error error;
	struct tls_client client = {.fd = address_connect(&fixture.address, PATIENCE_MS, &error)};

	assert_ok(client.fd >= 0, &error);
	return client;
}

static void assert_served(struct tls_client *client)
{
	fixture_send_sign(client, sign_path(SIGN_OK, 0), "");
	fixture_assert_status(client, 200);
}

/* A new connection within PATIENCE_MS, however many are refused before. */
static void connect_at_last(struct tls_client *client)
{
	uint64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
	struct error error;

	while (!tls_client_connect(client, &fixture.address, buffer_view(&fixture.ca_pem), NULL, &error)) {
		tls_client_done(client);
		if (clock_monotonic_ms() > deadline_ms)
			fail_msg("there was never room again: %s", error.message);
		(void)usleep(10000);
	}
}

/* ---- clients that stall ---- */

/* Send `text` a byte at a time, for as long as the server listens; returns how long that was. */
static unsigned trickle(struct tls_client *client, const char *text)
{
	uint64_t begin_ms = clock_monotonic_ms();

	while (clock_monotonic_ms() - begin_ms < SHORT_MS + SLACK_MS) {
		if (!tls_client_send(client, view_of(text, 1)) || tls_client_wait_for_end(client, 50) < 40)
			break;
		if (text[1] != '\0')
			text++;
	}
	return (unsigned)(clock_monotonic_ms() - begin_ms);
}

static const struct fixture_options short_options = {.request_deadline_ms = SHORT_MS, .idle_timeout_ms = 2 * SHORT_MS};

static void assert_closed_after(unsigned spent_ms, unsigned deadline_ms)
{
	assert_in_range(spent_ms, deadline_ms - deadline_ms / 4, deadline_ms + SLACK_MS - 1);
}

static void silent_connection_is_closed(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;

	(void)state;
	start(&short_options);
	client = connect_silently();
	assert_closed_after(tls_client_wait_for_end(&client, SHORT_MS + SLACK_MS), SHORT_MS);
}

static void handshake_without_request_is_closed(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;

	(void)state;
	start(&short_options);
	fixture_connect(&fixture, &client);
	assert_closed_after(tls_client_wait_for_end(&client, SHORT_MS + SLACK_MS), SHORT_MS);
}

static void trickled_headers_are_closed(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;

	(void)state;
	start(&short_options);
	fixture_connect(&fixture, &client);
	assert_closed_after(
		trickle(&client, "GET /upcheck HTTP/1.1\r\nHost: localhost\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"),
		SHORT_MS);
}

static void trickled_body_is_closed(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;

	(void)state;
	start(&short_options);
	fixture_connect(&fixture, &client);
	fixture_send_text(&client, "POST /upcheck HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n");
	assert_closed_after(trickle(&client, " "), SHORT_MS);
}

static void idle_connection_is_closed_later(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;

	(void)state;
	start(&short_options);
	fixture_connect(&fixture, &client);
	fixture_send_sign(&client, sign_path(SIGN_OK, 0), "");
	fixture_assert_status(&client, 200);
	assert_closed_after(tls_client_wait_for_end(&client, 2 * SHORT_MS + SLACK_MS), 2 * SHORT_MS);
}

/* The keeper's time is not the client's: a slow answer comes after the deadline for requests. */
static void slow_keeper_is_waited_for(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;
	uint64_t begin_ms;

	(void)state;
	start(&(struct fixture_options){.request_deadline_ms = SHORT_MS, .keeper_deadline_ms = 3 * SHORT_MS});
	fixture_connect(&fixture, &client);
	begin_ms = clock_monotonic_ms();
	fixture_send_sign(&client, sign_path(SIGN_OK, KEY_SILENT), "");
	fixture_assert_status(&client, 503);
	assert_true(clock_monotonic_ms() - begin_ms >= 2 * SHORT_MS);
}

/* ---- too many ---- */

/* A crowd of stalling clients up to the limit keeps others out only until their deadline, in which the late one must shake hands too. */
static void stallers_make_room(void **state)
{
	struct tls_client clients[LIMIT];
	AUTO_TLS_CLIENT struct tls_client late;

	(void)state;
	start(&(struct fixture_options){.request_deadline_ms = 5 * SHORT_MS, .connection_limit = LIMIT});
	for (size_t i = 0; i < LIMIT; i++)
		clients[i] = connect_silently();
	connect_at_last(&late);
	assert_served(&late);
	for (size_t i = 0; i < LIMIT; i++)
		tls_client_done(&clients[i]);
}

/* Refused, not left waiting; those that are there are served all the while, and there is room again when one goes. */
static void over_the_limit_is_closed_at_once(void **state)
{
	struct tls_client clients[LIMIT];
	AUTO_TLS_CLIENT struct tls_client late;

	(void)state;
	start(&(struct fixture_options){.connection_limit = LIMIT, .threads = THREADS, .idle_timeout_ms = 2 * PATIENCE_MS});
	for (size_t i = 0; i < LIMIT; i++)
		fixture_connect(&fixture, &clients[i]);
	for (size_t i = 0; i < 2 * LIMIT; i++) {
		AUTO_TLS_CLIENT struct tls_client refused = connect_silently();

		assert_in_range(tls_client_wait_for_end(&refused, PATIENCE_MS), 0, PATIENCE_MS - 1);
		assert_served(&clients[i % LIMIT]);
	}
	tls_client_done(&clients[0]);
	connect_at_last(&late);
	assert_served(&late);
	for (size_t i = 1; i < LIMIT; i++) {
		assert_served(&clients[i]);
		tls_client_done(&clients[i]);
	}
}

/* All at one moment: as many as the limit stay, and of those that raced for the last place one a thread. */
static void crowd_is_cut_to_the_limit(void **state)
{
	struct tls_client crowd[CROWD];
	uint64_t deadline_ms;
	size_t left = CROWD;

	(void)state;
	start(&(struct fixture_options){.connection_limit = LIMIT, .threads = THREADS});
	for (size_t i = 0; i < CROWD; i++)
		crowd[i] = connect_silently();
	deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
	while (left > LIMIT + THREADS - 1 && clock_monotonic_ms() < deadline_ms) {
		left = 0;
		for (size_t i = 0; i < CROWD; i++)
			left += tls_client_wait_for_end(&crowd[i], 1) >= 1;
	}
	assert_in_range(left, LIMIT, LIMIT + THREADS - 1);
	for (size_t i = 0; i < CROWD; i++)
		tls_client_done(&crowd[i]);
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, NULL, stop)

/* Of this process, which is server and client. */
static uint64_t cpu_us(void)
{
	struct timespec spent;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent), 0);
	return (uint64_t)spent.tv_sec * 1000000 + (uint64_t)spent.tv_nsec / 1000;
}

/* libmicrohttpd tried handshakes again and again. Then the server stops, while they still wait. */
static void a_silent_handshake_costs_nothing(void **state)
{
	static const uint8_t half_a_hello[] = {0x16, 0x03, 0x01, 0x00, 0xf4, 0x01, 0x00, 0x00, 0xf0, 0x03, 0x03};
	const struct timespec while_waiting = {.tv_nsec = SHORT_MS * 1000000L};
	struct tls_client silent[2], talking = {0};
	uint64_t before_us;

	(void)state;
	start(&(struct fixture_options){0});
	silent[0] = connect_silently();
	silent[1] = connect_silently();
	assert_int_equal(send(silent[1].fd, half_a_hello, sizeof half_a_hello, MSG_NOSIGNAL), sizeof half_a_hello);
	fixture_connect(&fixture, &talking);
	assert_served(&talking);
	before_us = cpu_us();
	(void)nanosleep(&while_waiting, NULL);
	assert_true(cpu_us() - before_us < SHORT_MS * 1000 / 4);
	assert_served(&talking);
	tls_client_done(&talking);
	fixture_stop(&fixture);
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		tls_client_done(&silent[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_silent_handshake_costs_nothing),
		with_server(silent_connection_is_closed),
		with_server(handshake_without_request_is_closed),
		with_server(trickled_headers_are_closed),
		with_server(trickled_body_is_closed),
		with_server(idle_connection_is_closed_later),
		with_server(slow_keeper_is_waited_for),
		with_server(stallers_make_room),
		with_server(over_the_limit_is_closed_at_once),
		with_server(crowd_is_cut_to_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
