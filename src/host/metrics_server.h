/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics in Prometheus text over plain HTTP, on an address of the operator's choosing: what the enclave counts, asked for over the control
 * channel, and what this host counts. When the enclave does not answer its part is missing, and ensign_enclave_up is 0.
 *
 * GET /healthz: 200 while the enclave serves, else 503, and a line that says what the host is doing.
 */
#pragma once

#include <event2/event.h>

#include "base/bytes.h"
#include "net/address.h"

/* Two servers that scrape, with connections that they keep, and people with curl. Whoever comes beyond that waits until one is closed. */
#define METRICS_CONNECTIONS_MAX 16

struct metrics_server;

struct metrics_server_options {
	struct event_base *base;
	struct address listen;         /* TCP */
	const struct address *control; /* borrowed */
	unsigned idle_timeout_s;       /* a connection that neither sends nor takes anything is closed then; 0: 10 */
	void (*append)(void *context, bool enclave_is_up, struct buffer *ret_text); /* the host's own */
	bool (*health)(void *context, struct buffer *ret_line);                     /* whether it serves */
	void *context;
};

/* NULL on failure (ERROR_IO). SIGPIPE must be ignored. */
MUST_USE struct metrics_server *metrics_server_new(const struct metrics_server_options *options, struct error *error);
/* Accepts NULL. */
void metrics_server_free(struct metrics_server *server);
uint16_t metrics_server_port(const struct metrics_server *server);
