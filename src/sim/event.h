/* SPDX-License-Identifier: Apache-2.0 */
/* What happened at one of the simulator's services, for the edge to log. The text may come from a client; it holds no secret. */
#pragma once

struct sim_event {
	const char *service;      /* "kms", "imds" */
	const char *operation;    /* "Decrypt", or a method and path; "" when it was not understood */
	const char *caller;       /* an ARN; only claimed when the signature was refused, "" before */
	const char *image_sha384; /* PCR0 of a verified Recipient, in hex: what KMS itself would not tell; "" for none */
	unsigned status;          /* HTTP */
	const char *exception;    /* AWS's name, "" when it went well */
	const char *message;      /* "" when it went well */
	const char *request_id;   /* "" where the service has none */
};

/* Called from the servers' threads. */
typedef void (*sim_observer)(const struct sim_event *event);
