/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of an AWS call: signed into an HTTP request, and its answer read. Part of request.h and session.h. */
#pragma once

#include "aws/request.h"

/* One call, whatever the number of attempts. Borrows everything. NULL: as the JSON protocol has it. */
struct aws_exchange {
	const struct aws_endpoint *endpoint;
	const char *service;
	const char *target; /* "": the service goes by the path or by the body */
	const char *path;   /* percent-encoded; NULL: / */
	const char *content_type;
	const char *wanted_header; /* of the answer; NULL: the request id, which errors show */
	const struct credentials *credentials;
	struct view body;
	size_t max_response_size;
};

/*
 * Whether HOST or HOST:PORT is of this very machine. Plain HTTP shows the relay and the network what is sent, so no other one may be meant,
 * whatever `via` says.
 */
bool aws_host_is_loopback(const char *host);

#define AWS_HEADER_LINES 7 /* six lines at most, and the NULL that ends them */

/* The request of one attempt; the next one is signed anew, since the signature holds the time. */
struct aws_signed {
	struct http_request request; /* borrows from what follows, and from the exchange */
	char *url;
	char *host;
	char *content_type;
	char *target;
	char *date;
	char *authorization;
	struct secret token; /* NUL-terminated line; empty without a session token */
	const char *lines[AWS_HEADER_LINES];
};

/* ERROR_INPUT for an endpoint that may not be used. `signed_request` must not move. */
MUST_USE bool aws_signed_init(struct aws_signed *signed_request, const struct aws_exchange *exchange, struct error *error);
void aws_signed_done(struct aws_signed *signed_request);
#define AUTO_AWS_SIGNED CLEANUP(aws_signed_done)

/*
 * What came back for `target`. True: *ret_answer is the object of a success. False: what request.h says of failures in *ret_failure
 * and *error, whether it may pass in *ret_passing, and *ret_answer is the error's object, or NULL. A success without any body is an
 * empty object where `may_be_empty`, else a failure.
 */
MUST_USE bool aws_read_response(const struct http_response *response, const char *target, bool may_be_empty, json_t **ret_answer,
				struct aws_failure *ret_failure, bool *ret_passing, struct error *error);

/*
 * "Full jitter" (AWS Architecture Blog, "Exponential Backoff And Jitter") after the n-th failure, n from 1: a random wait of
 * 0 to min(max_ms, base_ms * 2^(n-1)).
 */
unsigned aws_back_off_ms(unsigned base_ms, unsigned max_ms, unsigned failures);
