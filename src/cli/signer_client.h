/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the signing API for people and for `local up`: https only, the certificate is checked against a given CA file. One
 * exchange a call; validator clients, which keep connections, do not use this.
 */
#pragma once

#include "base/json.h"

struct signer_target {
	char *url;                      /* "https://127.0.0.1:8443", no slash at the end; owned */
	struct buffer ca_pem;           /* what its certificate is checked against */
	struct buffer client_chain_pem; /* the certificate to show; empty: none */
	struct secret client_key_pem;
};

void signer_target_done(struct signer_target *target);
#define AUTO_SIGNER_TARGET CLEANUP(signer_target_done)

/*
 * From --url and --ca. Both NULL: the local signer of the default folder (ERROR_NOT_FOUND when there is none). One of them
 * alone is ERROR_INPUT.
 */
MUST_USE bool signer_target_init(const char *url, const char *ca_file, struct signer_target *ret_target, struct error *error);

/* Show this certificate (--client-cert, with its chain) and use its key (--client-key), PEM files. Both or none, else ERROR_INPUT. */
MUST_USE bool signer_target_use_certificate(struct signer_target *target, const char *certificate_file, const char *key_file,
					    struct error *error);

/* True when it answered 200. */
MUST_USE bool signer_upcheck(const struct signer_target *target, unsigned timeout_ms, struct error *error);
/* A JSON array of "0x…" texts, sorted. Caller releases. NULL on failure. */
MUST_USE json_t *signer_public_keys(const struct signer_target *target, struct error *error);
/*
 * ret_signature: 0x and 192 hex digits. A refusal becomes an error with the server's own message: 412 is ERROR_SLASHABLE,
 * 400 ERROR_INPUT, 404 ERROR_NOT_FOUND.
 */
#define SIGNER_SIGNATURE_TEXT_SIZE (2 + 2 * 96 + 1)
MUST_USE bool signer_sign(const struct signer_target *target, const char *public_key, struct view request,
			  char ret_signature[SIGNER_SIGNATURE_TEXT_SIZE], struct error *error);
