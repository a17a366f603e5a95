/* SPDX-License-Identifier: Apache-2.0 */
/* As many requests at one moment as libmicrohttpd takes events at a time, and nothing after them that would wake it. */
#include "vectors.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "enclave/frontend/http_server.h"
#include "server_fixture.h"

#define EVENTS_AT_A_TIME 128
/* Long before the first deadline, which would wake it too. */
#define PATIENCE_MS 10000
#define DEADLINE_MS 60000
/* For requests that were sent to be there. */
#define ARRIVAL_US 500000

static struct fixture fixture;
static pthread_t server_thread;
static int gate[2]; /* a pipe: what the thread waits for in its signal handler */
static sem_t is_held;

static void handle(void *context, struct http_call *call)
{
	(void)context;
	server_thread = pthread_self();
	http_call_answer(call, &(struct http_answer){.status = 200, .content_type = "text/plain", .body = view_of_text("OK")});
}

static void hold(int signal)
{
	char byte;
	ssize_t got;

	(void)signal;
	(void)sem_post(&is_held);
	got = read(gate[0], &byte, 1);
	(void)got;
}

static int stop(void **state)
{
	(void)state;
	http_server_free(fixture.server);
	fixture.server = NULL;
	fixture_release(&fixture);
	return 0;
}

static void start(void)
{
	struct http_server_options options = {.threads = 1,
					      .connection_limit = 2 * EVENTS_AT_A_TIME,
					      .request_deadline_ms = DEADLINE_MS,
					      .idle_timeout_ms = DEADLINE_MS,
					      .body_max_size = 1024,
					      .body_budget = 1 << 20,
					      .answer_budget = 1 << 20,
					      .handle = handle};
	struct error error = {0};

	fixture_prepare(&fixture);
	options.listen_fd = fixture.listen_fd;
	options.tls_key = secret_view(&fixture.identity.key);
	options.tls_chain = buffer_view(&fixture.identity.chain);
	fixture.server = http_server_new(&options, &error);
	assert_ok(fixture.server != NULL, &error);
}

static void request(struct tls_client *client)
{
	fixture_send_text(client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

static void a_full_set_of_events_is_dealt_with(void **state)
{
	static struct tls_client clients[EVENTS_AT_A_TIME];
	const struct sigaction action = {.sa_handler = hold};
	uint64_t begun_ms;

	(void)state;
	assert_int_equal(sem_init(&is_held, 0, 0) | pipe(gate) | sigaction(SIGUSR1, &action, NULL), 0);
	start();
	for (size_t i = 0; i < EVENTS_AT_A_TIME; i++)
		fixture_connect(&fixture, &clients[i]);
	request(&clients[0]);
	fixture_assert_status(&clients[0], 200);
	/* The one thread has nothing to do, waits for ever, and is held up there: all of these have come when it goes on. */
	(void)usleep(ARRIVAL_US);
	assert_int_equal(pthread_kill(server_thread, SIGUSR1), 0);
	assert_int_equal(sem_wait(&is_held), 0);
	for (size_t i = 0; i < EVENTS_AT_A_TIME; i++)
		request(&clients[i]);
	(void)usleep(ARRIVAL_US);
	begun_ms = clock_monotonic_ms();
	assert_int_equal(write(gate[1], "", 1), 1);
	for (size_t i = 0; i < EVENTS_AT_A_TIME; i++)
		fixture_assert_status(&clients[i], 200);
	assert_true(clock_monotonic_ms() - begun_ms < PATIENCE_MS);
	for (size_t i = 0; i < EVENTS_AT_A_TIME; i++)
		tls_client_done(&clients[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_full_set_of_events_is_dealt_with, stop),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
