/* SPDX-License-Identifier: Apache-2.0 */
/* One AWS JSON-protocol call: POST / with X-Amz-Target, signed with SigV4, answered with JSON or a named error. */
#pragma once

#include "aws/credentials.h"
#include "net/http_client.h"

#define AWS_ERROR_NAME_SIZE 96
/* The longest answer in use: a page of table rows is 1 MiB; KMS answers stay under 64 KiB. */
#define AWS_RESPONSE_MAX_SIZE (4u << 20)
#define AWS_KMS_RESPONSE_MAX_SIZE 65536u

struct aws_endpoint {
	const char *region;
	const char *host; /* "kms.us-east-1.amazonaws.com" or "localhost:PORT"; goes into Host, SNI and the certificate check */
	const struct address *via; /* relay to connect through; NULL: straight */
	struct view ca_pem;        /* empty: the system's bundle */
	unsigned timeout_ms;       /* per attempt */
	unsigned attempts;         /* 1: no retry. Retried with jittered back-off: connection errors, 5xx, throttling */
	bool is_plain; /* HTTP without TLS, for emulators; ERROR_INPUT unless `host` is of the loopback. Only aws/environment.h sets it */
};

/* What AWS said when it said no. */
struct aws_failure {
	long status;
	char name[AWS_ERROR_NAME_SIZE]; /* "AccessDeniedException", without any prefix; "" when there was no answer */
};

/*
 * Call `target` ("TrentService.Decrypt") of `service` ("kms"). On success *ret_answer is the JSON object (caller releases).
 * An error answer is ERROR_AWS, "Name: message (request id …)"; a denial (AccessDeniedException) is ERROR_POLICY.
 * ret_failure may be NULL.
 */
MUST_USE bool aws_call(const struct aws_endpoint *endpoint, const char *service, const char *target,
		       const struct credentials *credentials, struct view body, size_t max_response_size, json_t **ret_answer,
		       struct aws_failure *ret_failure, struct error *error);
