/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/duties.h"

void duty_fill_numbers(struct message_sign_result *result, const struct message_commit *asked, const struct watermark *last)
{
	result->asked_slot = asked->slot;
	result->asked_source = asked->source_epoch;
	result->asked_target = asked->target_epoch;
	result->last_slot = last->block_slot;
	result->last_source = last->source_epoch;
	result->last_target = last->target_epoch;
}

enum slashing_verdict duty_check(const struct watermark *watermark, const struct message_commit *commit)
{
	if (commit->duty == DUTY_BLOCK)
		return slashing_check_block(watermark, commit->slot, commit->signing_root);
	return slashing_check_attestation(watermark, commit->source_epoch, commit->target_epoch, commit->signing_root);
}

bool duty_is_above(const struct high_watermark *high, const struct message_commit *commit)
{
	if (commit->duty == DUTY_BLOCK)
		return slashing_is_block_above(high, commit->slot);
	return slashing_is_attestation_above(high, commit->source_epoch, commit->target_epoch);
}

static void record(struct watermark *watermark, const struct message_commit *commit)
{
	if (commit->duty == DUTY_BLOCK)
		slashing_record_block(watermark, commit->slot, commit->signing_root);
	else
		slashing_record_attestation(watermark, commit->source_epoch, commit->target_epoch, commit->signing_root);
}

void duty_fill_commit(struct message_commit *commit, const struct message_sign *request, enum duty duty,
		      const uint8_t signing_root[ROOT_SIZE], uint64_t id)
{
	message_init(commit, MESSAGE_COMMIT, id);
	commit->duty = duty;
	memcpy(commit->public_key, request->public_key, sizeof commit->public_key);
	memcpy(commit->genesis_validators_root, request->fork_info.genesis_validators_root, ROOT_SIZE);
	memcpy(commit->signing_root, signing_root, ROOT_SIZE);
	if (duty == DUTY_BLOCK) {
		commit->slot = request->object.block.slot;
		return;
	}
	commit->source_epoch = request->object.attestation.source.epoch;
	commit->target_epoch = request->object.attestation.target.epoch;
}

/* The store knows more than our memory does: after a restart, or because another enclave signed. Believe the higher of the two. */
void duty_merge(struct watermark *ours, const struct watermark *stored)
{
	struct watermark later = *ours;
	uint64_t source_epoch = ours->source_epoch > stored->source_epoch ? ours->source_epoch : stored->source_epoch;

	if (stored->has_block && (!ours->has_block || stored->block_slot > ours->block_slot))
		slashing_record_block(ours, stored->block_slot, stored->block_root);
	if (!stored->has_attestation)
		return;
	if (!ours->has_attestation || stored->target_epoch > ours->target_epoch)
		later = *stored;
	slashing_record_attestation(ours, source_epoch, later.target_epoch, later.attestation_root);
}

/*
 * A duty that passes one of the two as a repeat may still be in the way of the other. While nothing is asked for, what was asked last means
 * nothing.
 */
enum slashing_verdict duty_memory_check(const struct duty_memory *memory, const struct message_commit *commit,
					const struct watermark **ret_last)
{
	enum slashing_verdict verdict = duty_check(&memory->known, commit);

	*ret_last = &memory->known;
	if (verdict > SLASHING_REPEAT || memory->asked_count == 0)
		return verdict;
	*ret_last = &memory->asked;
	return duty_check(&memory->asked, commit);
}

void duty_memory_ask(struct duty_memory *memory, const struct message_commit *commit)
{
	if (memory->asked_count++ == 0)
		memory->asked = (struct watermark){0};
	if (duty_check(&memory->asked, commit) == SLASHING_SAFE)
		record(&memory->asked, commit);
}

/* By maxima and without a root where two differ: answers may come in any order, and histories in between. */
void duty_memory_add(struct duty_memory *memory, const struct message_commit *commit)
{
	struct watermark signed_now = {0};

	record(&signed_now, commit);
	slashing_raise(&memory->known, &signed_now);
}

void duty_memory_answered(struct duty_memory *memory, const struct message_commit *commit, bool is_signed)
{
	memory->asked_count--;
	if (is_signed)
		duty_memory_add(memory, commit);
}
