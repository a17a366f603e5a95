/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS identity of a local signer: one that `up` makes, with a CA of its own, or the operator's. Sealed under KMS, it lies in the TLS
 * table; ca.pem in the folder is what clients trust.
 */
#pragma once

#include "cli/local_setup.h"
#include "crypto/tls_identity.h"

#define LOCAL_TLS_NAMES_MAX 4
/* What a local signer's certificate names when nobody says otherwise. ret_host is the last of them, the host that it listens at, or "". Returns how many. */
size_t local_tls_names(const struct local_settings *settings, char ret_host[LOCAL_LISTEN_SIZE],
		       const char *ret_names[LOCAL_TLS_NAMES_MAX]);
/*
 * What is in the table now is the operator's choice (`ensign tls`): `up` makes no other one in its place, and does not expect it to name the
 * host that the signer listens at, for clients may reach it by a load balancer's name.
 */
MUST_USE bool local_tls_note_chosen(const struct local_folder *folder, struct local_settings *ret_settings, struct error *error);
/* Whether the certificate in the table is for this name, in any letter case. */
bool local_tls_has_name(const struct local_folder *folder, const char *name);
/* Whether the table holds this identity already. */
MUST_USE bool local_tls_is_there(const struct local_folder *folder, const struct tls_identity *identity);
/*
 * With `own` (settings.tls_is_own): seals it, and ca.pem becomes the last certificate of its chain. Else CA, certificate and key for
 * localhost, 127.0.0.1, ::1 and the listen host, made anew when the host changed or they get old. `own` may be {0}: the
 * operator's identity of last time stays.
 */
MUST_USE bool local_setup_tls(const struct local_setup *setup, const struct tls_identity *own, struct error *error);
