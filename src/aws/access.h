/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to a service of AWS as a command line or a settings file says it: of which region, and where it is not the usual one, which host. What they leave out
 * the environment may say (aws/environment.h).
 */
#pragma once

#include "aws/request.h"

struct aws_place {
	const char *region;
	const char *host;    /* HOST or HOST:PORT; NULL: the environment's, or AWS's own of the service in that region */
	const char *ca_file; /* PEM; NULL: the environment's, or the system's authorities */
};

/* What an endpoint borrows. */
struct aws_access {
	struct aws_endpoint endpoint; /* timeout_ms and attempts are for the caller to set */
	char *region;
	char *host;
	struct buffer ca_pem;
};

void aws_access_done(struct aws_access *access);
#define AUTO_AWS_ACCESS CLEANUP(aws_access_done)

/* AWS's own host of a service: "kms.eu-west-1.amazonaws.com". Caller frees. */
char *aws_host_of(const char *service, const char *region);

/* `service` is "kms", "dynamodb" or "ssm". Copies all of `place`. ERROR_INPUT or ERROR_NOT_FOUND when it is the file's fault. */
MUST_USE bool aws_access_init(const char *service, const struct aws_place *place, struct aws_access *ret_access,
			      struct error *error);
