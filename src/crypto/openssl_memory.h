/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL wipes what it holds as a key object, but when it reads or writes a private key (PKCS#8, PKCS#12) it leaves the DER in
 * several blocks of the ordinary heap that it frees as they are. A process that does that calls this first thing in main().
 */
#pragma once

#include "base/error.h"

/* Let OpenSSL wipe all memory that it frees. ERROR_BUG when it has allocated already: the change would come too late. */
MUST_USE bool openssl_use_wiping_memory(struct error *error);
