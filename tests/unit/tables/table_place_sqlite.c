/* SPDX-License-Identifier: Apache-2.0 */
#include "temporary_store.h"

#include "table_place.h"

/* So that a test of the file alone can look into it. */
struct place {
	struct temporary_store store;
};

int make_place(void **state)
{
	return temporary_store_make(state);
}

int remove_place(void **state)
{
	return temporary_store_remove(state);
}

struct key_table *open_key_table(const struct place *place)
{
	struct error error = {0};
	struct key_table *table = key_table_open_sqlite(place->store.path, &error);

	assert_ok(table != NULL, &error);
	return table;
}

struct tls_table *open_tls_table(const struct place *place)
{
	struct error error = {0};
	struct tls_table *table = tls_table_open_sqlite(place->store.path, &error);

	assert_ok(table != NULL, &error);
	return table;
}
