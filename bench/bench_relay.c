/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of a relay, and ours between them:
 *
 *   bench_relay relay LISTEN CONNECT            carries until it is killed
 *   bench_relay stream SINK TO MEBIBYTES        sends so many to TO, which ends at SINK, where they are read. Prints the seconds
 *   bench_relay ask SINK TO COUNT               requests and answers of a signer's size, one after the other. Prints p50 and p99 in µs
 *
 * Addresses as in net/address.h. SINK is listened on; TO equal to SINK is the way without a relay.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "client.h"
#include "net/relay.h"

#define CONNECT_TIMEOUT_MS 5000
#define CONNECT_PAUSE_US 10000
#define BLOCK_SIZE 262144u
/* An attestation and its signature, with HTTP and TLS around them. */
#define REQUEST_SIZE 1200
#define ANSWER_SIZE 420
#define ASKS_MAX 1000000

struct sink {
	int listen_fd;
	bool answers; /* else it only reads */
	pthread_t thread;
};

static __attribute__((noreturn)) void give_up(const char *what, const struct error *error)
{
	(void)fprintf(stderr, "bench_relay: %s: %s\n", what, error ? error->message : strerror(errno));
	exit(1);
}

static struct address address_of(const char *text)
{
	struct address address;
	struct error error;

	if (!address_parse(text, &address, &error))
		give_up(text, &error);
	return address;
}

static void send_at_once(int fd)
{
	const int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* fails for a unix socket, which knows no other way */
}

static void write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t put = send(fd, bytes, size, MSG_NOSIGNAL);

		if (put <= 0)
			give_up("send", NULL);
		bytes += put;
		size -= (size_t)put;
	}
}

/* False: the stream ended. */
static bool read_all(int fd, uint8_t *bytes, size_t size)
{
	ssize_t got = recv(fd, bytes, size, MSG_WAITALL);

	if (got < 0)
		give_up("recv", NULL);
	return (size_t)got == size;
}

static void *run_sink(void *argument)
{
	static uint8_t block[BLOCK_SIZE];
	const struct sink *sink = (const struct sink *)argument;
	AUTO_FD int fd = accept(sink->listen_fd, NULL, NULL);

	if (fd < 0)
		give_up("accept", NULL);
	send_at_once(fd);
	while (sink->answers && read_all(fd, block, REQUEST_SIZE))
		write_all(fd, block, ANSWER_SIZE);
	while (!sink->answers && recv(fd, block, sizeof block, 0) > 0)
		;
	return NULL;
}

static void start_sink(struct sink *sink, const char *text, bool answers)
{
	const struct address address = address_of(text);
	struct error error;

	sink->answers = answers;
	sink->listen_fd = address_listen(&address, 1, &error);
	if (sink->listen_fd < 0)
		give_up(text, &error);
	if (pthread_create(&sink->thread, NULL, run_sink, sink) != 0)
		give_up("thread", NULL);
}

/* The relay may have been started a moment ago. */
static int connect_to(const char *text)
{
	const struct timespec pause = {.tv_nsec = CONNECT_PAUSE_US * 1000L};
	const struct address address = address_of(text);
	uint64_t begun_us = client_now_us();
	struct error error;
	int fd = -1;

	while (fd < 0 && client_now_us() - begun_us < CONNECT_TIMEOUT_MS * 1000ull) {
		fd = address_connect(&address, CONNECT_TIMEOUT_MS, &error);
		if (fd < 0)
			(void)nanosleep(&pause, NULL);
	}
	if (fd < 0)
		give_up(text, &error);
	send_at_once(fd);
	return fd;
}

static void stream(const char *sink_text, const char *to, uint64_t mebibytes)
{
	static uint8_t block[BLOCK_SIZE];
	struct sink sink;
	uint64_t begun_us;
	int fd;

	start_sink(&sink, sink_text, false);
	fd = connect_to(to);
	begun_us = client_now_us();
	for (uint64_t left = mebibytes << 20; left > 0; left -= BLOCK_SIZE)
		write_all(fd, block, BLOCK_SIZE);
	(void)close(fd);
	(void)pthread_join(sink.thread, NULL);
	(void)printf("%.6f\n", (double)(client_now_us() - begun_us) / 1e6);
}

static void ask(const char *sink_text, const char *to, uint64_t count)
{
	uint8_t bytes[REQUEST_SIZE] = {0};
	struct samples samples;
	struct sink sink;
	int fd;

	start_sink(&sink, sink_text, true);
	fd = connect_to(to);
	samples_init(&samples, count);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t begun_us = client_now_us();

		write_all(fd, bytes, REQUEST_SIZE);
		if (!read_all(fd, bytes, ANSWER_SIZE))
			give_up("the answer", NULL);
		samples_add(&samples, client_now_us() - begun_us);
	}
	(void)close(fd);
	(void)pthread_join(sink.thread, NULL);
	(void)printf("%u %u\n", samples_percentile(&samples, 50), samples_percentile(&samples, 99));
	samples_done(&samples);
}

static void carry(const char *listen, const char *connect)
{
	const struct relay_options options = {.listen = address_of(listen), .connect = address_of(connect)};
	struct event_base *base = event_base_new();
	struct error error;
	struct relay *relay = base ? relay_new(base, &options, &error) : NULL;

	if (!relay)
		give_up("relay", &error);
	(void)event_base_dispatch(base);
}

int main(int argc, char **argv)
{
	uint64_t number = 0;

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && strcmp(argv[1], "relay") == 0) {
		carry(argv[2], argv[3]);
		return 1;
	}
	if (argc != 5 || !u64_parse(view_of_text(argv[4]), &number) || number == 0 || number > ASKS_MAX) {
		(void)fprintf(stderr, "usage: bench_relay relay LISTEN CONNECT | stream SINK TO MEBIBYTES | ask SINK TO COUNT\n");
		return 2;
	}
	if (strcmp(argv[1], "stream") == 0)
		stream(argv[2], argv[3], number);
	else
		ask(argv[2], argv[3], number);
	return 0;
}
