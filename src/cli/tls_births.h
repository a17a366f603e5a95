/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the keys of TLS identities were born. The TLS table says nothing of it, and what it says its parent may have written; so a local
 * signer's folder keeps the enclave's attestation document of each certificate that was made there, and who asks has it verified again.
 */
#pragma once

#include "cli/tls_rows.h"

/* How the key is sealed, by the size of the ciphertext: alone, as KMS made it, or with its certificates, which are larger than any such key. */
bool tls_birth_is_key_alone(const struct tls_row *row);
/* Keeps the document of a chain (PEM), once it was verified. Of a fleet it is not kept. */
MUST_USE bool tls_birth_keep(const struct inventory *inventory, struct view chain_pem, struct view document, struct error *error);
/*
 * Whether the folder has a document that attests this identity, and ret_pcr0 (hex) is the image that made it. A debug enclave's proves nothing,
 * like one that does not verify.
 */
bool tls_birth_find(struct inventory *inventory, const struct tls_identity_row *row, char ret_pcr0[NSM_PCR_TEXT_SIZE]);
