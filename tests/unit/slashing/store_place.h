/* SPDX-License-Identifier: Apache-2.0 */
/* A slashing store in a folder of its own, for the tests of the store. */
#pragma once

#include "slashing/store.h"
#include "vectors.h"

struct place {
	char folder[64];
	int fd;
};

/* The test's state is a struct place. */
int make_place(void **state);
int remove_place(void **state);
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

/* Fail the test when the store does not open. */
struct slashing_store *open_store(const struct place *place);
struct slashing_store *open_learning_store(const struct place *place);
/* On the file, while no store has it open. */
void run_sql(const struct place *place, const char *sql);

struct store_commit block(uint8_t key, uint64_t slot, uint8_t root);
struct store_commit attestation(uint8_t key, uint64_t source, uint64_t target, uint8_t root);
/* Under a root of these bytes. */
struct store_commit on_chain(uint8_t chain, struct store_commit commit);
struct store_result commit(struct slashing_store *store, struct store_commit asked);
