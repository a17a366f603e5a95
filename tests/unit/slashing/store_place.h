/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a slashing store is kept, for the tests that hold for every kind of store: store_place_sqlite.c is a folder with a file,
 * tests/integration/dynamodb/store_place_dynamodb.c a table. A test program is linked with one of them.
 */
#pragma once

#include "slashing/store.h"
#include "vectors.h"

struct place;

/* The test's state is a struct place. */
int make_place(void **state);
int remove_place(void **state);
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

/* Fail the test when the store does not open. */
struct slashing_store *open_store(const struct place *place);
/* For the network whose root has these bytes. */
struct slashing_store *open_on_chain(const struct place *place, uint8_t chain);

/* They allow a key to be fresh, unless known() says that it must not be. */
struct store_commit block(uint8_t key, uint64_t slot, uint8_t root);
struct store_commit attestation(uint8_t key, uint64_t source, uint64_t target, uint8_t root);
struct store_commit known(struct store_commit commit);
/* Under a root of these bytes. */
struct store_commit on_chain(uint8_t chain, struct store_commit commit);
struct store_result commit(struct slashing_store *store, struct store_commit asked);

struct store_history act(uint8_t key, enum store_action action);
struct store_history raise_to(uint8_t key, uint8_t chain, struct watermark watermark);
struct store_history_result ask(struct slashing_store *store, struct store_history asked);
void assert_watermark(struct store_history_result result, const struct watermark *expected);
