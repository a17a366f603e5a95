/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp filters, one a role: what a role does not need kills the process (SECCOMP_RET_KILL_PROCESS). One table lists who may
 * call what. Entered after a role has made its threads and opened its files, before it reads the first outside byte.
 */
#pragma once

#include "base/error.h"

enum sandbox_role {
	SANDBOX_INIT,
	SANDBOX_FRONTEND,
	SANDBOX_KEEPER,
	SANDBOX_LEDGER,        /* with the embedded store */
	SANDBOX_LEDGER_REMOTE, /* with a table */
	SANDBOX_CONTROL,
	SANDBOX_OPENER,
	SANDBOX_ATTESTER,
	SANDBOX_ROLE_COUNT,
};

/* Applies to all threads of the process, for good. */
MUST_USE bool sandbox_enter(enum sandbox_role role, struct error *error);
