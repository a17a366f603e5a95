/* SPDX-License-Identifier: Apache-2.0 */
/* A simulator in a temporary folder, for the tests of its services. */
#pragma once

#include "aws/kms.h"
#include "sim/simulator.h"
#include "vectors.h"

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
/* Removes a folder and the files in it. */
void remove_folder(const char *folder);
