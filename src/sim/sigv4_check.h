/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of Signature Version 4: who sent this request, and is it the request that was signed? The canonical form is
 * aws/sigv4.h, computed again from what arrived.
 */
#pragma once

#include "sim/http_server.h"
#include "sim/kms_call.h"

/* AWS: a signature is good for five minutes around the server's time. */
#define SIGV4_MAX_SKEW_MS (5u * 60 * 1000)

/* The parts of "AWS4-HMAC-SHA256 Credential=ID/DATE/REGION/SERVICE/aws4_request, SignedHeaders=a;b, Signature=hex". */
struct sigv4_authorization {
	char access_key_id[CREDENTIALS_KEY_ID_SIZE];
	struct view date, region, service; /* views borrow from the header */
	struct view signed_headers;
	struct view signature; /* 64 lower-case hex digits */
};

/* ERROR_INPUT, naming the part, when malformed. Pure. */
MUST_USE bool sigv4_authorization_parse(struct view header, struct sigv4_authorization *ret_authorization, struct error *error);
/* Fills call->caller. Uses call->store, region and now_ms. */
MUST_USE bool sigv4_check(struct kms_call *call, const struct http_server_request *request, const char *service,
			  struct error *error);
