/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A relay to a server on this machine that behaves as networks do: it is slow, or it closes connections: before a request reaches the
 * server, or after the server has done it and before its answer is back. Runs on threads of its own; a process that forks makes it after.
 */
#pragma once

#include "net/address.h"

struct bad_relay;

struct bad_relay_options {
	struct address listen; /* a unix socket */
	struct address server;
	unsigned delay_ms;     /* of what comes back from the server; what goes there goes at once */
	unsigned lost_of_1000; /* of the pieces of bytes that come by, either way */
	unsigned seed;
};

/* Fails the test when it cannot listen. */
struct bad_relay *bad_relay_start(const struct bad_relay_options *options);
/* Ends with the process otherwise. */
void bad_relay_stop(struct bad_relay *relay);
