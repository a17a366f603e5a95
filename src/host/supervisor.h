/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps one enclave serving: launches it, provisions it, asks it for its state every few seconds, and starts anew when it dies,
 * falls silent or cannot open its keys. While it serves, what it wants of its parent (reload, import, forget) is done when the answer to
 * a poll says so; that such a wish fails is no reason to end it.
 *
 *   WAITING ─released─┐
 *       ┌─────────────┘
 *       ▼
 *   LAUNCHING ─answers─► PROVISIONING ─keys open─► SERVING
 *       ▲                     │ refused               │ died, or silent
 *       └────── BACKOFF ◄─────┴───────────────────────┘
 *
 * When it is stopped, it goes from SERVING by DRAINING to STOPPED, from anywhere else at once.
 *
 * Runs on the caller's event loop and never blocks it: what blocks is done by a worker thread (host/worker.h).
 */
#pragma once

#include <event2/event.h>

#include "host/host_status.h"
#include "host/launcher.h"
#include "host/settings.h"
#include "host/supervisor_timing.h"

struct supervisor_options {
	struct event_base *base;
	const struct settings *settings;
	struct launcher *launcher;
	struct address control;          /* of the enclave */
	const char *status_path;         /* of status.json */
	struct supervisor_timing timing; /* zero in any of them: the default */
	unsigned drain_ms; /* supervisor_stop() lets a serving enclave sign for so long while clients are told to go; 0: not */
	bool is_held;      /* nothing is launched until supervisor_hold(…, false) */
	void (*changed)(void *context); /* the status is another; NULL: nobody asks */
	void (*stopped)(void *context); /* called once after supervisor_stop(), when the enclave is gone */
	void *context;
};

struct supervisor;

/* Everything in the options is borrowed until supervisor_free(). The first launch happens on the event loop. */
MUST_USE struct supervisor *supervisor_new(const struct supervisor_options *options, struct error *error);
/* Have the enclave read the tables again, as soon as it serves. */
void supervisor_reload(struct supervisor *supervisor);
/* Held: the enclave is ended, and none is launched until it is released. */
void supervisor_hold(struct supervisor *supervisor, bool is_held);
/* Drains and ends the enclave, then calls `stopped`. Called once more it does not wait for the drain's end. */
void supervisor_stop(struct supervisor *supervisor);
/* Kills the enclave if it still runs; accepts NULL. */
void supervisor_free(struct supervisor *supervisor);
/* Valid until supervisor_free(). */
const struct host_status *supervisor_status(const struct supervisor *supervisor);
