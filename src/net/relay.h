/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A relay: listens on one address and carries every connection to one other, fixed address (net/pump.h). It runs on the caller's
 * event loop, needs no thread and keeps thousands of connections; those above its limit are closed at once instead of being
 * left waiting, so that a client sees the overload and does not take it for a hang.
 *
 * What it carries is opaque to it: TLS ends inside the enclave.
 */
#pragma once

#include <event2/event.h>

#include "net/address.h"

/* A validator client keeps a handful of connections; this is room for hundreds of clients. */
#define RELAY_CONNECTIONS_MAX 8192u
/* The client's socket and the one to the destination: who makes a relay sees to it that RLIMIT_NOFILE suffices. */
#define RELAY_DESCRIPTORS_PER_CONNECTION 2u
/* The enclave and KMS answer a connect within milliseconds or not at all; a client's own time-out is at least 5 s. */
#define RELAY_CONNECT_TIMEOUT_MS 5000u
/* Validator clients keep idle connections for up to 90 s; well above, so that they are the ones who close. */
#define RELAY_IDLE_TIMEOUT_MS 600000u

struct relay_options {
	struct address listen;
	struct address connect;
	size_t max_connections;      /* 0: RELAY_CONNECTIONS_MAX */
	unsigned connect_timeout_ms; /* 0: RELAY_CONNECT_TIMEOUT_MS */
	unsigned idle_timeout_ms;    /* 0: RELAY_IDLE_TIMEOUT_MS */
	bool announces_clients;      /* each connection begins with the address of who made it (net/proxy_protocol.h) */
};

struct relay_statistics {
	size_t connections;        /* now */
	uint64_t accepted;         /* ever, without the refused ones */
	uint64_t refused;          /* closed because of the limit */
	uint64_t failed;           /* closed because the destination could not be reached */
	uint64_t accept_pauses;    /* times that accept() failed for want of descriptors or memory */
	uint64_t bytes_to_connect; /* delivered to the destination */
	uint64_t bytes_to_listen;  /* delivered to those who connected */
	struct error last_failure; /* why the last of `failed` failed; code ERROR_NONE when none did */
};

struct relay;

/* Listens at once. NULL on failure (ERROR_IO). `base` must outlive it. */
MUST_USE struct relay *relay_new(struct event_base *base, const struct relay_options *options, struct error *error);
/* Closes everything and removes the listening unix socket; accepts NULL. */
void relay_free(struct relay *relay);
/* Valid until relay_free(). */
const struct relay_statistics *relay_statistics(const struct relay *relay);
/* The TCP port it listens on (for port 0); 0 when it is no TCP socket. */
uint16_t relay_bound_port(const struct relay *relay);
