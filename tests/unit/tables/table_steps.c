/* SPDX-License-Identifier: Apache-2.0 */
#include "table_place.h"

struct key_row sealed_row(char digit)
{
	struct key_row row = {.web3signer_uuid = UUID, .chain = "hoodi", .active = true};

	memset(row.pubkey, digit, KEY_TABLE_PUBKEY_SIZE - 1);
	row.datetime = memory_copy_text("2026-11-23T00:39:22Z");
	row.deposit_json_b64 = memory_copy_text("e30=");
	row.sealed_key_b64 = memory_format("sealed %c", digit);
	row.data_key_b64 = memory_copy_text("data key");
	return row;
}

void put_row(struct key_table *table, const struct key_row *row, bool replace)
{
	struct error error = {0};

	assert_ok(key_table_put(table, row, 1, replace, &error), &error);
}

void put_sealed_row(struct key_table *table, char digit)
{
	AUTO_KEY_ROW struct key_row row = sealed_row(digit);

	put_row(table, &row, false);
}

struct key_rows list_rows(struct key_table *table, bool only_active)
{
	struct key_rows rows = {0};
	struct error error = {0};

	assert_ok(key_table_list(table, UUID, only_active, &rows, &error), &error);
	return rows;
}

void assert_row_count(struct key_table *table, size_t count)
{
	AUTO_KEY_ROWS struct key_rows rows = list_rows(table, false);

	assert_int_equal(rows.count, count);
}
