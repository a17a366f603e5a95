/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `ensign tls` print of an identity. */
#pragma once

#include "cli/tls_rows.h"

/* {"names","issuer","not_before","not_after","certificate_sha256","public_key_sha256"}, or null; a new reference. NULL on failure. */
MUST_USE json_t *tls_json_of(const struct tls_identity_row *row, struct error *error);
void tls_print(const char *title, json_t *object);
