/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP(S) exchanges that run side by side, on one thread, over connections that are kept: the second one with a host costs neither
 * a connection nor a TLS handshake. Each is what http_client.h says of an exchange, its guarantees with `via` and `ca_pem` included.
 *
 * A kept connection that the peer has closed meanwhile is noticed, and another one made, so a request may reach the peer twice:
 * use it for what may be done twice. The process must ignore SIGPIPE (as init and its roles do): OpenSSL writes before it notices.
 */
#pragma once

#include "net/http_client.h"

struct http_session;

struct http_finished {
	void *context; /* as it was given to http_session_begin() */
	bool ok;
	struct http_response response; /* the caller's, to be given to http_response_done(); as after http_exchange() */
	struct error error;
};

/* For at most `connections` exchanges at one time. NULL on failure. */
MUST_USE struct http_session *http_session_new(unsigned connections, struct error *error);
/* Breaks off what is under way; accepts NULL. */
void http_session_free(struct http_session *session);

static inline void http_session_done(struct http_session **session)
{
	http_session_free(*session);
	*session = NULL;
}
#define AUTO_HTTP_SESSION CLEANUP(http_session_done)

/*
 * Begin an exchange, whose time begins now. `via`, `ca_pem`, `method`, `wanted_headers` and the client's certificate are borrowed until
 * its end, the rest is copied. Connections are told apart by the URL's host alone, so every request to one host needs the same `via`.
 * ERROR_INPUT as http_exchange(); ERROR_BUG when too many are under way.
 */
MUST_USE bool http_session_begin(struct http_session *session, const struct http_request *request, void *context,
				 struct error *error);
/* Wait until one has ended, whichever is first, for at most wait_ms. False: none has. With none under way it just waits. */
bool http_session_next(struct http_session *session, unsigned wait_ms, struct http_finished *ret_finished);
/* Break off what is under way; it is never heard of again. */
void http_session_cancel(struct http_session *session);
