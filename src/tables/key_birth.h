/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New validators out of a seed (EIP-2333, EIP-2334): the signing key of an index and the deposit that makes it a validator. The same on the
 * operator's machine and inside the enclave.
 */
#pragma once

#include "eth/deposit.h"
#include "eth/derivation.h"

/* What all of them have in common. */
struct key_birth_plan {
	const struct network *network; /* borrowed */
	uint8_t withdrawal_credentials[ROOT_SIZE];
	uint64_t amount_gwei;
};

/* Credentials 0x01, or with `is_compounding` 0x02. ERROR_INPUT when the amount is not one that such a validator can deposit. */
MUST_USE bool key_birth_plan_init(struct key_birth_plan *plan, const struct network *network,
				  const uint8_t address[EXECUTION_ADDRESS_SIZE], bool is_compounding, uint64_t amount_gwei,
				  struct error *error);

struct key_birth {
	struct secret signing_key;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	struct buffer deposit_json_b64; /* a deposit file (eth/deposit_file.h) of this one deposit */
};

void key_birth_done(struct key_birth *birth);
#define AUTO_KEY_BIRTH CLEANUP(key_birth_done)

/* Validator `index` of the tree, some 5 ms. */
MUST_USE bool key_birth_make(const struct derivation_tree *tree, uint32_t index, const struct key_birth_plan *plan,
			     struct key_birth *ret_birth, struct error *error);
