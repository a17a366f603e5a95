/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load generator for the signing API: one thread and one kept TLS connection a key, each request checked for its status. It
 * prints one JSON object: signatures, seconds, and latencies in microseconds.
 *
 * usage: load HOST PORT CA_FILE KEYS_FILE randao|attestation SECONDS FIRST_EPOCH
 *
 * KEYS_FILE has one public key a line. Epochs rise with every request, so a signer with slashing protection signs them all.
 */
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/clock.h"

#define CONNECTIONS_MAX 256
#define LATENCIES_MAX 200000 /* a connection; later ones are not counted in the percentiles */
#define REQUEST_SIZE 2048
#define ANSWER_SIZE 4096
#define ROOT_OF(digits) "0x" digits digits digits digits digits digits digits digits
#define DIGITS "11111111"
#define FORK_INFO                                                                                                                  \
	"\"fork_info\":{\"fork\":{\"previous_version\":\"0x05000000\",\"current_version\":\"0x06000000\",\"epoch\":\"0\"},"        \
	"\"genesis_validators_root\":\"0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95\"}"

struct settings {
	const char *host;
	const char *port;
	bool attestation;
	uint64_t first_epoch;
	uint64_t deadline_ms; /* monotonic */
	SSL_CTX *context;
};

struct connection {
	const struct settings *settings;
	char key[99]; /* "0x", 96 digits, NUL */
	SSL *tls;
	uint64_t signatures;
	uint32_t *latencies_us;
	const char *failure; /* NULL: none */
	long status;
};

static uint64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int connect_tcp(const char *host, const char *port)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int one = 1;
	int fd;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		return -1;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
		(void)close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	if (fd >= 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static bool open_connection(struct connection *connection)
{
	int fd = connect_tcp(connection->settings->host, connection->settings->port);

	if (fd < 0)
		return connection->failure = "connect", false;
	connection->tls = SSL_new(connection->settings->context);
	(void)SSL_set_fd(connection->tls, fd);
	/* An address is checked as one, anything else as a name. */
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection->tls), connection->settings->host) != 1)
		(void)SSL_set1_host(connection->tls, connection->settings->host);
	if (SSL_connect(connection->tls) != 1)
		return connection->failure = "TLS handshake", false;
	return true;
}

static size_t write_request(const struct connection *connection, uint64_t epoch, char request[REQUEST_SIZE])
{
	unsigned long long number = (unsigned long long)epoch;
	char body[REQUEST_SIZE];
	int body_size, size;

	if (connection->settings->attestation)
		body_size = snprintf(
			body, sizeof body,
			"{\"type\":\"ATTESTATION\"," FORK_INFO
			",\"attestation\":{\"slot\":\"%llu\",\"index\":\"0\",\"beacon_block_root\":\"" ROOT_OF(
				DIGITS) "\",\"source\":{\"epoch\":\"%llu\",\"root\":\"" ROOT_OF(DIGITS) "\"},\"target\":{\"epoch\":"
													"\"%llu\",\"root\":"
													"\"" ROOT_OF(DIGITS) "\"}}"
															     "}",
			number * 32, number - 1, number);
	else
		body_size = snprintf(body, sizeof body,
				     "{\"type\":\"RANDAO_REVEAL\"," FORK_INFO ",\"randao_reveal\":{\"epoch\":\"%llu\"}}", number);
	size = snprintf(request, REQUEST_SIZE,
			"POST /api/v1/eth2/sign/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
			"Accept: application/json\r\nContent-Length: %d\r\n\r\n%s",
			connection->key, connection->settings->host, body_size, body);
	return (size_t)size;
}

/* Reads one answer with a Content-Length; returns its status, 0 when the connection breaks. */
static long read_answer(SSL *tls)
{
	char answer[ANSWER_SIZE + 1];
	size_t used = 0;

	while (used < ANSWER_SIZE) {
		int got = SSL_read(tls, answer + used, (int)(ANSWER_SIZE - used));
		const char *end, *length;

		if (got <= 0)
			return 0;
		used += (size_t)got;
		answer[used] = 0;
		end = strstr(answer, "\r\n\r\n");
		if (!end)
			continue;
		length = strcasestr(answer, "\r\nContent-Length:");
		if (!length || length > end)
			return 0;
		if (used >= (size_t)(end + 4 - answer) + strtoul(length + 17, NULL, 10))
			return strtol(answer + strlen("HTTP/1.1 "), NULL, 10);
	}
	return 0;
}

static void *run_connection(void *argument)
{
	struct connection *connection = (struct connection *)argument;
	uint64_t epoch = connection->settings->first_epoch;
	char request[REQUEST_SIZE];

	if (!open_connection(connection))
		return NULL;
	while (clock_monotonic_ms() < connection->settings->deadline_ms) {
		size_t size = write_request(connection, ++epoch, request);
		uint64_t begun_us = now_us();

		if (SSL_write(connection->tls, request, (int)size) != (int)size)
			return connection->failure = "write", NULL;
		connection->status = read_answer(connection->tls);
		if (connection->status != 200)
			return connection->failure = "answer", NULL;
		if (connection->signatures < LATENCIES_MAX)
			connection->latencies_us[connection->signatures] = (uint32_t)(now_us() - begun_us);
		connection->signatures++;
	}
	return NULL;
}

static size_t read_keys(const char *path, const struct settings *settings, struct connection connections[CONNECTIONS_MAX])
{
	AUTO_FILE FILE *file = fopen(path, "re");
	size_t count = 0;

	if (!file)
		return 0;
	while (count < CONNECTIONS_MAX && fscanf(file, "%98s", connections[count].key) == 1) {
		connections[count].settings = settings;
		connections[count].latencies_us = (uint32_t *)memory_allocate_zeroed(LATENCIES_MAX, sizeof(uint32_t));
		count++;
	}
	return count;
}

static int compare_latencies(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static void report(const struct connection *connections, size_t count, double seconds)
{
	uint64_t total = 0;
	size_t used = 0;
	uint32_t *all;

	for (size_t i = 0; i < count; i++)
		total += connections[i].signatures;
	all = (uint32_t *)memory_allocate_zeroed(total + 1, sizeof *all);
	for (size_t i = 0; i < count; i++) {
		size_t counted = connections[i].signatures < LATENCIES_MAX ? connections[i].signatures : LATENCIES_MAX;

		memcpy(all + used, connections[i].latencies_us, counted * sizeof *all);
		used += counted;
	}
	qsort(all, used, sizeof *all, compare_latencies);
	(void)printf("{\"connections\":%zu,\"signatures\":%llu,\"seconds\":%.3f,\"per_second\":%.0f,\"p50_us\":%u,\"p99_us\":%u}\n",
		     count, (unsigned long long)total, seconds, (double)total / seconds, used ? all[used / 2] : 0,
		     used ? all[used * 99 / 100] : 0);
	free(all);
}

int main(int argc, char **argv)
{
	static struct connection connections[CONNECTIONS_MAX];
	struct settings settings = {0};
	pthread_t threads[CONNECTIONS_MAX];
	uint64_t seconds = 0, begun_us;
	size_t count;

	if (argc != 8 || !u64_parse(view_of_text(argv[6]), &seconds) || !u64_parse(view_of_text(argv[7]), &settings.first_epoch)) {
		(void)fprintf(stderr, "usage: load HOST PORT CA_FILE KEYS_FILE randao|attestation SECONDS FIRST_EPOCH\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	settings.host = argv[1];
	settings.port = argv[2];
	settings.attestation = strcmp(argv[5], "attestation") == 0;
	settings.context = SSL_CTX_new(TLS_client_method());
	if (SSL_CTX_load_verify_locations(settings.context, argv[3], NULL) != 1)
		return perror("load: CA file"), 1;
	SSL_CTX_set_verify(settings.context, SSL_VERIFY_PEER, NULL);
	count = read_keys(argv[4], &settings, connections);
	if (count == 0)
		return (void)fprintf(stderr, "load: no keys in %s\n", argv[4]), 1;
	begun_us = now_us();
	settings.deadline_ms = clock_monotonic_ms() + seconds * 1000;
	for (size_t i = 0; i < count; i++) {
		if (pthread_create(&threads[i], NULL, run_connection, &connections[i]) != 0)
			return perror("load: thread"), 1;
	}
	for (size_t i = 0; i < count; i++)
		(void)pthread_join(threads[i], NULL);
	for (size_t i = 0; i < count; i++) {
		if (connections[i].failure) {
			(void)fprintf(stderr, "load: connection %zu: %s failed, status %ld, after %llu signatures\n", i,
				      connections[i].failure, connections[i].status, (unsigned long long)connections[i].signatures);
			return 1;
		}
	}
	report(connections, count, (double)(now_us() - begun_us) / 1e6);
	return 0;
}
