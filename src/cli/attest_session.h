/* SPDX-License-Identifier: Apache-2.0 */
/* `ensign attest verify --url`: whom a client talks to. */
#pragma once

#include "attestation/nsm.h"
#include "base/json.h"

struct attest_session_request {
	const char *url;
	const char *root; /* NULL: AWS's */
	const char *pcr0; /* one of these two at least */
	const char *pcr8;
	const char *nonce;       /* hex, or "auto" or NULL: 32 random bytes */
	const char *client_cert; /* what to show to a server that wants it; NULL: nothing */
	const char *client_key;
	const char *cert_out; /* NULL: nowhere */
	bool as_json;
};

/* PCR0 of the enclave that the session ends in, whatever image that is; pcr0 and pcr8 of the request are checked where they are given. */
MUST_USE bool attest_session_read(const struct attest_session_request *request, char ret_pcr0[NSM_PCR_TEXT_SIZE],
				  struct error *error);
/* Prints its verdict. Returns the exit code. */
int attest_session(const struct attest_session_request *request);
