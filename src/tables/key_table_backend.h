/* SPDX-License-Identifier: Apache-2.0 */
/* What an implementation of the key table provides. Rows that reach it were checked; arguments are those of key_table.h. */
#pragma once

#include "tables/key_table.h"

struct key_table_operations {
	bool (*list)(struct key_table *table, const char *web3signer_uuid, bool only_active, struct key_rows *ret_rows,
		     struct error *error);
	bool (*put)(struct key_table *table, const struct key_row *rows, size_t count, bool replace, struct error *error);
	bool (*reseal)(struct key_table *table, struct key_reseal *reseals, size_t count, struct error *error);
	bool (*set_active)(struct key_table *table, const char *web3signer_uuid, const char *pubkey, bool is_active,
			   struct error *error);
	bool (*assign)(struct key_table *table, const char *web3signer_uuid, const char *pubkey, const char *to_uuid,
		       struct error *error);
	bool (*remove)(struct key_table *table, const char *web3signer_uuid, const char *pubkey, struct error *error);
	void (*free)(struct key_table *table);
};

/* First member of every implementation's struct. */
struct key_table {
	const struct key_table_operations *operations;
};

/* A column whose text is owned by the row and may be absent. */
struct key_column {
	const char *name;
	size_t offset; /* of the char * in struct key_row */
	size_t max_size;
};

#define KEY_COLUMNS 5
extern const struct key_column key_columns[KEY_COLUMNS];

static inline char **key_column_text(struct key_row *row, const struct key_column *column)
{
	return (char **)(void *)((char *)row + column->offset);
}

static inline const char *key_column_value(const struct key_row *row, const struct key_column *column)
{
	return *(char *const *)(const void *)((const char *)row + column->offset);
}

/* 96 lower-case hex digits. */
MUST_USE bool key_pubkey_is_valid(const char *pubkey);

/* A row that was read has a key in it. Both forms are well: the sealed one is taken. ERROR_INPUT names the column that is missing. */
MUST_USE bool key_row_check_form(const struct key_row *row, struct error *error);

/* Append a row (moved, `row` is left empty). ERROR_INPUT above KEY_TABLE_ROWS_MAX. `capacity` starts as 0. */
MUST_USE bool key_rows_append(struct key_rows *rows, size_t *capacity, struct key_row *row, struct error *error);
void key_rows_append_problem(struct key_rows *rows, const char *pubkey, const struct error *reason);
