/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the key manager's clients wait for the host to do: store the keys that they gave the enclave, and set those inactive that they
 * deleted. The enclave says so when it is asked for its state. Blocking, as the provisioner is; both end with a reload.
 */
#pragma once

#include "host/control_client.h"
#include "host/settings.h"

/*
 * For imports: give the enclave a data key of the key table, write the rows that it answers with into the table, and reload. A table
 * without any sealed row has no data key; the enclave is told so, and its clients are.
 */
MUST_USE bool manager_import(const struct settings *settings, const struct address *control, struct control_state *ret_state,
			     struct error *error);
/* For deletions: set the rows of `state->forget` inactive, tell the enclave that they are, and reload. Rows that are not there are no error. */
MUST_USE bool manager_forget(const struct settings *settings, const struct address *control, const struct control_state *state,
			     struct control_state *ret_state, struct error *error);
