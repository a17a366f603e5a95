/* SPDX-License-Identifier: Apache-2.0 */
/* Part of dynamodb.h. */
#pragma once

#include "aws/dynamodb.h"
#include "aws/session.h"

/* Waits after a failure that may pass: shorter than an answer takes at first, and short enough for several tries in a few seconds. */
#define BACKOFF_BASE_MS 20u
#define BACKOFF_MAX_MS 200u

struct dynamodb {
	struct aws_session *session;
	unsigned attempt_ms;
};
