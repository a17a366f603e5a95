/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deposits: what makes a validator of 32 ETH or more (consensus-specs phase0, deposit-contract and validator; electra for 0x02).
 * A deposit is signed by the validator's signing key under the genesis fork version of its network, for ever: it is valid before the
 * chain knows the validator. A contract cannot check the signature; ETH behind a wrong one is lost, hence deposit_check().
 */
#pragma once

#include "base/secret.h"
#include "eth/containers.h"
#include "eth/withdrawal.h"

#define DEPOSIT_AMOUNT_MIN_GWEI GWEI_PER_ETH /* MIN_DEPOSIT_AMOUNT; the most is withdrawal_stake_max_gwei() */
#define DEPOSIT_CLI_VERSION_SIZE 64
/*
 * The `deposit_cli_version` of what we write. It has to be there, and launchpads have compared it with a minimum: it says whose file this
 * is like, byte for byte, not who wrote it. 2.7.0 is the last staking-deposit-cli, and what other tools name too.
 */
#define DEPOSIT_CLI_VERSION "2.7.0"

/* An entry of a deposit file (eth/deposit_file.h). */
struct deposit {
	struct deposit_data data;
	uint8_t message_root[ROOT_SIZE]; /* of data.message */
	uint8_t data_root[ROOT_SIZE];    /* of data: what the deposit contract compares */
	uint8_t fork_version[FORK_VERSION_SIZE];
	char network_name[NETWORK_NAME_SIZE]; /* "" when a file does not say */
	char cli_version[DEPOSIT_CLI_VERSION_SIZE];
};

/*
 * Make and sign a deposit. ERROR_INPUT when the key is no BLS secret key, and for what deposit_check() refuses; the signature is checked
 * before it is handed out.
 */
MUST_USE bool deposit_create(const struct secret *signing_key, const uint8_t withdrawal_credentials[ROOT_SIZE],
			     uint64_t amount_gwei, const struct network *network, struct deposit *ret_deposit, struct error *error);
/*
 * Everything that the launchpad checks, and what it leaves to chance: "field: reason" of the first field at fault, in this order:
 * fork_version and network_name (of another network), pubkey (KeyValidate), withdrawal_credentials, signature, amount,
 * deposit_message_root, deposit_data_root. The signature comes before the amount and the roots, for what was changed after signing is the
 * worse news. ERROR_CRYPTO for pubkey, signature and roots, otherwise ERROR_INPUT.
 */
MUST_USE bool deposit_check(const struct deposit *deposit, const struct network *network, struct error *error);
