/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A storm of clients that connect anew for every request: connections are made, shaken hands on and closed, by some threads, one after the
 * other each. Prints the handshakes and the seconds they took.
 *
 * usage: handshakes HOST PORT CA_FILE 1.2|1.3 full|resumed SECONDS
 *
 * Resumed: with a session ticket that each thread got on a first connection, which is not counted.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "client.h"

#define THREADS 8

static struct client_target target;
static uint64_t deadline_us;
static bool resumes;
static atomic_ullong handshakes;

static _Thread_local SSL_SESSION *ticket;

static int keep_ticket(SSL *tls, SSL_SESSION *session)
{
	(void)tls;
	SSL_SESSION_free(ticket);
	ticket = session;
	return 1; /* the reference is ours */
}

static __attribute__((noreturn)) void give_up(const struct client *client)
{
	(void)fprintf(stderr, "handshakes: %s failed, status %ld, after %llu\n", client->failure, client->status,
		      (unsigned long long)handshakes);
	exit(1);
}

/* An answer comes after the ticket. */
static void get_ticket(void)
{
	static const char request[] = "GET /upcheck HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct client client;

	if (!client_open(&client, &target) || !client_exchange(&client, view_of_text(request)))
		give_up(&client);
	(void)SSL_shutdown(client.tls); /* a session that ended otherwise is not resumed */
	client_close(&client);
	if (!ticket)
		give_up(&(struct client){.failure = "getting a ticket"});
}

/* OpenSSL takes a ticket of TLS 1.3 for used after one handshake, but that of a copy. */
static void shake_hands(void)
{
	SSL_SESSION *session = resumes ? SSL_SESSION_dup(ticket) : NULL;
	struct client client;

	if (!client_resume(&client, &target, session))
		give_up(&client);
	if (SSL_session_reused(client.tls) != resumes)
		give_up(&(struct client){.failure = resumes ? "resuming" : "not resuming"});
	(void)SSL_shutdown(client.tls);
	client_close(&client);
	SSL_SESSION_free(session);
	(void)atomic_fetch_add(&handshakes, 1);
}

static void *run(void *argument)
{
	(void)argument;
	if (resumes)
		get_ticket();
	while (client_now_us() < deadline_us)
		shake_hands();
	SSL_SESSION_free(ticket);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	uint64_t seconds = 0, begun_us;
	int version;

	if (argc != 7 || !u64_parse(view_of_text(argv[6]), &seconds) || seconds == 0) {
		(void)fprintf(stderr, "usage: handshakes HOST PORT CA_FILE 1.2|1.3 full|resumed SECONDS\n");
		return 2;
	}
	if (!client_target_init(&target, argv[1], argv[2], argv[3])) {
		(void)fprintf(stderr, "handshakes: %s cannot be read\n", argv[3]);
		return 1;
	}
	version = strcmp(argv[4], "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	(void)SSL_CTX_set_min_proto_version(target.context, version);
	(void)SSL_CTX_set_max_proto_version(target.context, version);
	resumes = strcmp(argv[5], "resumed") == 0;
	(void)SSL_CTX_set_session_cache_mode(target.context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	if (resumes)
		SSL_CTX_sess_set_new_cb(target.context, keep_ticket);
	begun_us = client_now_us();
	deadline_us = begun_us + seconds * 1000000;
	for (size_t i = 0; i < THREADS; i++) {
		if (pthread_create(&threads[i], NULL, run, NULL) != 0) {
			perror("handshakes: thread");
			return 1;
		}
	}
	for (size_t i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	(void)printf("%llu %.3f\n", (unsigned long long)handshakes, (double)(client_now_us() - begun_us) / 1e6);
	return 0;
}
