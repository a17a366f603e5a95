/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and public keys that the operator keeps in PEM files. */
#pragma once

#include <openssl/x509.h>

#include "base/bytes.h"

static inline void certificate_done(X509 **certificate)
{
	X509_free(*certificate);
	*certificate = NULL;
}
#define AUTO_CERTIFICATE CLEANUP(certificate_done)

/* The first certificate of a file. NULL with ERROR_INPUT; caller frees. */
MUST_USE X509 *certificate_file_read(const char *path, struct error *error);
/* The SubjectPublicKeyInfo (DER) of a "PUBLIC KEY" file; ERROR_INPUT. */
MUST_USE bool public_key_file_read(const char *path, struct buffer *ret_spki, struct error *error);
