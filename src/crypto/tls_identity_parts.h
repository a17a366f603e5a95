/* SPDX-License-Identifier: Apache-2.0 */
/* What tls_identity.c and tls_identity_create.c share. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/cms.h" // AUTO_PKEY
#include "crypto/tls_identity.h"
#include "crypto/x509_cleanup.h"

/* PKCS#8 DER; NULL and ERROR_INPUT when it is not that, and nothing else. */
MUST_USE EVP_PKEY *tls_identity_read_key(struct view der, struct error *error);
/* Append the PEM of one certificate. */
MUST_USE bool tls_identity_append_pem(X509 *certificate, struct buffer *ret_pem, struct error *error);
/* An identity of this key and these certificates, leaf first; ERROR_INPUT when either is larger than the limits of the header. */
MUST_USE bool tls_identity_assemble(EVP_PKEY *key, STACK_OF(X509) * chain, struct tls_identity *ret_identity, struct error *error);
/*
 * The identity of a key and its certificate: checks the key's kind and size and puts the chain in order, out of `pool` what belongs on
 * it. Takes certificates out of the pool; key and leaf stay the caller's.
 */
MUST_USE bool tls_identity_of_parts(EVP_PKEY *key, X509 *leaf, STACK_OF(X509) * pool, struct tls_identity *ret_identity,
				    struct error *error);
