/* SPDX-License-Identifier: Apache-2.0 */
/* The real server and API on a unix socket, with a keeper behind them that does as the test says. */
#pragma once

#include <pthread.h>

#include "crypto/tls_identity.h"
#include "enclave/frontend/api.h"
#include "tls_client.h"

struct fixture_options {
	unsigned request_deadline_ms; /* 0: 30000: a crowd of handshakes under a sanitizer takes more than 5 s */
	unsigned idle_timeout_ms;     /* 0: 5000 */
	unsigned keeper_deadline_ms;  /* 0: 5000 */
	unsigned connection_limit;    /* 0: 1024 */
	size_t keeper_capacity;       /* 0: connection_limit */
	size_t body_budget;           /* 0: 64 MiB */
	size_t answer_budget;         /* 0: 64 MiB */
	unsigned threads;             /* 0: 2 */
	uint64_t key_count;           /* of the keeper */
	bool slashing_off;
	const char *manager_token;           /* of the key manager; NULL: there is none */
	struct client_rules *client_rules;   /* borrowed; NULL: any client */
	const struct client_settings *hosts; /* borrowed; NULL: any host */
	const char *policy;                  /* JSON; NULL: the built-in rules alone */
	struct message_health_result health; /* what the keeper says, but for slashing and keys; all zero: nothing happened yet */
};

/*
 * What the keeper does with a request to sign: it answers with the status in the first byte of the public key. Special values of
 * the second byte: KEY_SILENT is never answered, KEY_DIES makes the keeper hang up. Whatever it is asked about histories goes well.
 */
enum { KEY_SILENT = 0xee, KEY_DIES = 0xdd };

struct fixture {
	struct fixture_options options;
	struct tls_identity identity;
	struct buffer ca_pem;
	char folder[64];
	struct address address;
	int listen_fd;
	int keeper_fds[2]; /* ours, the keeper's */
	pthread_t keeper_thread;
	struct message_sign last; /* that the keeper got; read it after the answer */
	struct message_history last_history;
	struct signing_policy policy;
	struct key_manager key_manager;
	int control_fds[2]; /* with a key manager: ours, control's; the test is control */
	struct control_client *control;
	struct keeper_client *keeper;
	struct api *api;
	struct http_server *server;
};

void fixture_start(struct fixture *fixture, const struct fixture_options *options);
void fixture_stop(struct fixture *fixture);

/* Only an identity, a folder and a bound socket. */
void fixture_prepare(struct fixture *fixture);
void fixture_release(struct fixture *fixture);

/* The keeper's loop over its end of a pair, until it is closed. */
/* `ret_last_history` may be NULL. */
void fixture_keeper(int fd, const struct fixture_options *options, struct message_sign *ret_last,
		    struct message_history *ret_last_history);

void fixture_connect(struct fixture *fixture, struct tls_client *client);
/* One request on a connection of its own; fails the test when no answer comes. */
void fixture_exchange(struct fixture *fixture, const char *method, const char *path, const char *headers, struct view body,
		      struct answer *ret_answer);
/* These three fail the test when the server has hung up. */
void fixture_send_text(struct tls_client *client, const char *text);
/* FIXTURE_RANDAO, with further header lines or "". */
void fixture_send_sign(struct tls_client *client, const char *path, const char *headers);
/* One answer has this status. */
void fixture_assert_status(struct tls_client *client, unsigned status);
/* The answer is {"code":status,"message":…}, and nothing else; the message contains this. */
void assert_error(const struct answer *answer, unsigned status, const char *message);
/* "/api/v1/eth2/sign/0x…" of a key whose first two bytes are given; in static memory. */
const char *sign_path(uint8_t first, uint8_t second);
/* Signature that the keeper gives for that key: every byte is this. */
#define FIXTURE_SIGNATURE_BYTE 0xa7

#define FIXTURE_RANDAO                                                                                                             \
	"{\"fork_info\":{\"fork\":{\"previous_version\":\"0x00000001\",\"current_version\":\"0x00000002\",\"epoch\":\"3\"},"       \
	"\"genesis_validators_root\":\"0x0101010101010101010101010101010101010101010101010101010101010101\"},"                     \
	"\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":\"5\"}}"
#define JSON_TYPE "application/json; charset=utf-8"
#define TEXT_TYPE "text/plain; charset=utf-8"
