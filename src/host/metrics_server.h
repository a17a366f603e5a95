/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics in Prometheus text over plain HTTP, on an address of the operator's choosing: what the enclave counts, asked for over the control
 * channel, and what this host counts. When the enclave does not answer its part is missing, and ensign_enclave_up is 0.
 */
#pragma once

#include <event2/event.h>

#include "base/bytes.h"
#include "net/address.h"

struct metrics_server;

struct metrics_server_options {
	struct event_base *base;
	struct address listen;                                                      /* TCP */
	const struct address *control;                                              /* borrowed */
	void (*append)(void *context, bool enclave_is_up, struct buffer *ret_text); /* the host's own */
	void *context;
};

/* NULL on failure (ERROR_IO). */
MUST_USE struct metrics_server *metrics_server_new(const struct metrics_server_options *options, struct error *error);
/* Accepts NULL. */
void metrics_server_free(struct metrics_server *server);
uint16_t metrics_server_port(const struct metrics_server *server);
