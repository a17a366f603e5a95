/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service tells systemd (sd_notify(3)): that it is ready, what it does, that it still runs. The protocol is one datagram a message to the
 * unix socket that NOTIFY_SOCKET names; without that variable nothing is sent. The library that has it too, libsystemd, brings compression,
 * journal and bus with it, of which this program needs none.
 */
#pragma once

#include <event2/event.h>

#include "base/error.h"

struct notify;

/*
 * When WATCHDOG_USEC is there, and WATCHDOG_PID is this process or not there, WATCHDOG=1 is sent from the event loop at twice the rate that it asks for, so that
 * a loop that hangs is seen. ERROR_INPUT for variables that cannot be understood.
 */
MUST_USE struct notify *notify_new(struct event_base *base, struct error *error);
/* Accepts NULL. */
void notify_free(struct notify *notify);

/* `state` is an assignment, "READY=1" or "STOPPING=1", `status` what to show, without line breaks; NULL: nothing new of that. */
void notify_send(struct notify *notify, const char *state, const char *status);
