/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where what was signed is kept, and who may say that nothing was. A part of the measured configuration:
 *
 *   "slashing": {"store": "dynamodb", "table": "SlashingProtection", "host": "dynamodb.us-east-1.amazonaws.com",
 *                "credentials": "sealed", "first_use": "operator", "quiet_period_s": 0}
 *
 * Absent, the store is embedded, first_use is operator and there is no quiet period.
 *
 * store           embedded: a file of the ledger's own. dynamodb: a table that a fleet shares (members table, host, credentials).
 * credentials     parent: those that the parent instance gives the enclave for KMS, so the parent can change the table as well.
 *                 sealed: a pair of their own, encrypted for this image, which the parent never sees.
 * first_use       Who may say that a key without any history may sign: operator: only who has the key manager's token, or writes the table
 *                 itself. host: the parent too, over the control channel (a laptop).
 * quiet_period_s  A key without history may sign this long after it was loaded, whatever anybody said. 0: never.
 */
#pragma once

#include "base/json.h"

/* DynamoDB's own limit is 255 characters. */
#define SLASHING_TABLE_SIZE 256
#define SLASHING_HOST_SIZE 256
/* A week: whoever waits longer for a first signature can just as well say that the key is new. */
#define SLASHING_QUIET_PERIOD_MAX_S 604800

struct slashing_settings {
	bool uses_dynamodb;
	char table[SLASHING_TABLE_SIZE]; /* dynamodb */
	char host[SLASHING_HOST_SIZE];   /* dynamodb: the name its certificate must carry; host or host:port */
	bool has_sealed_credentials;
	bool host_may_begin;
	uint32_t quiet_period_s;
};

bool slashing_settings_equal(const struct slashing_settings *a, const struct slashing_settings *b);
/* Reads the member of a configuration, if it is there. */
MUST_USE bool slashing_settings_read(json_t *configuration, struct slashing_settings *ret_settings, struct error *error);
/* The member's value. */
json_t *slashing_settings_json_new(const struct slashing_settings *settings);
/* The member with a comma and a line end behind it, or nothing when all is as it is without. */
void slashing_settings_write(const struct slashing_settings *settings, struct buffer *ret_json);
