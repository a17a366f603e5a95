/* SPDX-License-Identifier: Apache-2.0 */
/* Part of dynamodb.h. */
#pragma once

#include "aws/dynamodb.h"
#include "aws/session.h"

/* Waits after a failure that may pass: shorter than an answer takes at first, and short enough for several tries in a few seconds. */
#define BACKOFF_BASE_MS 20u
#define BACKOFF_MAX_MS 200u

/* A hundred rows of a slashing table take 50 KiB; room for five times that. */
#define RESPONSE_MAX_SIZE (256u << 10)

struct dynamodb {
	struct aws_session *session;
	unsigned attempt_ms;
};

struct dynamodb_call {
	const char *target;
	struct view body;
	size_t max_response_size;
};

/*
 * One call, sent again, the same as before, while what fails may pass, until the deadline. True: *ret_outcome has the answer; false: it
 * has the error, and what there is of an answer.
 */
MUST_USE bool dynamodb_call(struct dynamodb *dynamodb, const struct dynamodb_call *call, uint64_t deadline_ms,
			    struct aws_outcome *ret_outcome);
