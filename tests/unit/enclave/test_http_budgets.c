/* SPDX-License-Identifier: Apache-2.0 */
/* What clients can hold of the server's memory by sending slowly or by not reading, and that usual requests do not need it. */
#include "vectors.h"

#include <signal.h>

#include "server_fixture.h"

#define RANDAO                                                                                                                     \
	"{\"fork_info\":{\"fork\":{\"previous_version\":\"0x00000001\",\"current_version\":\"0x00000002\",\"epoch\":\"3\"},"       \
	"\"genesis_validators_root\":\"0x0101010101010101010101010101010101010101010101010101010101010101\"},"                     \
	"\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":\"5\"}}"

#define SMALL HTTP_SERVER_SMALL_BODY_SIZE
#define BODY_BUDGET 100000u
/* One list of the keys fits, two do not. */
#define KEYS 10000u
#define ANSWER_BUDGET (3u << 20)

#define STALLED 4
/* Nobody is to be late here, not even in a sanitizer's build. */
#define DEADLINE_MS 60000

static struct fixture fixture;

static void start(struct fixture_options options)
{
	options.request_deadline_ms = options.idle_timeout_ms = options.keeper_deadline_ms = DEADLINE_MS;
	fixture_start(&fixture, &options);
}

static int stop(void **state)
{
	(void)state;
	fixture_stop(&fixture);
	return 0;
}

/* A request whose body has this size, blanks before it; only `sent` bytes of the body. */
static void send_part(struct tls_client *client, size_t size, size_t sent)
{
	AUTO_BUFFER struct buffer text = {0};
	size_t blanks = size - strlen(RANDAO) < sent ? size - strlen(RANDAO) : sent;

	buffer_append_format(&text, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", sign_path(SIGN_OK, 0),
			     size);
	buffer_reserve(&text, blanks);
	memset(text.data + text.size, ' ', blanks);
	text.size += blanks;
	buffer_append(&text, view_of(RANDAO, sent - blanks));
	assert_true(tls_client_send(client, buffer_view(&text)));
}

static unsigned sign(struct tls_client *client, size_t size)
{
	AUTO_ANSWER struct answer answer = {0};

	send_part(client, size, size);
	assert_true(tls_client_receive(client, &answer));
	return answer.status;
}

/* Until a body that needs `size` bytes of the budget gets the status: what others hold is known to the server a little later. */
static void wait_for_status(struct tls_client *client, size_t size, unsigned status)
{
	for (unsigned tries = 0; sign(client, SMALL + size) != status; tries++)
		assert_true(tries < 10000);
}

/* On one thread, where a body that is tried is charged and given back before another's bytes are looked at. */
static void large_bodies_share_a_budget(void **state)
{
	AUTO_TLS_CLIENT struct tls_client holder;
	AUTO_TLS_CLIENT struct tls_client other;
	AUTO_ANSWER struct answer answer = {0};

	(void)state;
	start((struct fixture_options){.body_budget = BODY_BUDGET, .threads = 1});
	fixture_connect(&fixture, &holder);
	fixture_connect(&fixture, &other);
	send_part(&holder, SMALL + BODY_BUDGET, SMALL + BODY_BUDGET - 1);
	wait_for_status(&other, 2, 503);
	/* small ones need none of it, and a byte is still there */
	assert_int_equal(sign(&other, strlen(RANDAO)), 200);
	assert_int_equal(sign(&other, SMALL), 200);
	assert_int_equal(sign(&other, SMALL + 1), 200);
	assert_int_equal(sign(&other, SMALL + 2), 503);
	/* room comes back with the end of the request */
	assert_true(tls_client_send(&holder, view_of_text("}")));
	assert_true(tls_client_receive(&holder, &answer));
	assert_int_equal(answer.status, 200);
	assert_int_equal(sign(&other, SMALL + BODY_BUDGET), 200);
}

/* Clients that stall with as much as they can get take nothing from those whose requests have the usual size. */
static void stalled_bodies_refuse_no_usual_request(void **state)
{
	struct tls_client stalled[STALLED];
	AUTO_TLS_CLIENT struct tls_client other;

	(void)state;
	start((struct fixture_options){.body_budget = 2 * BODY_BUDGET});
	fixture_connect(&fixture, &other);
	for (size_t i = 0; i < STALLED; i++) {
		fixture_connect(&fixture, &stalled[i]);
		send_part(&stalled[i], API_BODY_MAX_SIZE, SMALL + BODY_BUDGET);
	}
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(sign(&other, i % 2 ? strlen(RANDAO) : SMALL), 200);
	for (size_t i = 0; i < STALLED; i++)
		tls_client_done(&stalled[i]);
	/* and leave nothing behind */
	wait_for_status(&other, 2 * BODY_BUDGET, 200);
}

static void ask_for_keys(struct tls_client *client)
{
	assert_true(tls_client_send(client, view_of_text("GET /api/v1/eth2/publicKeys HTTP/1.1\r\nHost: localhost\r\n\r\n")));
}

static unsigned list_keys(struct tls_client *client)
{
	AUTO_ANSWER struct answer answer = {0};

	ask_for_keys(client);
	assert_true(tls_client_receive(client, &answer));
	return answer.status;
}

static void unread_answers_refuse_only_their_kind(void **state)
{
	AUTO_TLS_CLIENT struct tls_client reader;
	AUTO_TLS_CLIENT struct tls_client other;
	AUTO_ANSWER struct answer answer = {0};
	char first[32];
	ssize_t got;

	(void)state;
	start((struct fixture_options){.body_budget = BODY_BUDGET, .answer_budget = ANSWER_BUDGET, .key_count = KEYS});
	fixture_connect(&fixture, &reader);
	fixture_connect(&fixture, &other);
	ask_for_keys(&reader);
	/* its first bytes say that all of it is there; a session ticket may come before them */
	do
		got = gnutls_record_recv(reader.session, first, sizeof first);
	while (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED);
	assert_true(got > 0);
	assert_int_equal(list_keys(&other), 503);
	assert_int_equal(sign(&other, strlen(RANDAO)), 200);
	assert_int_equal(sign(&other, SMALL + BODY_BUDGET), 200);
	/* room comes back when it has been read */
	buffer_append(&reader.received, view_of(first, (size_t)got));
	assert_true(tls_client_receive(&reader, &answer));
	assert_int_equal(answer.status, 200);
	assert_true(answer.body.size > (size_t)KEYS * 2 * BLS_PUBLIC_KEY_SIZE);
	for (unsigned tries = 0; list_keys(&other) != 200; tries++)
		assert_true(tries < 1000);
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, NULL, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(large_bodies_share_a_budget),
		with_server(stalled_bodies_refuse_no_usual_request),
		with_server(unread_answers_refuse_only_their_kind),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
