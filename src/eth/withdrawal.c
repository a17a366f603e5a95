/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/withdrawal.h"

#include "eth/ssz.h"

/* The prefix and zeros; the address is what is left of the 32 bytes. */
#define ADDRESS_OFFSET (ROOT_SIZE - EXECUTION_ADDRESS_SIZE)

static const struct withdrawal_kind {
	bool has_address;
	uint64_t stake_max_gwei;
} KINDS[WITHDRAWAL_PREFIX_COUNT] = {
	[BLS_WITHDRAWAL_PREFIX] = {false, 32 * GWEI_PER_ETH},
	[ETH1_ADDRESS_WITHDRAWAL_PREFIX] = {true, 32 * GWEI_PER_ETH},
	[COMPOUNDING_WITHDRAWAL_PREFIX] = {true, 2048 * GWEI_PER_ETH},
};

void withdrawal_make_bls_credentials(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], uint8_t ret_credentials[ROOT_SIZE])
{
	sha256(view_of(public_key, BLS_PUBLIC_KEY_SIZE), ret_credentials);
	ret_credentials[0] = BLS_WITHDRAWAL_PREFIX;
}

bool withdrawal_make_address_credentials(enum withdrawal_prefix prefix, const uint8_t address[EXECUTION_ADDRESS_SIZE],
					 uint8_t ret_credentials[ROOT_SIZE], struct error *error)
{
	if (prefix >= WITHDRAWAL_PREFIX_COUNT || !KINDS[prefix].has_address)
		return error_set(error, ERROR_INPUT, "withdrawal_credentials: prefix 0x%02x is not one of an address: 0x01 or 0x02",
				 (unsigned)prefix);
	memset(ret_credentials, 0, ADDRESS_OFFSET);
	ret_credentials[0] = (uint8_t)prefix;
	memcpy(ret_credentials + ADDRESS_OFFSET, address, EXECUTION_ADDRESS_SIZE);
	return true;
}

bool withdrawal_check_credentials(const uint8_t credentials[ROOT_SIZE], struct error *error)
{
	static const uint8_t zeros[ADDRESS_OFFSET - 1];

	if (credentials[0] >= WITHDRAWAL_PREFIX_COUNT)
		return error_set(error, ERROR_INPUT, "withdrawal_credentials: prefix 0x%02x is not 0x00, 0x01 or 0x02",
				 credentials[0]);
	if (KINDS[credentials[0]].has_address && memcmp(credentials + 1, zeros, sizeof zeros) != 0)
		return error_set(error, ERROR_INPUT, "withdrawal_credentials: no zeros between the prefix 0x%02x and the address",
				 credentials[0]);
	return true;
}

uint64_t withdrawal_stake_max_gwei(const uint8_t credentials[ROOT_SIZE])
{
	return credentials[0] < WITHDRAWAL_PREFIX_COUNT ? KINDS[credentials[0]].stake_max_gwei : 0;
}
