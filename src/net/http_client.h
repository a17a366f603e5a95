/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP(S) exchange through libcurl over any address. TLS always checks the certificate chain and the host name against the
 * given CA bundle (never the system's unless asked), TLS 1.2 at least, no redirects, no proxies from the environment. The one exception
 * is judges_certificate.
 *
 * With `via` and `ca_pem` given, an exchange opens no file, asks no name server and makes no IP socket, so it can run under a
 * seccomp filter; what libraries open once is opened by http_client_prepare(). Everything libcurl allocates is wiped when freed.
 */
#pragma once

#include "net/address.h"

/* A request id is the longest header that anybody wants to see. */
#define HTTP_HEADER_VALUE_SIZE 128
#define HTTP_WANTED_HEADERS_MAX 2

struct http_request {
	const char *method;           /* "GET", "POST", "PUT" */
	const char *url;              /* https://HOST[:PORT]/PATH (or http://); HOST is what the certificate must name */
	const struct address *via;    /* connect here instead of to the URL's host (a vsock relay); NULL: straight */
	struct view ca_pem;           /* trust anchors, PEM; empty: the system's bundle */
	bool judges_certificate;      /* take whatever certificate comes: the caller judges server_certificate_pem by other means */
	struct view client_chain_pem; /* our own certificate and its chain, leaf first; empty: none */
	struct view client_key_pem;   /* its key, unencrypted */
	const char *const *headers;   /* "Name: value", NULL-terminated; may be NULL */
	const char *wanted_headers[HTTP_WANTED_HEADERS_MAX]; /* names of answer headers to hand back in wanted_values; NULL: none */
	struct view body;                                    /* empty: none */
	size_t max_response_size; /* bytes of body; more is ERROR_PEER. Never a copy in freed memory that was not wiped */
	unsigned timeout_ms;      /* for the whole exchange, connecting included */
};

struct http_response {
	long status;
	char content_type[HTTP_HEADER_VALUE_SIZE];                           /* "" when there is none; cut to size */
	char wanted_values[HTTP_WANTED_HEADERS_MAX][HTTP_HEADER_VALUE_SIZE]; /* likewise */
	struct buffer body;
	struct buffer server_certificate_pem; /* of the very session; only with judges_certificate */
	bool transient;  /* set on failure: the connection was refused, lost or too slow, so trying again may help */
	bool is_refused; /* set on failure: the server's certificate is not to be trusted, or is of another name */
};

/*
 * What the first exchange would do once (libcurl's and OpenSSL's own initialisation, which reads OpenSSL's configuration
 * file). For processes that then close themselves in; the others need not call it.
 */
MUST_USE bool http_client_prepare(struct error *error);
/*
 * True when an HTTP answer came, whatever its status. ERROR_PEER for connection, TLS and time-out; the message says which.
 * ERROR_INPUT for a URL, header or CA bundle that cannot be used. *ret_response is filled on failure too (`transient` and `is_refused` alone).
 */
MUST_USE bool http_exchange(const struct http_request *request, struct http_response *ret_response, struct error *error);
/* Wipes the body and frees it. */
void http_response_done(struct http_response *response);

#define AUTO_HTTP_RESPONSE CLEANUP(http_response_done)
