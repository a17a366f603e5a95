/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS identity of a local signer: one that `up` makes, with a CA of its own, or the operator's. Sealed under KMS, it lies in the TLS
 * table; ca.pem in the folder is what clients trust.
 */
#pragma once

#include "cli/local_setup.h"
#include "crypto/tls_identity.h"

/* Where the operator's own identity is: the first two or the last two; all NULL: not given. */
struct tls_source {
	const char *keystore; /* PKCS#12; TLS_SOURCE_NONE: back to one that `up` makes */
	const char *password_file;
	const char *certificate; /* PEM, with its chain in any order */
	const char *key;         /* PEM, not encrypted */
};

#define TLS_SOURCE_NONE "none"

/* ERROR_INPUT names the option. *ret_identity is {0} when none is given, or NONE. */
MUST_USE bool tls_source_read(const struct tls_source *source, struct tls_identity *ret_identity, struct error *error);
/* Whether the table holds this identity already. */
MUST_USE bool local_tls_is_there(const struct local_folder *folder, const struct tls_identity *identity);
/*
 * With `own` (settings.tls_is_own): seals it, and ca.pem becomes the last certificate of its chain. Else CA, certificate and key for
 * localhost, 127.0.0.1, ::1 and the listen host, made anew when the host changed or they get old. `own` may be {0}: the
 * operator's identity of last time stays.
 */
MUST_USE bool local_setup_tls(const struct local_setup *setup, const struct tls_identity *own, struct error *error);
