/* SPDX-License-Identifier: Apache-2.0 */
/* Scoped release of OpenSSL's certificates. */
#pragma once

#include <openssl/x509.h>

#include "base/cleanup.h"

static inline void x509_done(X509 **certificate)
{
	X509_free(*certificate);
	*certificate = NULL;
}

static inline void x509_stack_done(STACK_OF(X509) * *certificates)
{
	sk_X509_pop_free(*certificates, X509_free);
	*certificates = NULL;
}

#define AUTO_X509 CLEANUP(x509_done)
#define AUTO_X509_STACK CLEANUP(x509_stack_done)
