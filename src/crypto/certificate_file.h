/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and public keys that the operator keeps in PEM files. */
#pragma once

#include "base/bytes.h"
#include "crypto/x509_cleanup.h"

/* The first certificate of a file. NULL with ERROR_INPUT; caller frees. */
MUST_USE X509 *certificate_file_read(const char *path, struct error *error);
/* A file of at most max_size bytes that has certificates in it, appended as it is. ERROR_INPUT. */
MUST_USE bool certificate_bundle_read(const char *path, size_t max_size, struct buffer *ret_pem, struct error *error);
/* The SubjectPublicKeyInfo (DER) of a "PUBLIC KEY" file; ERROR_INPUT. */
MUST_USE bool public_key_file_read(const char *path, struct buffer *ret_spki, struct error *error);
/* A private key that is not encrypted. NULL with ERROR_INPUT; caller frees. */
MUST_USE EVP_PKEY *private_key_file_read(const char *path, struct error *error);
