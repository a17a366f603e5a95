/* SPDX-License-Identifier: Apache-2.0 */
/* The Security Token Service (2011-06-15): who one is. */
#pragma once

#include "aws/request.h"

#define STS_ARN_SIZE 2048

struct sts_client {
	struct aws_endpoint endpoint;          /* one attempt */
	const struct credentials *credentials; /* borrowed */
};

/* GetCallerIdentity, which needs no right: the ARN of a user or of an assumed role. */
MUST_USE bool sts_get_caller(const struct sts_client *client, char ret_arn[STS_ARN_SIZE], struct error *error);
