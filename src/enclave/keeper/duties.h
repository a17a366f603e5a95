/* SPDX-License-Identifier: Apache-2.0 */
/* What the slashing rules have to do with the keeper's messages. Pure. */
#pragma once

#include "enclave/messages.h"

/* The commit that asks the ledger to make this duty durable. */
void duty_fill_commit(struct message_commit *commit, const struct message_sign *request, enum duty duty,
		      const uint8_t signing_root[ROOT_SIZE], uint64_t id);
enum slashing_verdict duty_check(const struct watermark *watermark, const struct message_commit *commit);
bool duty_is_above(const struct high_watermark *high, const struct message_commit *commit);
/* What a SAFE verdict allowed. */
void duty_record(struct watermark *watermark, const struct message_commit *commit);
/* What was asked and what had been signed, for the message to the client. */
void duty_fill_numbers(struct message_sign_result *result, const struct message_commit *asked, const struct watermark *last);
/* What the store knows, after a restart or because another enclave signed, into what memory knows: the higher of the two. */
void duty_merge(struct watermark *ours, const struct watermark *stored);
