/* SPDX-License-Identifier: Apache-2.0 */
/* How a relay reaches its destination (net/connector.h), and what happens when it does not. */
#include "relay_fixture.h"

static void destination_refuses(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FD int client = -1;

	start_relay(fixture, (struct relay_options){0});
	client = connect_to_relay(fixture);
	assert_gone(client);
	stop_loop(fixture);
	assert_int_equal(relay_statistics(fixture->relay)->connections, 0);
	assert_int_equal(relay_statistics(fixture->relay)->failed, 1);
	assert_int_equal(relay_statistics(fixture->relay)->last_failure.code, ERROR_PEER);
	assert_message_contains(&relay_statistics(fixture->relay)->last_failure, "/connect: cannot connect: No such file");
}

static void destination_refuses_on_tcp(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FD int client = -1;

	fixture->connect = address_of("tcp:127.0.0.1:0");
	listen_at_destination(fixture, 16);
	(void)close(take_fd(&fixture->destination_fd));
	start_relay(fixture, (struct relay_options){0});
	client = connect_to_relay(fixture);
	assert_gone(client);
	stop_loop(fixture);
	assert_message_contains(&relay_statistics(fixture->relay)->last_failure, "Connection refused");
}

static void destination_by_name(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FD int client = -1;
	AUTO_FD int server = -1;

	fixture->connect = address_of("tcp:127.0.0.1:0");
	listen_at_destination(fixture, 16);
	/* In the hosts file of every machine; where ::1 comes first it is refused and the next address is tried. */
	fixture->connect = address_of("tcp:localhost:%u", fixture->connect.port);
	start_relay(fixture, (struct relay_options){0});
	client = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	assert_carries(client, server, "by name");
}

static void destination_without_name(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FD int client = -1;

	/* RFC 6761: a name under .invalid never exists. */
	fixture->connect = address_of("tcp:ensign.invalid:443");
	start_relay(fixture, (struct relay_options){.connect_timeout_ms = 1500});
	client = connect_to_relay(fixture);
	assert_gone(client);
	stop_loop(fixture);
	assert_int_equal(relay_statistics(fixture->relay)->failed, 1);
	assert_message_contains(&relay_statistics(fixture->relay)->last_failure, "tcp:ensign.invalid:443: ");
}

/* Connections that wait for a full backlog get through when there is room again. */
static void full_backlog_is_waited_out(void **state)
{
	struct fixture *fixture = *state;
	int clients[20];

	listen_at_destination(fixture, 1);
	start_relay(fixture, (struct relay_options){0});
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = connect_to_relay(fixture);
	(void)usleep(50000);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		(void)close(accept_at_destination(fixture));
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		assert_gone(clients[i]);
		(void)close(clients[i]);
	}
	stop_loop(fixture);
	assert_int_equal(relay_statistics(fixture->relay)->failed, 0);
}

static void full_backlog_times_out(void **state)
{
	struct fixture *fixture = *state;
	int clients[6];

	listen_at_destination(fixture, 1);
	start_relay(fixture, (struct relay_options){.connect_timeout_ms = 100});
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = connect_to_relay(fixture);
	assert_gone(clients[ARRAY_SIZE(clients) - 1]);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		(void)close(clients[i]);
	stop_loop(fixture);
	assert_true(relay_statistics(fixture->relay)->failed > 0);
	assert_message_contains(&relay_statistics(fixture->relay)->last_failure, "no connection within 100 ms");
}

static void hybrid_handshake(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FD int client = -1;
	AUTO_FD int server = -1;
	char greeting[16] = {0};

	use_hybrid_destination(fixture);
	start_relay(fixture, (struct relay_options){0});
	client = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	assert_true(fd_write_all(client, "early", 5));
	assert_true(fd_read_all(server, greeting, 13));
	assert_string_equal(greeting, "CONNECT 5000\n");
	assert_true(fd_write_all(server, "OK 107", 6));
	(void)usleep(20000);
	/* Bytes of the guest's program right behind the line belong to the client. */
	assert_true(fd_write_all(server, "3741\nhello", 10));
	assert_true(fd_read_all(client, greeting, 5));
	assert_memory_equal(greeting, "hello", 5);
	assert_true(fd_read_all(server, greeting, 5));
	assert_memory_equal(greeting, "early", 5);
}

static void hybrid_refusals(void **state)
{
	static const char *const answers[] = {"NO 1\n", "OK\n", "OK 12x\n", "OK 99999999999999999999999999999999\n", ""};
	struct fixture *fixture = *state;

	use_hybrid_destination(fixture);
	start_relay(fixture, (struct relay_options){0});
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		AUTO_FD int client = connect_to_relay(fixture);
		AUTO_FD int server = accept_at_destination(fixture);

		assert_true(fd_write_all(server, answers[i], strlen(answers[i])));
		(void)shutdown(server, SHUT_WR);
		assert_gone(client);
	}
	stop_loop(fixture);
	assert_int_equal(relay_statistics(fixture->relay)->failed, ARRAY_SIZE(answers));
	assert_message_contains(&relay_statistics(fixture->relay)->last_failure, "CONNECT");
}

static void hybrid_silence_times_out(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FD int client = -1;
	AUTO_FD int server = -1;

	use_hybrid_destination(fixture);
	start_relay(fixture, (struct relay_options){.connect_timeout_ms = 100});
	client = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	assert_gone(client);
	stop_loop(fixture);
	assert_message_contains(&relay_statistics(fixture->relay)->last_failure, "no connection within 100 ms");
}

static void busy_address_is_an_error(void **state)
{
	struct fixture *fixture = *state;
	struct relay_options options = {.connect = fixture->connect};
	struct error error = {0};

	fixture->connect = address_of("tcp:127.0.0.1:0");
	listen_at_destination(fixture, 16);
	options.listen = fixture->connect;
	assert_null(relay_new(fixture->base, &options, &error));
	assert_int_equal(error.code, ERROR_IO);
	assert_message_contains(&error, "Address already in use");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RELAY_TEST(destination_refuses),        RELAY_TEST(destination_refuses_on_tcp),
		RELAY_TEST(destination_by_name),        RELAY_TEST(destination_without_name),
		RELAY_TEST(full_backlog_is_waited_out), RELAY_TEST(full_backlog_times_out),
		RELAY_TEST(hybrid_handshake),           RELAY_TEST(hybrid_refusals),
		RELAY_TEST(hybrid_silence_times_out),   RELAY_TEST(busy_address_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
