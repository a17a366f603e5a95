/* SPDX-License-Identifier: Apache-2.0 */
/* A simulator in a temporary folder, for the tests of its services. */
#pragma once

#include "aws/kms.h"
#include "sim/simulator.h"
#include "vectors.h"

#define NO_CONTEXT ((struct kms_context){0})
#define FLEET ((struct kms_context){"fleet", "blue"})

struct sim_fixture {
	char folder[64];
	struct simulator *simulator;
	struct buffer ca;
	char kms_authority[64]; /* localhost:PORT */
	struct credentials operator, role;
	struct kms_client as_operator, as_role;
};

/* cmocka group set-up and tear-down; *state is a struct sim_fixture. */
int sim_fixture_setup(void **state);
int sim_fixture_teardown(void **state);
/* A member of endpoints.json. */
const char *sim_fixture_endpoint(const struct sim_fixture *fixture, const char *member);
/* A new key with the default policy. */
void sim_fixture_make_key(const struct sim_fixture *fixture, char ret_arn[KMS_ARN_SIZE]);
/* Encrypt `text` as the operator. */
void sim_fixture_seal(const struct sim_fixture *fixture, const char *arn, struct kms_context context, const char *text,
		      struct buffer *ret_ciphertext);
/* One raw call; NULL when it was refused. The caller releases the answer. */
json_t *sim_fixture_call(const struct kms_client *client, const char *operation, const char *body, struct aws_failure *ret_failure,
			 struct error *error);
/* Removes a folder and the files in it. */
void remove_folder(const char *folder);
