/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host sends over the control channel with the instance's credentials in it: the tables, or a data key. The credentials are
 * written last and the frame is wiped, so they are in memory no longer than it takes to send them.
 */
#pragma once

#include "base/secret.h"
#include "host/settings.h"

/* For control_send() and control_call(). */
#define CONTROL_CONNECT_TIMEOUT_MS 5000u

struct control_request {
	struct buffer frame; /* wiped */
	uint64_t answer_timeout_ms;
};

void control_request_done(struct control_request *request); /* accepts {0} */
#define AUTO_CONTROL_REQUEST CLEANUP(control_request_done)

/*
 * The whole of `init` or `reload`: reads the key table, the TLS table and the credentials. ERROR_NOT_FOUND when a table, the TLS row or an
 * active key is missing. Fills in how long opening all of it may take.
 */
MUST_USE bool control_request_load(const struct settings *settings, const char *operation, struct control_request *request,
				   struct error *error);
/* Reads the credentials and ends a frame with them that begins with '{"operation":…'. */
MUST_USE bool control_request_finish(const struct settings *settings, struct control_request *request, struct error *error);
