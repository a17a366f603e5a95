/* SPDX-License-Identifier: Apache-2.0 */
/* What an implementation of the slashing store provides. Arguments and results are those of slashing/store.h. */
#pragma once

#include "slashing/store.h"

struct store_operations {
	void (*use_root)(struct slashing_store *store, const uint8_t genesis_validators_root[ROOT_SIZE]);
	bool (*learn_root)(struct slashing_store *store, struct error *error);
	bool (*commit)(struct slashing_store *store, const struct store_commit *commits, size_t count,
		       struct store_result *ret_results, struct error *error);
	bool (*history)(struct slashing_store *store, const struct store_history *histories, size_t count,
			struct store_history_result *ret_results, struct error *error);
	bool (*high)(struct slashing_store *store, uint64_t max_age_ms, struct high_watermark *ret_high, struct error *error);
	bool (*list_retired)(struct slashing_store *store, size_t max, struct buffer *ret_keys, struct error *error);
	bool (*prune)(struct slashing_store *store, size_t *ret_removed, struct error *error); /* NULL: there is nothing to prune */
	void (*free)(struct slashing_store *store);
};

/* First member of every implementation's struct. */
struct slashing_store {
	const struct store_operations *operations;
};

bool store_is_above(const struct store_commit *commit, const struct high_watermark *high);
/* What the rules say of a commit under what is stored. */
enum slashing_verdict store_check(const struct store_commit *commit, const struct watermark *watermark);
