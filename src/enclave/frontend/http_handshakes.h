/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections whose TLS handshake waits for the client. libmicrohttpd with epoll (0.9.75 and later) tries such a handshake again and again,
 * without a pause, until the client's next bytes are there: one connection that says nothing would keep a core busy for as long as it may
 * stay. So it is suspended where it would have to wait, the wait is done here, by one thread for all of them, and it is resumed when there is
 * something to read, or the end of the stream.
 */
#pragma once

#include <microhttpd.h>

#include "base/error.h"

struct http_handshakes;

/* NULL on failure (ERROR_IO). */
MUST_USE struct http_handshakes *http_handshakes_new(struct error *error);
/* Resumes all that wait, and from then on none waits: what stopping the daemon asks for. */
void http_handshakes_close(struct http_handshakes *handshakes);
/* After the daemon was stopped. Accepts NULL. */
void http_handshakes_free(struct http_handshakes *handshakes);

/* There is nothing to read on the connection's socket. On the daemon's thread that serves the connection. */
void http_handshakes_wait(struct http_handshakes *handshakes, struct MHD_Connection *mhd, int fd);
/* The connection is gone; its socket is still open, or was closed on the same thread. */
void http_handshakes_forget(struct http_handshakes *handshakes, int fd);
