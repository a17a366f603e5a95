/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keeper can sign: one const table, by artifact type. The keeper computes object root, domain and signing root itself from
 * the typed request, so a compromised frontend cannot turn one type into another or choose a domain.
 */
#pragma once

#include "enclave/messages.h"

struct keeper_artifact {
	const uint8_t *domain_type;
	/* The epoch whose fork signs. */
	uint64_t (*epoch)(const struct message_sign *request, const struct network *network);
	void (*object_root)(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE]);
	enum duty duty; /* 0: not slashable */
	bool is_urgent; /* proposals: latency is all, so they overtake attestations in the queue */
};

/* NULL for a type that is not in the table. */
const struct keeper_artifact *keeper_artifact_find(uint32_t artifact_type);
void keeper_signing_root(const struct keeper_artifact *artifact, const struct message_sign *request, const struct network *network,
			 uint8_t ret_signing_root[ROOT_SIZE]);
