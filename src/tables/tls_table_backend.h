/* SPDX-License-Identifier: Apache-2.0 */
/* What an implementation of the TLS table provides. Rows that reach it were checked; arguments are those of tls_table.h. */
#pragma once

#include "tables/tls_table.h"

struct tls_table_operations {
	bool (*get)(struct tls_table *table, uint64_t key_id, struct tls_row *ret_row, struct error *error);
	bool (*put)(struct tls_table *table, const struct tls_row *row, struct error *error);
	/* *ret_done false: `replaces` is, too, and there is an identity, which was left alone. */
	bool (*put_identity)(struct tls_table *table, const struct tls_row *row, bool replaces, bool *ret_done,
			     struct error *error);
	bool (*put_companions)(struct tls_table *table, const struct tls_row *row, bool *ret_found, struct error *error);
	void (*free)(struct tls_table *table);
};

/* First member of every implementation's struct. */
struct tls_table {
	const struct tls_table_operations *operations;
};
