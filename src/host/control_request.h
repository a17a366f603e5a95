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
	struct buffer frame;        /* wiped */
	uint64_t answer_timeout_ms; /* how long opening all of it may take */
	size_t key_count;
};

/* Wipes the frame, which can be done as soon as it is sent; the numbers stay. Accepts {0}. */
void control_request_done(struct control_request *request);
#define AUTO_CONTROL_REQUEST CLEANUP(control_request_done)

/*
 * The whole of `init` or `reload`: reads the key table, the TLS table and the credentials. ERROR_NOT_FOUND when a table or the TLS row is
 * missing; that there are no active keys is the enclave's to judge. Fills in the numbers too.
 */
MUST_USE bool control_request_load(const struct settings *settings, const char *operation, struct control_request *request,
				   struct error *error);
/* Reads the credentials and ends a frame with them that begins with '{"operation":…'. */
MUST_USE bool control_request_finish(const struct settings *settings, struct control_request *request, struct error *error);
