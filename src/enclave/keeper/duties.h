/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the slashing rules have to do with the keeper's messages, and what the keeper remembers of a key's duties. Pure.
 *
 * Memory is the second line behind the store: of two duties that contradict each other one enclave signs at most one, whatever its store says.
 * So a duty counts from the moment that the ledger is asked (`asked`), and for ever if its signature was released, or might yet turn out to
 * have been recorded (`known`). One that the store clearly refused was never signed and leaves nothing behind: it may have been refused
 * because another enclave signed a different one in its place, whose repeats are as good here as there.
 */
#pragma once

#include "enclave/messages.h"

/* The commit that asks the ledger to make this duty durable. */
void duty_fill_commit(struct message_commit *commit, const struct message_sign *request, enum duty duty,
		      const uint8_t signing_root[ROOT_SIZE], uint64_t id);
struct duty_memory {
	struct watermark known; /* released, or in doubt, or known of elsewhere */
	struct watermark asked; /* means something while asked_count > 0; not below what any of those asks for */
	uint32_t asked_count;   /* the ledger owes so many answers on this key */
};

/* Against a watermark. */
enum slashing_verdict duty_check(const struct watermark *watermark, const struct message_commit *commit);
/* Against all that is remembered. Of a refusal, *ret_last is the watermark that is in the way. */
enum slashing_verdict duty_memory_check(const struct duty_memory *memory, const struct message_commit *commit,
					const struct watermark **ret_last);
/* The ledger is asked: of a duty that the check lets pass. One duty_memory_answered() belongs to it. */
void duty_memory_ask(struct duty_memory *memory, const struct message_commit *commit);
/* The ledger has answered. is_signed: the signature leaves now, or the store may have recorded it in spite of its answer. */
void duty_memory_answered(struct duty_memory *memory, const struct message_commit *commit, bool is_signed);
/* A duty that was not asked for in time, and counts as signed. */
void duty_memory_add(struct duty_memory *memory, const struct message_commit *commit);
bool duty_is_above(const struct high_watermark *high, const struct message_commit *commit);
/* What was asked and what had been signed, for the message to the client. */
void duty_fill_numbers(struct message_sign_result *result, const struct message_commit *asked, const struct watermark *last);
/* What the store knows, after a restart or because another enclave signed, into what memory knows: the higher of the two. */
void duty_merge(struct watermark *ours, const struct watermark *stored);
