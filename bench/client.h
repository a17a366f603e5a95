/* SPDX-License-Identifier: Apache-2.0 */
/* What the load generators share: kept TLS connections to the signing API, requests to sign, their answers, and latencies. */
#pragma once

#include <openssl/ssl.h>

#include "base/bytes.h"

#define CLIENT_KEY_SIZE 99 /* "0x", 96 digits, NUL */

struct client_target {
	const char *host; /* borrowed */
	const char *port;
	SSL_CTX *context;
};

/* False when there is no such CA file. */
MUST_USE bool client_target_init(struct client_target *ret_target, const char *host, const char *port, const char *ca_file);
/* Public keys, one a line; at most `max`. Returns how many there are. */
size_t client_read_keys(const char *path, char (*ret_keys)[CLIENT_KEY_SIZE], size_t max);

/* One kept connection. {0} is a closed one. */
struct client {
	const struct client_target *target; /* borrowed */
	SSL *tls;
	struct buffer received;
	const char *failure; /* what failed; NULL: nothing */
	long status;         /* of the last answer; 0: the connection broke */
	struct view body;    /* of the last answer, until the next */
};

MUST_USE bool client_open(struct client *client, const struct client_target *target);
/* The same with a session to resume, or NULL. */
MUST_USE bool client_resume(struct client *client, const struct client_target *target, SSL_SESSION *session);
void client_close(struct client *client);
/* Sends one request and reads its answer; false unless that is 200. */
MUST_USE bool client_exchange(struct client *client, struct view request);

/* Requests to sign in JSON. What is signed differs by the number only; a target epoch and a slot must rise. */
void client_append_randao(struct buffer *body, uint64_t epoch);
void client_append_attestation(struct buffer *body, uint64_t target_epoch);
void client_append_block(struct buffer *body, uint64_t slot);
/* A whole HTTP request. `key` NULL: the batch route, which names the keys in its body. */
void client_append_request(struct buffer *request, const struct client_target *target, const char *key, struct view body);

/* Monotonic. */
uint64_t client_now_us(void);

/* Latencies in microseconds. More than there is room for are counted, but not kept. */
struct samples {
	uint32_t *us;
	size_t capacity;
	size_t kept;
	uint64_t count;
};

void samples_init(struct samples *samples, size_t capacity);
void samples_done(struct samples *samples);
void samples_add(struct samples *samples, uint64_t us);
void samples_append(struct samples *samples, const struct samples *more);
/* Sorts. 0 when there are none. */
uint32_t samples_percentile(struct samples *samples, unsigned percent);
