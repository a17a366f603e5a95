/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the signing API for people, for `local up` and for the Lambda: https only, the certificate is checked against what is given. One
 * exchange a call; validator clients, which keep connections, do not use this.
 *
 * A refusal becomes an error with the server's own message: 412 is ERROR_SLASHABLE, 400 ERROR_INPUT, 403 ERROR_POLICY, 404 ERROR_NOT_FOUND. A
 * certificate that is not to be trusted is ERROR_CRYPTO, any other failure of the exchange ERROR_PEER.
 */
#pragma once

#include "base/json.h"
#include "net/http_client.h"

/* A signature takes a millisecond; a signer that makes no answer in half a slot makes none that is of use. */
#define SIGNER_TIMEOUT_MS 6000

struct signer_target {
	char *url;                      /* "https://127.0.0.1:8443", no slash at the end; owned */
	struct buffer ca_pem;           /* what its certificate is checked against */
	struct buffer client_chain_pem; /* the certificate to show; empty: none */
	struct secret client_key_pem;
};

void signer_target_done(struct signer_target *target);
#define AUTO_SIGNER_TARGET CLEANUP(signer_target_done)

/* True when it answered 200. ret_text (NULL: never mind) gets what it said. */
MUST_USE bool signer_upcheck(const struct signer_target *target, unsigned timeout_ms, struct buffer *ret_text, struct error *error);
/* A JSON array of "0x…" texts, sorted. Caller releases. NULL on failure. */
MUST_USE json_t *signer_public_keys(const struct signer_target *target, unsigned timeout_ms, struct error *error);
/* ret_signature: 0x and 192 hex digits. */
#define SIGNER_SIGNATURE_TEXT_SIZE (2 + 2 * 96 + 1)
MUST_USE bool signer_sign(const struct signer_target *target, const char *public_key, struct view request,
			  char ret_signature[SIGNER_SIGNATURE_TEXT_SIZE], struct error *error);
