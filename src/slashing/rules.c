/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/rules.h"

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
