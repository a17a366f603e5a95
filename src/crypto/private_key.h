/* SPDX-License-Identifier: Apache-2.0 */
/* A private key as operators have it in a file. */
#pragma once

#include <openssl/evp.h>

#include "base/bytes.h"

/*
 * PKCS#8 or the traditional form, in PEM, not encrypted; the caller frees it. NULL: there is none, or it is encrypted (*ret_is_encrypted), for nobody is
 * asked for a password.
 */
MUST_USE EVP_PKEY *private_key_from_pem(struct view pem, bool *ret_is_encrypted);
