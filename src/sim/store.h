/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the simulator remembers from run to run, in one SQLite file of mode 0600: KMS keys with their policies, the access keys
 * it has given out, and a few settings. Safe to use from several threads.
 */
#pragma once

#include "aws/credentials.h"

#define SIM_KEY_ID_SIZE 37 /* a UUID in text and a NUL */
#define SIM_ARN_SIZE 256
#define SIM_KEY_MATERIAL_SIZE 32
#define SIM_DESCRIPTION_MAX_SIZE 8192 /* KMS's limit */

struct sim_store;

struct sim_key {
	char id[SIM_KEY_ID_SIZE];
	struct buffer description;
	struct buffer policy; /* JSON text, as it was put */
	struct secret material;
	uint64_t created_ms;
};

void sim_key_done(struct sim_key *key);
#define AUTO_SIM_KEY CLEANUP(sim_key_done)

/* Who an access key belongs to. */
struct sim_identity {
	struct credentials credentials;
	char principal_arn[SIM_ARN_SIZE]; /* user or role */
	char session_arn[SIM_ARN_SIZE];   /* of an assumed role; "" for a user */
};

void sim_identity_done(struct sim_identity *identity);
#define AUTO_SIM_IDENTITY CLEANUP(sim_identity_done)

/* The ARN that AWS puts into messages: the session's, else the user's. */
static inline const char *sim_identity_arn(const struct sim_identity *identity)
{
	return identity->session_arn[0] ? identity->session_arn : identity->principal_arn;
}

/* Open or make the file. NULL on failure. */
MUST_USE struct sim_store *sim_store_open(const char *path, struct error *error);
void sim_store_free(struct sim_store *store);

MUST_USE bool sim_store_add_key(struct sim_store *store, const struct sim_key *key, struct error *error);
/* ERROR_NOT_FOUND when there is none; so below. */
MUST_USE bool sim_store_find_key(struct sim_store *store, const char *id, struct sim_key *ret_key, struct error *error);
MUST_USE bool sim_store_set_policy(struct sim_store *store, const char *id, struct view policy, struct error *error);

MUST_USE bool sim_store_add_identity(struct sim_store *store, const struct sim_identity *identity, struct error *error);
MUST_USE bool sim_store_find_identity(struct sim_store *store, const char *access_key_id, struct sim_identity *ret_identity,
				      struct error *error);
/* The access key of `principal_arn` that lasts longest (one without expiry lasts longest of all). */
MUST_USE bool sim_store_find_identity_of(struct sim_store *store, const char *principal_arn, struct sim_identity *ret_identity,
					 struct error *error);
/* Forget access keys that expired before at_ms. */
MUST_USE bool sim_store_remove_expired(struct sim_store *store, uint64_t at_ms, struct error *error);

MUST_USE bool sim_store_set(struct sim_store *store, const char *name, struct view value, struct error *error);
MUST_USE bool sim_store_get(struct sim_store *store, const char *name, struct secret *ret_value, struct error *error);
