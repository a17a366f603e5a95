/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the key table and the TLS table are kept, for the tests that hold for every kind of them: table_place_sqlite.c is a folder with a
 * file, tests/integration/dynamodb/table_place_dynamodb.c two tables. A test program is linked with one of them.
 */
#pragma once

#include "tables/key_table.h"
#include "tables/tls_table.h"
#include "vectors.h"

#define UUID "6b1f4e2a-0c57-4f0e-9d3c-2f4d1b6a7c10"

struct place;

/* The test's state is a struct place. */
int make_place(void **state);
int remove_place(void **state);
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

/* Fail the test when the table does not open. */
struct key_table *open_key_table(const struct place *place);
struct tls_table *open_tls_table(const struct place *place);

/* A sealed row of UUID whose pubkey is 96 times `digit`. Texts are copies, freed by key_row_done(). */
struct key_row sealed_row(char digit);
void put_row(struct key_table *table, const struct key_row *row, bool replace);
void put_sealed_row(struct key_table *table, char digit);
/* Of UUID; the caller frees. */
struct key_rows list_rows(struct key_table *table, bool only_active);
void assert_row_count(struct key_table *table, size_t count);
