/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/proxy_protocol.h"

#define MANY_CONNECTIONS 1000

static void carries_both_ways(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FD int client = -1;
	AUTO_FD int server = -1;

	listen_at_destination(fixture, 16);
	start_relay(fixture, (struct relay_options){0});
	client = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	assert_carries(client, server, "request");
	assert_carries(server, client, "answer, longer");
	assert_carries(client, server, "again");
	stop_loop(fixture);
	assert_int_equal(relay_statistics(fixture->relay)->connections, 1);
	assert_int_equal(relay_statistics(fixture->relay)->accepted, 1);
	assert_int_equal(relay_statistics(fixture->relay)->bytes_to_connect, strlen("requestagain"));
	assert_int_equal(relay_statistics(fixture->relay)->bytes_to_listen, strlen("answer, longer"));
}

static void announces_clients(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FD int client = -1;
	AUTO_FD int server = -1;
	uint8_t header[28];
	char address[PROXY_ADDRESS_SIZE];
	struct sockaddr_in own;
	socklen_t size = sizeof own;
	char expected[PROXY_ADDRESS_SIZE];

	fixture->listen = address_of("tcp:127.0.0.1:0");
	listen_at_destination(fixture, 16);
	start_relay(fixture, (struct relay_options){.announces_clients = true});
	client = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	assert_int_equal(recv(server, header, sizeof header, MSG_WAITALL), sizeof header);
	proxy_header_address(view_of(header, sizeof header), address);
	assert_int_equal(getsockname(client, (struct sockaddr *)&own, &size), 0);
	(void)snprintf(expected, sizeof expected, "127.0.0.1:%u", ntohs(own.sin_port));
	assert_string_equal(address, expected);
	assert_carries(client, server, "request");
	assert_carries(server, client, "answer");
	stop_loop(fixture);
}

/* The one that says goodbye first can still hear the other out. */
static void half_close(struct fixture *fixture, bool client_first)
{
	AUTO_FD int client = -1;
	AUTO_FD int server = -1;
	int first;
	int second;

	listen_at_destination(fixture, 16);
	start_relay(fixture, (struct relay_options){0});
	client = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	first = client_first ? client : server;
	second = client_first ? server : client;
	assert_carries(first, second, "last words");
	assert_int_equal(shutdown(first, SHUT_WR), 0);
	assert_end_of_stream(second);
	assert_carries(second, first, "still here");
	assert_carries(second, first, "and here");
	assert_int_equal(shutdown(second, SHUT_WR), 0);
	assert_end_of_stream(first);
	stop_loop(fixture);
	assert_int_equal(relay_statistics(fixture->relay)->connections, 0);
}

static void half_close_by_client(void **state)
{
	half_close(*state, true);
}

static void half_close_by_server(void **state)
{
	half_close(*state, false);
}

static void half_close_over_tcp(void **state)
{
	struct fixture *fixture = *state;

	fixture->listen = address_of("tcp:127.0.0.1:0");
	fixture->connect = address_of("tcp:127.0.0.1:0");
	half_close(fixture, true);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

struct sender {
	int fd;
	size_t size;
	size_t sent;
};

static void *send_pattern(void *context)
{
	struct sender *sender = context;
	uint8_t chunk[50000];

	while (sender->sent < sender->size) {
		size_t size = sender->size - sender->sent < sizeof chunk ? sender->size - sender->sent : sizeof chunk;

		for (size_t i = 0; i < size; i++)
			chunk[i] = pattern(sender->sent + i);
		if (!fd_write_all(sender->fd, chunk, size))
			return NULL;
		sender->sent += size;
	}
	(void)shutdown(sender->fd, SHUT_WR);
	return NULL;
}

/* Everything that was read from one side arrives before its end of stream does. */
static void end_of_stream_waits_for_the_bytes(void **state)
{
	struct fixture *fixture = *state;
	struct sender sender = {.size = 5000000};
	AUTO_FD int client = -1;
	AUTO_FD int server = -1;
	uint8_t chunk[70000];
	size_t total = 0;
	pthread_t thread;
	ssize_t got;

	listen_at_destination(fixture, 16);
	start_relay(fixture, (struct relay_options){0});
	client = sender.fd = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	assert_int_equal(pthread_create(&thread, NULL, send_pattern, &sender), 0);
	while ((got = recv(server, chunk, sizeof chunk, 0)) > 0) {
		for (size_t i = 0; i < (size_t)got; i++)
			assert_int_equal(chunk[i], pattern(total + i));
		total += (size_t)got;
	}
	assert_int_equal(got, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(total, sender.size);
}

/* A sender is stopped once the sockets' own buffers and the relay's one buffer are full, and goes on when the reader does. */
static void slow_reader_holds_up_the_sender(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FD int client = -1;
	AUTO_FD int server = -1;
	const uint8_t chunk[4096] = {0};
	uint8_t drain[65536];
	size_t taken = 0;
	size_t total = 0;
	struct pollfd room;

	listen_at_destination(fixture, 16);
	start_relay(fixture, (struct relay_options){0});
	client = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	room = (struct pollfd){.fd = client, .events = POLLOUT};
	while (taken < (64u << 20) && poll(&room, 1, 300) == 1) {
		ssize_t put = send(client, chunk, sizeof chunk, MSG_DONTWAIT);

		if (put > 0)
			taken += (size_t)put;
	}
	assert_in_range(taken, 65536, 4u << 20);
	(void)shutdown(client, SHUT_WR);
	for (ssize_t got; (got = recv(server, drain, sizeof drain, 0)) > 0;)
		total += (size_t)got;
	assert_int_equal(total, taken);
}

static void reset_is_passed_on(void **state)
{
	struct fixture *fixture = *state;
	const struct linger at_once = {.l_onoff = 1};
	AUTO_FD int client = -1;
	AUTO_FD int server = -1;
	char byte;

	fixture->listen = address_of("tcp:127.0.0.1:0");
	fixture->connect = address_of("tcp:127.0.0.1:0");
	listen_at_destination(fixture, 16);
	start_relay(fixture, (struct relay_options){0});
	client = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	assert_carries(client, server, "half a requ");
	assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
	(void)close(take_fd(&client));
	assert_int_equal(recv(server, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	stop_loop(fixture);
	assert_int_equal(relay_statistics(fixture->relay)->connections, 0);
}

/* A server that answers early and closes while the client still sends: the answer must not be lost. */
static void early_answer_arrives(void **state)
{
	struct fixture *fixture = *state;
	struct sender sender = {.size = 4000000};
	AUTO_FD int client = -1;
	AUTO_FD int server = -1;
	char answer[16] = {0};
	pthread_t thread;

	fixture->listen = address_of("tcp:127.0.0.1:0");
	listen_at_destination(fixture, 16);
	start_relay(fixture, (struct relay_options){0});
	client = sender.fd = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	assert_int_equal(pthread_create(&thread, NULL, send_pattern, &sender), 0);
	assert_true(fd_read_all(server, answer, 10));
	assert_true(fd_write_all(server, "too large", 9));
	assert_int_equal(shutdown(server, SHUT_RDWR), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(fd_read_all(client, answer, 9));
	assert_memory_equal(answer, "too large", 9);
	assert_end_of_stream(client);
	assert_int_equal(sender.sent, sender.size);
}

static void limit_refuses_at_once(void **state)
{
	struct fixture *fixture = *state;
	int clients[3];
	int servers[3];
	AUTO_FD int refused = -1;

	listen_at_destination(fixture, 16);
	start_relay(fixture, (struct relay_options){.max_connections = ARRAY_SIZE(clients)});
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		clients[i] = connect_to_relay(fixture);
		servers[i] = accept_at_destination(fixture);
	}
	refused = connect_to_relay(fixture);
	assert_gone(refused);
	/* Those that were there first are not disturbed, and one that leaves makes room. */
	assert_carries(clients[0], servers[0], "undisturbed");
	(void)close(clients[1]);
	assert_end_of_stream(servers[1]);
	(void)close(servers[1]);
	(void)usleep(50000);
	clients[1] = connect_to_relay(fixture);
	servers[1] = accept_at_destination(fixture);
	assert_carries(clients[1], servers[1], "room again");
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		(void)close(clients[i]);
		(void)close(servers[i]);
	}
	stop_loop(fixture);
	assert_int_equal(relay_statistics(fixture->relay)->refused, 1);
	assert_int_equal(relay_statistics(fixture->relay)->accepted, 4);
}

static void silence_ends_a_connection(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FD int client = -1;
	AUTO_FD int server = -1;
	uint64_t start_ms;

	listen_at_destination(fixture, 16);
	start_relay(fixture, (struct relay_options){.idle_timeout_ms = 300});
	client = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	start_ms = clock_monotonic_ms();
	for (int i = 0; i < 5; i++) {
		assert_carries(client, server, "alive");
		(void)usleep(100000);
	}
	assert_gone(client);
	assert_gone(server);
	assert_true(clock_monotonic_ms() - start_ms >= 600);
}

static void wants_descriptors(size_t count)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < count)
		skip();
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void thousand_connections(void **state)
{
	struct fixture *fixture = *state;
	static int clients[MANY_CONNECTIONS];
	static int servers[MANY_CONNECTIONS];
	static bool seen[MANY_CONNECTIONS];

	wants_descriptors(4 * MANY_CONNECTIONS + 64);
	fixture->listen = address_of("tcp:127.0.0.1:0");
	listen_at_destination(fixture, 64);
	start_relay(fixture, (struct relay_options){0});
	for (uint32_t i = 0; i < MANY_CONNECTIONS; i++) {
		clients[i] = connect_to_relay(fixture);
		assert_true(fd_write_all(clients[i], &i, sizeof i));
	}
	/* All are open at the same time before the first byte is read. */
	for (size_t i = 0; i < MANY_CONNECTIONS; i++)
		servers[i] = accept_at_destination(fixture);
	for (size_t i = 0; i < MANY_CONNECTIONS; i++) {
		uint32_t number = 0;

		assert_true(fd_read_all(servers[i], &number, sizeof number));
		assert_true(number < MANY_CONNECTIONS && !seen[number]);
		seen[number] = true;
		assert_carries(servers[i], clients[number], "yours");
	}
	for (size_t i = 0; i < MANY_CONNECTIONS; i++)
		(void)close(clients[i]);
	for (size_t i = 0; i < MANY_CONNECTIONS; i++) {
		assert_end_of_stream(servers[i]);
		(void)close(servers[i]);
	}
	stop_loop(fixture);
	assert_int_equal(relay_statistics(fixture->relay)->accepted, MANY_CONNECTIONS);
	assert_int_equal(relay_statistics(fixture->relay)->failed + relay_statistics(fixture->relay)->refused, 0);
}

/* Out of descriptors: accepting pauses (it does not spin) and goes on when there are some again. */
static void want_of_descriptors_pauses(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FD int client = -1;
	AUTO_FD int server = -1;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct rlimit before;
	struct rlimit none;

	listen_at_destination(fixture, 16);
	start_relay(fixture, (struct relay_options){0});
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	client = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	(void)close(take_fd(&server));
	(void)close(take_fd(&client));
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	limit_waiting(client);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	memcpy(name.sun_path, fixture->listen.path, strlen(fixture->listen.path));
	assert_int_equal(connect(client, (const struct sockaddr *)&name, sizeof name), 0);
	(void)usleep(250000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	server = accept_at_destination(fixture);
	assert_carries(client, server, "at last");
	stop_loop(fixture);
	assert_in_range(relay_statistics(fixture->relay)->accept_pauses, 1, 5);
}

static void freeing_closes_everything(void **state)
{
	struct fixture *fixture = *state;
	AUTO_FD int client = -1;
	AUTO_FD int waiting = -1;
	AUTO_FD int server = -1;

	use_hybrid_destination(fixture);
	start_relay(fixture, (struct relay_options){0});
	client = connect_to_relay(fixture);
	server = accept_at_destination(fixture);
	assert_true(fd_write_all(server, "OK 1\n", 5));
	(void)usleep(50000);
	waiting = connect_to_relay(fixture);
	(void)usleep(50000);
	stop_loop(fixture);
	relay_free(fixture->relay);
	fixture->relay = NULL;
	assert_gone(client);
	assert_gone(waiting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RELAY_TEST(carries_both_ways),
		RELAY_TEST(announces_clients),
		RELAY_TEST(half_close_by_client),
		RELAY_TEST(half_close_by_server),
		RELAY_TEST(half_close_over_tcp),
		RELAY_TEST(end_of_stream_waits_for_the_bytes),
		RELAY_TEST(slow_reader_holds_up_the_sender),
		RELAY_TEST(reset_is_passed_on),
		RELAY_TEST(early_answer_arrives),
		RELAY_TEST(limit_refuses_at_once),
		RELAY_TEST(silence_ends_a_connection),
		RELAY_TEST(thousand_connections),
		RELAY_TEST(want_of_descriptors_pauses),
		RELAY_TEST(freeing_closes_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
