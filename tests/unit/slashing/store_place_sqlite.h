/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the SQLite store do beside what every store does. */
#pragma once

#include "store_place.h"

struct place {
	char folder[64];
	int fd;
};

struct slashing_store *open_learning_store(const struct place *place);
/* On the file, while no store has it open. */
void run_sql(const struct place *place, const char *sql);
