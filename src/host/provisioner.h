/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives a fresh enclave what it needs to open its keys: the role's credentials, the sealed TLS identity and the sealed keys.
 * Nothing of that is of use outside an enclave that KMS accepts, but for the credentials, which the host must hold for a moment;
 * they are wiped as soon as they are sent.
 *
 * Blocking: run from a worker thread. Cancelled by ending the enclave (its socket closes) and by setting *cancel.
 */
#pragma once

#include <stdatomic.h>

#include "host/control_client.h"
#include "host/settings.h"

/* Wait until the enclave answers `init_state`, looking ever more rarely; ERROR_PEER when it did not within timeout_ms. */
MUST_USE bool provisioner_wait(const struct address *control, unsigned timeout_ms, const atomic_bool *cancel,
			       struct control_state *ret_state, struct error *error);

/*
 * Read the tables and the credentials and send them: `init` to an enclave that has no keys yet, `reload` to one that has.
 * ERROR_NOT_FOUND when a table or the TLS row is missing; ERROR_POLICY and the like when the enclave or KMS refuses (control_client.h).
 * Without any active key an enclave that has no key manager says ERROR_INPUT.
 */
MUST_USE bool provisioner_run(const struct settings *settings, const struct address *control, struct control_state *ret_state,
			      struct error *error);
/* `credential`: the instance's present credentials, for the slashing table. */
MUST_USE bool provisioner_refresh(const struct settings *settings, const struct address *control, struct control_state *ret_state,
				  struct error *error);
MUST_USE bool provisioner_reload(const struct settings *settings, const struct address *control, struct control_state *ret_state,
				 struct error *error);
