/* SPDX-License-Identifier: Apache-2.0 */
/* The two identities of the simulated account: the operator with a long-lived access key, and the instance's role with temporary ones. */
#pragma once

#include "sim/store.h"

/* Like a role on EC2: six hours, and new ones are given out well before the old ones end. */
#define ROLE_CREDENTIALS_LIFETIME_MS (6ull * 3600 * 1000)
#define ROLE_CREDENTIALS_RENEW_MS (1ull * 3600 * 1000)

/* The operator's access key, made on the first call. */
MUST_USE bool identities_operator(struct sim_store *store, const char *user_arn, struct sim_identity *ret_identity,
				  struct error *error);
/* The role's current credentials at now_ms, made when there are none or the last ones end within ROLE_CREDENTIALS_RENEW_MS. */
MUST_USE bool identities_role(struct sim_store *store, const char *role_arn, const char *instance_id, uint64_t now_ms,
			      struct sim_identity *ret_identity, struct error *error);
