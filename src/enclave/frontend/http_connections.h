/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections of a server: how many there are, and their deadlines. libmicrohttpd's own time-out starts anew with every byte, so a
 * client that trickles would never meet it; here each phase of a connection has one deadline, and a thread shuts down what is late.
 */
#pragma once

#include "base/error.h"

struct http_connections;
struct http_connection;

/* `limit`: how many there may be; `tick_ms`: how late a deadline may be noticed. NULL on failure. */
MUST_USE struct http_connections *http_connections_new(unsigned limit, unsigned tick_ms, struct error *error);
/* Stops the thread. No connection may be left. Accepts NULL. */
void http_connections_free(struct http_connections *connections);

/* From any thread. Several that ask at the same time, before any of them adds one, may each be told of the last place. */
MUST_USE bool http_connections_have_room(const struct http_connections *connections);
/* Not refused where there is no room. The socket stays the caller's, who removes it before closing it. */
struct http_connection *http_connections_add(struct http_connections *connections, int fd, unsigned deadline_ms);
void http_connections_remove(struct http_connections *connections, struct http_connection *connection);

/* From now on; from any thread. */
void http_connection_set_deadline(struct http_connection *connection, unsigned deadline_ms);
/* While the server itself is at work. */
void http_connection_clear_deadline(struct http_connection *connection);
