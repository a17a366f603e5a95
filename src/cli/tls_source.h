/* SPDX-License-Identifier: Apache-2.0 */
/* An operator's own TLS identity, in files. */
#pragma once

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
