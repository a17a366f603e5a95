/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keeper can sign: one const table, by artifact type. The keeper computes domain and signing root itself from the typed
 * request, and the object root too wherever the object fits a message, so a compromised frontend cannot turn one type into another or
 * choose a domain. Where the frontend merkleized the object (struct merkleized_object), it could have any root signed, but only
 * under the domain of that type: none of them is a proposer's or an attester's.
 *
 * The fork version in the domain is, by type (see docs/decisions/0006-artifacts.md):
 *   fork_info            previous_version before fork.epoch, current_version from it on, as the request says;
 *   EIP-7044 (exits)     as Web3Signer does: the measured network's Capella version when that network is in Deneb or later at the exit's
 *                        own epoch, else fork_info. The chain takes only Capella since Deneb, so an exit that names an
 *                        epoch before Deneb is good only with a fork_info of Capella;
 *   genesis of network   registrations and request auths, without a genesis validators root;
 *   genesis of request   deposits, likewise (a deposit may be made before its network has started).
 */
#pragma once

#include "enclave/messages.h"

struct keeper_artifact {
	const uint8_t *domain_type;
	/* The epoch whose fork signs. NULL where no fork does: the version is a genesis version. */
	uint64_t (*epoch)(const struct message_sign *request, const struct network *network);
	const uint8_t *(*fork_version)(const struct message_sign *request, const struct network *network, uint64_t epoch);
	void (*object_root)(const struct message_sign *request, uint8_t ret_root[ROOT_SIZE]);
	enum duty duty; /* 0: not slashable */
};

/* NULL for a type that is not in the table. */
const struct keeper_artifact *keeper_artifact_find(uint32_t artifact_type);
void keeper_signing_root(const struct keeper_artifact *artifact, const struct message_sign *request, const struct network *network,
			 uint8_t ret_signing_root[ROOT_SIZE]);
