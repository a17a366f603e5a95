/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and public keys that the operator keeps in PEM files. */
#pragma once

#include "base/bytes.h"
#include "crypto/x509_cleanup.h"

/* The first certificate of a file. NULL with ERROR_INPUT; caller frees. */
MUST_USE X509 *certificate_file_read(const char *path, struct error *error);
/* The SubjectPublicKeyInfo (DER) of a "PUBLIC KEY" file; ERROR_INPUT. */
MUST_USE bool public_key_file_read(const char *path, struct buffer *ret_spki, struct error *error);
