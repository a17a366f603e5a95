/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries bytes both ways between two connected stream sockets until both directions have ended.
 *
 * Half-close is carried too: the end of stream on one socket becomes a shutdown of the other's sending side once everything
 * before it is written, and the other direction goes on, as it does when a receiver closes before its sender is done. A reset
 * or too long a silence ends both at once, with a reset where the socket knows one, so that a cut stream is not taken for a
 * whole one.
 *
 * Memory is bounded: a direction reads again only when what it read before is written, so it never holds more than
 * PUMP_BUFFER_SIZE, and holds nothing at all while its receiver keeps up.
 */
#pragma once

#include <event2/event.h>

#include "base/bytes.h"

/* One read: large enough that the system calls do not count, small enough for thousands of slow readers (64 KiB each). */
#define PUMP_BUFFER_SIZE 65536u
/* One write: a guest's writes above 32 KiB stall in vhost-device-vsock, and nothing gains from larger ones. */
#define PUMP_WRITE_MAX_SIZE 32768u

struct pump;

/* Called once from the event loop; both sockets are closed. The callee may free the pump. */
typedef void pump_callback(void *context);

struct pump_options {
	struct event_base *base;
	unsigned idle_timeout_ms;  /* no byte in either direction for so long ends it */
	uint8_t *scratch;          /* PUMP_BUFFER_SIZE bytes, borrowed; may be shared by all pumps of one event loop */
	uint64_t *bytes_to_second; /* counters of bytes delivered, borrowed */
	uint64_t *bytes_to_first;
	pump_callback *callback;
	void *context;
};

/* Takes both sockets (non-blocking), also when it fails. */
MUST_USE struct pump *pump_start(const struct pump_options *options, int first_fd, int second_fd, struct error *error);
/* Ends it if it still runs; accepts NULL. */
void pump_free(struct pump *pump);
