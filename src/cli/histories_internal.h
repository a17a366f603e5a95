/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of history_source; for cli/histories*.c. */
#pragma once

#include "cli/histories.h"

struct history_source_kind {
	bool (*read)(struct history_source *source, const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE], size_t count,
		     struct histories *histories, struct error *error);
	bool (*import)(struct history_source *source, const struct interchange *interchange, struct history_counts *counts,
		       struct error *error);
	bool (*begin)(struct history_source *source, const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE], size_t count,
		      struct history_counts *counts, struct error *error);
	/* wanted NULL: it is only read */
	bool (*high)(struct history_source *source, const struct high_watermark *wanted, struct high_watermark *ret_high,
		     struct error *error);
	void (*free)(struct history_source *source);
};

struct history_source {
	const struct history_source_kind *kind;
	struct slashing_store *store; /* NULL: a running signer's */
	struct history_table *table;  /* what a store in DynamoDB borrows; owned; else NULL */
};

/* Room for so many more. */
void histories_reserve(struct histories *histories, size_t more);

struct history_source *history_source_of_control(const struct address *address);
/* `table` of the place is set. */
struct history_source *history_source_of_table(const struct history_place *place, const struct network *network,
					       struct error *error);
void history_table_free(struct history_table *table); /* accepts NULL */
/* Takes the store. */
struct history_source *history_source_of_store(struct slashing_store *store);
