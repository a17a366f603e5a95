/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP/1.1 server (libmicrohttpd, TLS by GnuTLS) on 127.0.0.1 for the simulator's two services. Whole requests in,
 * whole answers out; everything a client can grow or stall is bounded.
 */
#pragma once

#include "base/secret.h"

/* An attestation document may have 262144 base64 characters; the rest of a KMS request is far smaller. */
#define HTTP_SERVER_BODY_MAX_SIZE (512u * 1024)
/* As many as SigV4 can sign. */
#define HTTP_SERVER_MAX_HEADERS 64
#define HTTP_SERVER_MAX_ANSWER_HEADERS 4

struct http_server_header {
	struct view name, value;
};

/* All of it borrowed, for the time of the call. */
struct http_server_request {
	const char *method;
	const char *target; /* as sent: path and query */
	const struct http_server_header *headers;
	size_t header_count;
	struct view body;
};

struct http_server_answer {
	unsigned status;
	const char *content_type; /* borrowed until the handler returns to the server */
	struct {
		const char *name;
		char value[64];
	} headers[HTTP_SERVER_MAX_ANSWER_HEADERS];
	size_t header_count;
	struct secret body; /* it may hold keys; the server wipes it when it has been sent */
};

/* Fills the answer, whatever the request is. Called from several threads at once. */
typedef void (*http_server_handler)(void *context, const struct http_server_request *request,
				    struct http_server_answer *ret_answer);

/* The value of the header, in any letter case; false when it is missing or given twice. */
MUST_USE bool http_server_find_header(const struct http_server_request *request, const char *name, struct view *ret_value);
void http_server_add_header(struct http_server_answer *answer, const char *name, const char *value);

struct http_server_options {
	uint16_t port;                    /* wanted; another is taken when it is in use or 0 */
	const struct secret *tls_key_pem; /* with a NUL at the end; NULL: plain HTTP. Borrowed as long as the server lives */
	const char *tls_chain_pem;
	http_server_handler handler;
	void *context;
};

struct http_server;

/* NULL on failure. */
MUST_USE struct http_server *http_server_start(const struct http_server_options *options, struct error *error);
uint16_t http_server_port(const struct http_server *server);
/* Lets requests under way finish. Accepts NULL. */
void http_server_stop(struct http_server *server);
