/* SPDX-License-Identifier: Apache-2.0 */
/* For the roles that have to do with the world outside: what the measured configuration says, and the relay that leads there. */
#pragma once

#include "enclave/role.h"
#include "image/configuration.h"
#include "net/address.h"

/* The measured configuration, for roles that have ROLE_FD_CONFIGURATION, which is closed afterwards. */
MUST_USE bool role_read_configuration(struct configuration *ret_configuration, struct error *error);
/*
 * A relay's address from an option of this name. A path too long for a socket's name is reached through its folder, which the sandbox would
 * not let the role open any more: so the role moves into that folder and keeps the name alone. For one relay a role.
 */
MUST_USE bool role_parse_relay(const char *option, const char *text, struct address *ret_address, struct error *error);
