/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/rules.h"

static const char *const origin_names[ORIGIN_COUNT] = {
	[ORIGIN_UNKNOWN] = "unknown", [ORIGIN_FRESH] = "fresh", [ORIGIN_IMPORTED] = "imported", [ORIGIN_QUIET] = "quiet"};

const char *history_origin_name(uint32_t origin)
{
	return origin_names[origin < ORIGIN_COUNT ? origin : ORIGIN_UNKNOWN];
}

enum history_origin history_origin_parse(const char *name)
{
	for (size_t i = 0; i < ORIGIN_COUNT; i++) {
		if (strcmp(origin_names[i], name) == 0)
			return (enum history_origin)i;
	}
	return ORIGIN_UNKNOWN;
}

/* An unknown root (all zero, as imported history may have it) is the same message as nothing, not even as another unknown one. */
static bool same_known_root(const uint8_t stored[ROOT_SIZE], const uint8_t signing_root[ROOT_SIZE])
{
	static const uint8_t unknown[ROOT_SIZE];

	return memcmp(stored, unknown, ROOT_SIZE) != 0 && memcmp(stored, signing_root, ROOT_SIZE) == 0;
}

enum slashing_verdict slashing_check_block(const struct watermark *watermark, uint64_t slot, const uint8_t signing_root[ROOT_SIZE])
{
	if (!watermark->has_block || slot > watermark->block_slot)
		return SLASHING_SAFE;
	if (slot == watermark->block_slot && same_known_root(watermark->block_root, signing_root))
		return SLASHING_REPEAT;
	return SLASHING_BLOCK_TOO_LOW;
}

enum slashing_verdict slashing_check_attestation(const struct watermark *watermark, uint64_t source_epoch, uint64_t target_epoch,
						 const uint8_t signing_root[ROOT_SIZE])
{
	if (source_epoch > target_epoch)
		return SLASHING_SOURCE_AFTER_TARGET;
	if (!watermark->has_attestation)
		return SLASHING_SAFE;
	if (source_epoch == watermark->source_epoch && target_epoch == watermark->target_epoch &&
	    same_known_root(watermark->attestation_root, signing_root))
		return SLASHING_REPEAT;
	if (source_epoch < watermark->source_epoch)
		return SLASHING_SOURCE_TOO_LOW;
	if (target_epoch <= watermark->target_epoch)
		return SLASHING_TARGET_TOO_LOW;
	return SLASHING_SAFE;
}

bool slashing_is_block_above(const struct high_watermark *high, uint64_t slot)
{
	return high->has_slot && slot >= high->slot;
}

bool slashing_is_attestation_above(const struct high_watermark *high, uint64_t source_epoch, uint64_t target_epoch)
{
	return high->has_epoch && (source_epoch >= high->epoch || target_epoch >= high->epoch);
}

void slashing_record_block(struct watermark *watermark, uint64_t slot, const uint8_t signing_root[ROOT_SIZE])
{
	watermark->has_block = true;
	watermark->block_slot = slot;
	memcpy(watermark->block_root, signing_root, ROOT_SIZE);
}

void slashing_record_attestation(struct watermark *watermark, uint64_t source_epoch, uint64_t target_epoch,
				 const uint8_t signing_root[ROOT_SIZE])
{
	watermark->has_attestation = true;
	watermark->source_epoch = source_epoch;
	watermark->target_epoch = target_epoch;
	memcpy(watermark->attestation_root, signing_root, ROOT_SIZE);
}

static void forget_if_other(uint8_t root[ROOT_SIZE], const uint8_t other[ROOT_SIZE])
{
	if (memcmp(root, other, ROOT_SIZE) != 0)
		memset(root, 0, ROOT_SIZE);
}

static void raise_block(struct watermark *watermark, const struct watermark *other)
{
	if (!watermark->has_block || other->block_slot > watermark->block_slot)
		slashing_record_block(watermark, other->block_slot, other->block_root);
	else if (other->block_slot == watermark->block_slot)
		forget_if_other(watermark->block_root, other->block_root);
}

/* Whether `higher` alone says what the last attestation was: `lower` has a smaller target and no larger source. */
static bool decides(const struct watermark *higher, const struct watermark *lower)
{
	return higher->target_epoch > lower->target_epoch && higher->source_epoch >= lower->source_epoch;
}

static void raise_attestation(struct watermark *watermark, const struct watermark *other)
{
	if (!watermark->has_attestation || decides(other, watermark)) {
		slashing_record_attestation(watermark, other->source_epoch, other->target_epoch, other->attestation_root);
		return;
	}
	if (decides(watermark, other))
		return;
	if (other->source_epoch == watermark->source_epoch && other->target_epoch == watermark->target_epoch) {
		forget_if_other(watermark->attestation_root, other->attestation_root);
		return;
	}
	watermark->source_epoch = watermark->source_epoch > other->source_epoch ? watermark->source_epoch : other->source_epoch;
	watermark->target_epoch = watermark->target_epoch > other->target_epoch ? watermark->target_epoch : other->target_epoch;
	memset(watermark->attestation_root, 0, ROOT_SIZE);
}

void slashing_raise(struct watermark *watermark, const struct watermark *other)
{
	if (other->has_block)
		raise_block(watermark, other);
	if (other->has_attestation)
		raise_attestation(watermark, other);
}
