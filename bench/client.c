/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/x509_vfy.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

/* An answer comes in pieces of at most a TLS record. */
#define PIECE_SIZE 16384
#define ROOT_OF(digits) "0x" digits digits digits digits digits digits digits digits
#define ROOT ROOT_OF("11111111")
#define FORK_INFO                                                                                                                  \
	"\"fork_info\":{\"fork\":{\"previous_version\":\"0x05000000\",\"current_version\":\"0x06000000\",\"epoch\":\"0\"},"        \
	"\"genesis_validators_root\":\"0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95\"}"

bool client_target_init(struct client_target *ret_target, const char *host, const char *port, const char *ca_file)
{
	(void)signal(SIGPIPE, SIG_IGN);
	*ret_target = (struct client_target){host, port, SSL_CTX_new(TLS_client_method())};
	SSL_CTX_set_verify(ret_target->context, SSL_VERIFY_PEER, NULL);
	return SSL_CTX_load_verify_locations(ret_target->context, ca_file, NULL) == 1;
}

size_t client_read_keys(const char *path, char (*ret_keys)[CLIENT_KEY_SIZE], size_t max)
{
	AUTO_FILE FILE *file = fopen(path, "re");
	size_t count = 0;

	while (file && count < max && fscanf(file, "%98s", ret_keys[count]) == 1)
		count++;
	return count;
}

uint64_t client_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- connections ---- */

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

static bool fail(struct client *client, const char *what)
{
	client->failure = what;
	return false;
}

bool client_open(struct client *client, const struct client_target *target)
{
	return client_resume(client, target, NULL);
}

bool client_resume(struct client *client, const struct client_target *target, SSL_SESSION *session)
{
	int fd = connect_tcp(target->host, target->port);

	*client = (struct client){.target = target};
	if (fd < 0)
		return fail(client, "connect");
	client->tls = SSL_new(target->context);
	(void)SSL_set_fd(client->tls, fd);
	/* An address is checked as one, anything else as a name. */
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(client->tls), target->host) != 1)
		(void)SSL_set1_host(client->tls, target->host);
	if (session)
		(void)SSL_set_session(client->tls, session);
	return SSL_connect(client->tls) == 1 || fail(client, "TLS handshake");
}

void client_close(struct client *client)
{
	if (client->tls) {
		(void)close(SSL_get_fd(client->tls));
		SSL_free(client->tls);
	}
	buffer_done(&client->received);
	*client = (struct client){0};
}

/* Whether the whole answer, which has a Content-Length, has come; then its status and body are set. */
static bool is_complete(struct client *client)
{
	const char *text = buffer_text(&client->received);
	const char *end = strstr(text, "\r\n\r\n");
	const char *length = strcasestr(text, "\r\nContent-Length:");
	size_t head, body;

	if (!end || !length || length > end)
		return false;
	head = (size_t)(end + 4 - text);
	body = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	if (client->received.size < head + body)
		return false;
	client->status = strtol(text + strlen("HTTP/1.1 "), NULL, 10);
	client->body = view_of(client->received.data + head, body);
	return true;
}

bool client_exchange(struct client *client, struct view request)
{
	client->status = 0;
	buffer_clear(&client->received);
	if (SSL_write(client->tls, request.data, (int)request.size) != (int)request.size)
		return fail(client, "write");
	do {
		int got;

		buffer_reserve(&client->received, PIECE_SIZE);
		got = SSL_read(client->tls, client->received.data + client->received.size, PIECE_SIZE);
		if (got <= 0)
			return fail(client, "read");
		client->received.size += (size_t)got;
	} while (!is_complete(client));
	return client->status == 200 || fail(client, "answer");
}

/* ---- requests ---- */

void client_append_randao(struct buffer *body, uint64_t epoch)
{
	buffer_append_format(body, "{\"type\":\"RANDAO_REVEAL\"," FORK_INFO ",\"randao_reveal\":{\"epoch\":\"%llu\"}}",
			     (unsigned long long)epoch);
}

void client_append_attestation(struct buffer *body, uint64_t target_epoch)
{
	unsigned long long number = (unsigned long long)target_epoch;

	buffer_append_format(body,
			     "{\"type\":\"ATTESTATION\"," FORK_INFO ",\"attestation\":{\"slot\":\"%llu\",\"index\":\"0\","
			     "\"beacon_block_root\":\"" ROOT "\",\"source\":{\"epoch\":\"%llu\",\"root\":\"" ROOT "\"},"
			     "\"target\":{\"epoch\":\"%llu\",\"root\":\"" ROOT "\"}}}",
			     number * 32, number - 1, number);
}

void client_append_block(struct buffer *body, uint64_t slot)
{
	buffer_append_format(body,
			     "{\"type\":\"BLOCK_V2\"," FORK_INFO ",\"beacon_block\":{\"version\":\"FULU\",\"block_header\":{"
			     "\"slot\":\"%llu\",\"proposer_index\":\"7\",\"parent_root\":\"" ROOT "\",\"state_root\":\"" ROOT "\","
			     "\"body_root\":\"" ROOT "\"}}}",
			     (unsigned long long)slot);
}

void client_append_request(struct buffer *request, const struct client_target *target, const char *key, struct view body)
{
	buffer_append_format(request,
			     "POST /api/v1/eth2/sign%s%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
			     "Accept: application/json\r\nContent-Length: %zu\r\n\r\n",
			     key ? "/" : "", key ? key : "", target->host, body.size);
	buffer_append(request, body);
}

/* ---- latencies ---- */

void samples_init(struct samples *samples, size_t capacity)
{
	*samples = (struct samples){.us = (uint32_t *)memory_allocate_zeroed(capacity, sizeof(uint32_t)), .capacity = capacity};
}

void samples_done(struct samples *samples)
{
	free(samples->us);
	*samples = (struct samples){0};
}

void samples_add(struct samples *samples, uint64_t us)
{
	if (samples->kept < samples->capacity)
		samples->us[samples->kept++] = (uint32_t)us;
	samples->count++;
}

void samples_append(struct samples *samples, const struct samples *more)
{
	for (size_t i = 0; i < more->kept; i++)
		samples_add(samples, more->us[i]);
	samples->count += more->count - more->kept;
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

uint32_t samples_percentile(struct samples *samples, unsigned percent)
{
	qsort(samples->us, samples->kept, sizeof *samples->us, compare);
	return samples->kept ? samples->us[samples->kept * percent / 100] : 0;
}
