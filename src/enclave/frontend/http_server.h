/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS/1.1 server (libmicrohttpd, GnuTLS) for one handler. It owns everything about strangers' connections: TLS 1.2 and 1.3
 * only, how many there are, how long each may take and how much memory their bodies and answers have together. The handler sees
 * whole requests.
 *
 * Times: a connection has from accept to the end of its first request's first line, and every request from then to its last
 * byte, `request_deadline_ms`; the client has as long again to take the answer. Between requests it may idle for
 * `idle_timeout_ms`. A connection that is late is closed, however many bytes trickle in. How long the handler takes is
 * the handler's affair.
 */
#pragma once

#include "base/bytes.h"
#include "enclave/frontend/client_rules.h"
#include "image/client_settings.h"

/*
 * Of each body this much is not charged to the body budget: whoever holds the budget by sending slowly keeps others from large
 * requests only. An attestation is 1 KiB, an aggregate of a whole slot's committees 10 KiB; connection_limit of them are memory
 * enough to reckon with.
 */
#define HTTP_SERVER_SMALL_BODY_SIZE (16u << 10)

struct http_server;
struct http_call;
struct http_call_private;

struct http_server_options {
	int listen_fd;             /* borrowed: bound; listen() is called here */
	unsigned threads;          /* at least 1 */
	unsigned connection_limit; /* further ones are closed at once; up to threads - 1 more when several come at one moment */
	unsigned idle_timeout_ms;
	unsigned request_deadline_ms;
	size_t body_max_size; /* more is 413, and the connection is closed */
	size_t body_budget;   /* bytes of all bodies together, beyond the small part of each; what would exceed it is 503 */
	size_t answer_budget; /* bytes of http_call_charge() together; of its own, so that unread answers leave room for bodies */

	struct view tls_key;                 /* PKCS#8 DER; parsed at start, not kept */
	struct view tls_chain;               /* PEM, leaf first */
	struct client_rules *client_rules;   /* borrowed; NULL: any client, and none is asked for a certificate */
	const struct client_settings *hosts; /* borrowed; whose hosts requests may name (others get 403); NULL: any */

	/*
	 * Called on one of the server's threads when a request is complete. It answers with http_call_answer(), at once or,
	 * after http_call_defer(), later from any thread.
	 */
	void (*handle)(void *context, struct http_call *call);
	/*
	 * The server's own refusals (a body too large, no memory for it) in the handler's words: append the answer's body for this
	 * status and reason. Its content type is refusal_content_type.
	 */
	void (*refuse)(void *context, const struct http_call *call, unsigned status, const char *reason, struct buffer *ret_body);
	unsigned (*retry_after_s)(unsigned status); /* of the Retry-After header of a refusal; 0: none */
	const char *refusal_content_type;
	void *context;
	size_t state_size;               /* bytes of `state` that each call carries, zeroed */
	void (*state_done)(void *state); /* may be NULL */
};

/* One request. Lives until its answer has been sent or its connection is gone, and while it is deferred. */
struct http_call {
	const char *method;
	const char *path; /* without query, percent-decoded */
	struct view body; /* until the call is deferred or answered */
	void *state;      /* options.state_size bytes for the handler */
	struct http_call_private *private;
};

struct http_answer {
	unsigned status;
	const char *content_type;
	struct view body;         /* copied */
	const char *allow;        /* value of an Allow header, or NULL */
	unsigned retry_after_s;   /* value of a Retry-After header; 0: none */
	const char *authenticate; /* value of a WWW-Authenticate header, or NULL */
	bool close;               /* end the connection after it */
};

/*
 * Starts to listen and serve. NULL on failure: a key or a chain that cannot be read or do not belong together (ERROR_CRYPTO), or
 * the system refuses (ERROR_IO).
 */
MUST_USE struct http_server *http_server_new(const struct http_server_options *options, struct error *error);
/* Closes every connection. All deferred calls must have been answered, and none may be deferred any more. Accepts NULL. */
void http_server_free(struct http_server *server);
/*
 * Another key and chain, as in the options, for connections that come from now on; those that are there stay as they are. From any
 * thread. ERROR_CRYPTO as above: then nothing has changed.
 */
MUST_USE bool http_server_set_identity(struct http_server *server, struct view tls_key, struct view tls_chain, struct error *error);

/* From now on every answer is the last of its connection, so that clients connect anew, elsewhere. From any thread. */
void http_server_drain(struct http_server *server);

/*
 * Visit each comma-separated entry (trimmed) of every header field `name` until `visit` returns true; returns whether it did.
 * Only inside handle().
 */
bool http_call_find_header(struct http_call *call, const char *name, bool (*visit)(const void *context, struct view entry),
			   const void *context);
/* The whole value of the first header field of this name, or NULL. Only inside handle(). */
const char *http_call_header(const struct http_call *call, const char *name);
/* The value of a query parameter, percent-decoded, or NULL. Only inside handle(). */
const char *http_call_argument(const struct http_call *call, const char *name);
/* Borrowed from the call, for as long as that lives. */
const struct http_client *http_call_client(const struct http_call *call);
/* The answer will come later. Only inside handle(), and before anything that could bring the answer. */
void http_call_defer(struct http_call *call);
/* Once a call. After it a deferred call may be gone. */
void http_call_answer(struct http_call *call, const struct http_answer *answer);
/*
 * Account for `size` more bytes of a large answer to this call against the answer budget. False: there is no room. Given back when
 * the call ends, which is up to request_deadline_ms after the answer: the client may be slow to read it.
 */
MUST_USE bool http_call_charge(struct http_call *call, size_t size);
