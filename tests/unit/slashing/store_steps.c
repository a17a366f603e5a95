/* SPDX-License-Identifier: Apache-2.0 */
#include "store_place.h"

struct slashing_store *open_on_chain(const struct place *place, uint8_t chain)
{
	struct slashing_store *store = open_store(place);
	uint8_t root[ROOT_SIZE];

	memset(root, chain, sizeof root);
	slashing_store_use_root(store, root);
	return store;
}

struct store_commit block(uint8_t key, uint64_t slot, uint8_t root)
{
	return (struct store_commit){
		.duty = STORE_DUTY_BLOCK, .public_key = {key}, .slot = slot, .signing_root = {root}, .may_begin = true};
}

struct store_commit attestation(uint8_t key, uint64_t source, uint64_t target, uint8_t root)
{
	return (struct store_commit){.duty = STORE_DUTY_ATTESTATION,
				     .public_key = {key},
				     .source_epoch = source,
				     .target_epoch = target,
				     .signing_root = {root},
				     .may_begin = true};
}

struct store_commit known(struct store_commit commit)
{
	commit.may_begin = false;
	return commit;
}

struct store_commit on_chain(uint8_t chain, struct store_commit commit)
{
	memset(commit.genesis_validators_root, chain, ROOT_SIZE);
	return commit;
}

struct store_result commit(struct slashing_store *store, struct store_commit asked)
{
	struct store_result result = {.outcome = STORE_FAILED};
	struct error error = {0};

	assert_ok(slashing_store_commit(store, &asked, 1, &result, &error), &error);
	return result;
}

struct store_history act(uint8_t key, enum store_action action)
{
	return (struct store_history){.action = action, .public_key = {key}};
}

struct store_history raise_to(uint8_t key, uint8_t chain, struct watermark watermark)
{
	struct store_history history = {.action = STORE_RAISE, .public_key = {key}, .watermark = watermark};

	memset(history.genesis_validators_root, chain, ROOT_SIZE);
	return history;
}

struct store_history_result ask(struct slashing_store *store, struct store_history asked)
{
	struct store_history_result result = {.outcome = STORE_FAILED};
	struct error error = {0};

	assert_ok(slashing_store_history(store, &asked, 1, &result, &error), &error);
	return result;
}

void assert_watermark(struct store_history_result result, const struct watermark *expected)
{
	assert_int_equal(result.watermark.has_block, expected->has_block);
	assert_int_equal(result.watermark.block_slot, expected->block_slot);
	assert_memory_equal(result.watermark.block_root, expected->block_root, ROOT_SIZE);
	assert_int_equal(result.watermark.has_attestation, expected->has_attestation);
	assert_int_equal(result.watermark.source_epoch, expected->source_epoch);
	assert_int_equal(result.watermark.target_epoch, expected->target_epoch);
	assert_memory_equal(result.watermark.attestation_root, expected->attestation_root, ROOT_SIZE);
}
