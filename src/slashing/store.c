/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/store.h"

#include "slashing/store_backend.h"

void slashing_store_free(struct slashing_store *store)
{
	if (store)
		store->operations->free(store);
}

void slashing_store_use_root(struct slashing_store *store, const uint8_t genesis_validators_root[ROOT_SIZE])
{
	store->operations->use_root(store, genesis_validators_root);
}

bool slashing_store_learn_root(struct slashing_store *store, struct error *error)
{
	return store->operations->learn_root(store, error);
}

bool slashing_store_commit(struct slashing_store *store, const struct store_commit *commits, size_t count,
			   struct store_result *ret_results, struct error *error)
{
	return store->operations->commit(store, commits, count, ret_results, error);
}

bool slashing_store_history(struct slashing_store *store, const struct store_history *histories, size_t count,
			    struct store_history_result *ret_results, struct error *error)
{
	return store->operations->history(store, histories, count, ret_results, error);
}

bool slashing_store_high(struct slashing_store *store, uint64_t max_age_ms, struct high_watermark *ret_high, struct error *error)
{
	return store->operations->high(store, max_age_ms, ret_high, error);
}

bool slashing_store_list_retired(struct slashing_store *store, size_t max, struct buffer *ret_keys, struct error *error)
{
	return store->operations->list_retired(store, max, ret_keys, error);
}

bool slashing_store_prune(struct slashing_store *store, size_t *ret_removed, struct error *error)
{
	if (!store->operations->prune)
		return error_set(error, ERROR_INPUT, "this kind of slashing store has nothing to prune");
	return store->operations->prune(store, ret_removed, error);
}

bool store_is_above(const struct store_commit *commit, const struct high_watermark *high)
{
	if (commit->duty == STORE_DUTY_BLOCK)
		return slashing_is_block_above(high, commit->slot);
	return slashing_is_attestation_above(high, commit->source_epoch, commit->target_epoch);
}

enum slashing_verdict store_check(const struct store_commit *commit, const struct watermark *watermark)
{
	if (commit->duty == STORE_DUTY_BLOCK)
		return slashing_check_block(watermark, commit->slot, commit->signing_root);
	return slashing_check_attestation(watermark, commit->source_epoch, commit->target_epoch, commit->signing_root);
}
