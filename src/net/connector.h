/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One outgoing connection, made without blocking the event loop: resolves names (libevent's resolver), tries each address of a
 * name in turn, waits out a full backlog of a unix socket and says CONNECT to a hybrid peer.
 */
#pragma once

#include <event2/event.h>

#include "net/address.h"

struct connector;
struct evdns_base;

/*
 * Called once, from the event loop and never from inside connector_start(). `fd` is connected, non-blocking, close-on-exec and
 * the callee's from now on; -1 on failure, `error` then says why (ERROR_PEER or ERROR_IO). The callee may free the connector.
 */
typedef void connector_callback(void *context, int fd, const struct error *error);

struct connector_options {
	struct event_base *base;
	struct evdns_base *resolver;   /* for names; may be NULL where connector_needs_resolver() says no */
	const struct address *address; /* borrowed until connector_free() */
	unsigned timeout_ms;           /* for everything together */
	connector_callback *callback;
	void *context;
};

MUST_USE struct connector *connector_start(const struct connector_options *options, struct error *error);
/* Gives up what is under way; accepts NULL. */
void connector_free(struct connector *connector);

/* True for tcp:NAME:PORT: only names need a resolver. */
MUST_USE bool connector_needs_resolver(const struct address *address);
