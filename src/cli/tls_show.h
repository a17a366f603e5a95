/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `ensign tls` print of an identity. */
#pragma once

#include "cli/tls_rows.h"

/*
 * {"names","issuer","not_before","not_after","certificate_sha256","public_key_sha256","sealed","born_inside"}, or null; a new reference. NULL on
 * failure. born_inside: true when an attestation says so (then with "born_pcr0"), false when the key cannot have been, null when nobody knows.
 */
MUST_USE json_t *tls_json_of(struct inventory *inventory, const struct tls_identity_row *row, struct error *error);
void tls_print(const char *title, json_t *object);
