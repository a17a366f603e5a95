/* SPDX-License-Identifier: Apache-2.0 */
/* Lambda (2015-03-31): Invoke. */
#pragma once

#include "aws/request.h"

/* What Lambda takes, and gives back, of an invocation that is waited for: 6 MB. Ours are a thousandth of it. */
#define LAMBDA_PAYLOAD_MAX_SIZE (6u << 20)

struct lambda_client {
	struct aws_endpoint endpoint;          /* `attempts` means nothing: what an event does it would do twice */
	const struct credentials *credentials; /* borrowed */
};

/*
 * Wait for the function's answer to an event, both any JSON value. False: it could not be asked, or it answered with an error of its own, whose type and message
 * *error has (ERROR_PEER). Caller releases *ret_answer. `function` is a name or an ARN.
 */
MUST_USE bool lambda_invoke(const struct lambda_client *client, const char *function, json_t *event, json_t **ret_answer,
			    struct error *error);
