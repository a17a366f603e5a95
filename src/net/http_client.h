/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP(S) exchange through libcurl over any address. TLS always checks the certificate chain and the host name against the
 * given CA bundle (never the system's unless asked), TLS 1.2 at least, no redirects, no proxies from the environment.
 */
#pragma once

#include "net/address.h"

struct http_request {
	const char *method;         /* "GET", "POST", "PUT" */
	const char *url;            /* https://HOST[:PORT]/PATH; HOST is what the certificate must name */
	const struct address *via;  /* connect here instead of to the URL's host (a vsock relay); NULL: straight */
	struct view ca_pem;         /* trust anchors, PEM; empty: the system's bundle */
	const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
	struct view body;           /* empty: none */
	size_t max_response_size;   /* bytes of body; more is ERROR_PEER. Memory for it is taken at once and wiped at the end */
	unsigned timeout_ms;        /* for the whole exchange */
};

struct http_response {
	long status;
	char content_type[128]; /* "" when there is none */
	struct buffer body;
};

/* True when an HTTP answer came, whatever its status. ERROR_PEER for connection, TLS and time-out; the message says which. */
MUST_USE bool http_exchange(const struct http_request *request, struct http_response *ret_response, struct error *error);
/* Wipes the body and frees it. */
void http_response_done(struct http_response *response);

#define AUTO_HTTP_RESPONSE CLEANUP(http_response_done)
