/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Withdrawal credentials: 32 bytes in a deposit that say where the money may go. Consensus-specs phase0 (0x00), capella (0x01),
 * electra (0x02). Others are refused: a deposit of what no fork defines can be lost. 0xb0, a builder's in gloas, goes to another contract.
 */
#pragma once

#include "crypto/bls.h"
#include "eth/containers.h"

#define GWEI_PER_ETH 1000000000ull

enum withdrawal_prefix {
	BLS_WITHDRAWAL_PREFIX = 0, /* and a hash of the withdrawal public key; no withdrawals before it is changed to 0x01 */
	ETH1_ADDRESS_WITHDRAWAL_PREFIX = 1, /* an execution address; what is above 32 ETH is paid out */
	COMPOUNDING_WITHDRAWAL_PREFIX = 2,  /* an execution address; a balance of up to 2048 ETH earns */
	WITHDRAWAL_PREFIX_COUNT,
};

/* 0x00. `public_key` is that of the withdrawal key, m/12381/3600/i/0. */
void withdrawal_make_bls_credentials(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], uint8_t ret_credentials[ROOT_SIZE]);
/* 0x01 or 0x02; ERROR_INPUT for another prefix. */
MUST_USE bool withdrawal_make_address_credentials(enum withdrawal_prefix prefix, const uint8_t address[EXECUTION_ADDRESS_SIZE],
						  uint8_t ret_credentials[ROOT_SIZE], struct error *error);
/* ERROR_INPUT "withdrawal_credentials: …" for another prefix than 0x00 to 0x02, or when 0x01 or 0x02 has no zeros before the address. */
MUST_USE bool withdrawal_check_credentials(const uint8_t credentials[ROOT_SIZE], struct error *error);
/* The most that one validator can stake with these checked credentials (MAX_EFFECTIVE_BALANCE and its electra form), in Gwei. */
uint64_t withdrawal_stake_max_gwei(const uint8_t credentials[ROOT_SIZE]);
