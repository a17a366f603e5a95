/* SPDX-License-Identifier: Apache-2.0 */
/* AWS calls of one service that run side by side over kept connections, on one thread. Retrying is the caller's. */
#pragma once

#include "aws/request.h"

struct aws_session;

struct aws_session_options {
	struct aws_endpoint
		endpoint;    /* what it points to is borrowed for the session's life; no `attempts`, no `timeout_ms` here */
	const char *service; /* likewise, as are the credentials, which may be given other contents between two calls */
	const struct credentials *credentials;
	unsigned connections; /* calls at one time */
};

struct aws_session_call {
	const char *target; /* borrowed until the call's end */
	struct view body;   /* copied */
	unsigned timeout_ms;
	size_t max_response_size; /* more is a failure */
	void *context;            /* comes back with the outcome */
};

struct aws_outcome {
	void *context; /* the call's */
	bool ok;
	bool passing;   /* a failure that may pass: connection, time-out, 5xx, throttling. Whether AWS did it is not known */
	json_t *answer; /* of a success, and the error's object if there is one; the caller's */
	struct aws_failure failure; /* as aws_call() */
	struct error error;
};

void aws_outcome_done(struct aws_outcome *outcome);
#define AUTO_AWS_OUTCOME CLEANUP(aws_outcome_done)

MUST_USE struct aws_session *aws_session_new(const struct aws_session_options *options, struct error *error);
/* Breaks off what is under way; accepts NULL. */
void aws_session_free(struct aws_session *session);

/* False: it could not be begun, nothing was sent. */
MUST_USE bool aws_session_begin(struct aws_session *session, const struct aws_session_call *call, struct error *error);
/* Wait until one has ended, for at most wait_ms; false: none has. A success without a body is a failure. */
bool aws_session_next(struct aws_session *session, unsigned wait_ms, struct aws_outcome *ret_outcome);
/* Break off what is under way; it is never heard of again. AWS may have done it, or may yet. */
void aws_session_cancel(struct aws_session *session);
