/* SPDX-License-Identifier: Apache-2.0 */
#include "bad_relay.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vectors.h"

#define CONNECT_TIMEOUT_MS 5000
#define PIECE_SIZE 65536

struct bad_relay {
	struct bad_relay_options options;
	int listener;
	pthread_t thread;
};

/* One connection, freed by its thread. */
struct pair {
	const struct bad_relay *relay;
	int client;
	unsigned seed;
};

static bool send_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		bytes += sent;
		size -= (size_t)sent;
	}
	return true;
}

/* False: this was the last. */
static bool pass_on(struct pair *pair, int from, int to)
{
	char bytes[PIECE_SIZE];
	ssize_t size = recv(from, bytes, sizeof bytes, 0);
	const struct bad_relay_options *options = &pair->relay->options;

	if (size <= 0 || (unsigned)rand_r(&pair->seed) % 1000 < options->lost_of_1000)
		return false;
	if (to == pair->client)
		(void)usleep(options->delay_ms * 1000);
	return send_all(to, bytes, (size_t)size);
}

static void *run_pair(void *context)
{
	struct pair *pair = (struct pair *)context;
	struct error error;
	AUTO_FD int server = address_connect(&pair->relay->options.server, CONNECT_TIMEOUT_MS, &error);
	struct pollfd fds[] = {{pair->client, POLLIN, 0}, {server, POLLIN, 0}};
	bool goes_on = server >= 0;

	while (goes_on && poll(fds, ARRAY_SIZE(fds), -1) > 0) {
		for (int i = 0; goes_on && i < 2; i++)
			goes_on = !fds[i].revents || pass_on(pair, fds[i].fd, fds[1 - i].fd);
	}
	(void)close(pair->client);
	free(pair);
	return NULL;
}

static void *run_listener(void *context)
{
	const struct bad_relay *relay = (const struct bad_relay *)context;
	unsigned seed = relay->options.seed;
	int client;

	while ((client = accept(relay->listener, NULL, NULL)) >= 0) {
		struct pair *pair = (struct pair *)memory_allocate_zeroed(1, sizeof *pair);
		pthread_t thread;

		*pair = (struct pair){.relay = relay, .client = client, .seed = seed++};
		if (pthread_create(&thread, NULL, run_pair, pair) != 0)
			abort();
		(void)pthread_detach(thread);
	}
	return NULL;
}

struct bad_relay *bad_relay_start(const struct bad_relay_options *options)
{
	struct bad_relay *relay = (struct bad_relay *)memory_allocate_zeroed(1, sizeof *relay);
	struct error error = {0};

	relay->options = *options;
	relay->listener = address_listen(&options->listen, 64, &error);
	assert_ok(relay->listener >= 0, &error);
	assert_int_equal(pthread_create(&relay->thread, NULL, run_listener, relay), 0);
	return relay;
}

/* Pairs that still run keep the relay: it is not freed. */
void bad_relay_stop(struct bad_relay *relay)
{
	(void)shutdown(relay->listener, SHUT_RDWR);
	(void)pthread_join(relay->thread, NULL);
	(void)close(relay->listener);
	(void)unlink(relay->options.listen.path);
}
