/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A steady load: one thread and one kept TLS connection a key, each request sent when the one before is answered. It prints one JSON
 * object: signatures, seconds, and latencies in microseconds.
 *
 * usage: load HOST PORT CA_FILE KEYS_FILE randao|attestation|distinct SECONDS FIRST_EPOCH
 *
 * KEYS_FILE has one public key a line. Epochs rise with every request, so a signer with slashing protection signs them all; distinct: attestations of which no two
 * keys sign the same.
 */
#include <pthread.h>

#include "base/clock.h"
#include "client.h"

#define CONNECTIONS_MAX 256
#define LATENCIES_MAX 200000 /* a connection; later ones are not counted in the percentiles */

struct settings {
	struct client_target target;
	void (*append_body)(struct buffer *body, uint64_t number);
	uint64_t first_epoch;
	bool is_distinct;
	size_t count;         /* of connections */
	uint64_t deadline_ms; /* monotonic */
};

struct connection {
	const struct settings *settings;
	const char *key;
	size_t number;
	pthread_t thread;
	struct client client;
	struct samples latencies;
};

static void *run_connection(void *argument)
{
	struct connection *connection = (struct connection *)argument;
	const struct settings *settings = connection->settings;
	uint64_t epoch = settings->first_epoch + (settings->is_distinct ? connection->number : 0);
	uint64_t step = settings->is_distinct ? settings->count : 1;
	AUTO_BUFFER struct buffer body = {0};
	AUTO_BUFFER struct buffer request = {0};

	if (!client_open(&connection->client, &settings->target))
		return NULL;
	while (clock_monotonic_ms() < settings->deadline_ms) {
		uint64_t begun_us;

		buffer_clear(&body);
		buffer_clear(&request);
		epoch += step;
		settings->append_body(&body, epoch);
		client_append_request(&request, &settings->target, connection->key, buffer_view(&body));
		begun_us = client_now_us();
		if (!client_exchange(&connection->client, buffer_view(&request)))
			return NULL;
		samples_add(&connection->latencies, client_now_us() - begun_us);
	}
	return NULL;
}

static bool run(struct connection *connections, size_t count)
{
	bool ok = true;

	for (size_t i = 0; i < count; i++) {
		if (pthread_create(&connections[i].thread, NULL, run_connection, &connections[i]) != 0) {
			perror("load: thread");
			exit(1);
		}
	}
	for (size_t i = 0; i < count; i++) {
		const struct client *client = &connections[i].client;

		(void)pthread_join(connections[i].thread, NULL);
		if (client->failure)
			(void)fprintf(stderr, "load: connection %zu: %s failed, status %ld, after %llu signatures\n", i,
				      client->failure, client->status, (unsigned long long)connections[i].latencies.count);
		ok = ok && !client->failure;
	}
	return ok;
}

static void report(const struct connection *connections, size_t count, double seconds)
{
	struct samples all;

	samples_init(&all, count * LATENCIES_MAX);
	for (size_t i = 0; i < count; i++)
		samples_append(&all, &connections[i].latencies);
	(void)printf("{\"connections\":%zu,\"signatures\":%llu,\"seconds\":%.3f,\"per_second\":%.0f,\"p50_us\":%u,\"p99_us\":%u}\n",
		     count, (unsigned long long)all.count, seconds, (double)all.count / seconds, samples_percentile(&all, 50),
		     samples_percentile(&all, 99));
	samples_done(&all);
}

int main(int argc, char **argv)
{
	static struct connection connections[CONNECTIONS_MAX];
	static char keys[CONNECTIONS_MAX][CLIENT_KEY_SIZE];
	struct settings settings = {0};
	uint64_t seconds = 0, begun_us;
	size_t count;

	if (argc != 8 || !u64_parse(view_of_text(argv[6]), &seconds) || !u64_parse(view_of_text(argv[7]), &settings.first_epoch)) {
		(void)fprintf(stderr, "usage: load HOST PORT CA_FILE KEYS_FILE randao|attestation|distinct SECONDS FIRST_EPOCH\n");
		return 2;
	}
	settings.is_distinct = strcmp(argv[5], "distinct") == 0;
	settings.append_body = strcmp(argv[5], "randao") == 0 ? client_append_randao : client_append_attestation;
	count = client_read_keys(argv[4], keys, CONNECTIONS_MAX);
	if (count == 0 || !client_target_init(&settings.target, argv[1], argv[2], argv[3])) {
		(void)fprintf(stderr, "load: %s or %s cannot be read\n", argv[3], argv[4]);
		return 1;
	}
	settings.count = count;
	for (size_t i = 0; i < count; i++) {
		connections[i] = (struct connection){.settings = &settings, .key = keys[i], .number = i};
		samples_init(&connections[i].latencies, LATENCIES_MAX);
	}
	begun_us = client_now_us();
	settings.deadline_ms = clock_monotonic_ms() + seconds * 1000;
	if (!run(connections, count))
		return 1;
	report(connections, count, (double)(client_now_us() - begun_us) / 1e6);
	return 0;
}
