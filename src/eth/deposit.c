/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/deposit.h"

#include <inttypes.h>

#include "eth/signing_root.h"

static void compute_deposit_signing_root(const struct deposit_message *message, const uint8_t fork_version[FORK_VERSION_SIZE],
					 uint8_t ret_signing_root[ROOT_SIZE])
{
	/* A deposit may be older than the genesis state, so it names no chain but by the version. */
	static const uint8_t no_genesis[ROOT_SIZE];
	uint8_t domain[ROOT_SIZE];
	uint8_t object_root[ROOT_SIZE];

	compute_domain(DOMAIN_DEPOSIT, fork_version, no_genesis, domain);
	deposit_message_root(message, object_root);
	compute_signing_root(object_root, domain, ret_signing_root);
}

static bool check_network(const struct deposit *deposit, const struct network *network, struct error *error)
{
	const uint8_t *expected = network->forks[FORK_PHASE0].version;
	char theirs[2 * FORK_VERSION_SIZE + 1];
	char ours[2 * FORK_VERSION_SIZE + 1];

	hex_encode(view_of(deposit->fork_version, FORK_VERSION_SIZE), theirs);
	hex_encode(view_of(expected, FORK_VERSION_SIZE), ours);
	if (memcmp(deposit->fork_version, expected, FORK_VERSION_SIZE) != 0)
		return error_set(error, ERROR_INPUT, "fork_version: %s is not %s, the genesis version of %s", theirs, ours,
				 network->name);
	if (deposit->network_name[0] && strcmp(deposit->network_name, network->name) != 0)
		return error_set(error, ERROR_INPUT, "network_name: %s is not %s", deposit->network_name, network->name);
	return true;
}

static bool check_amount(const struct deposit_message *message, struct error *error)
{
	uint64_t most = withdrawal_stake_max_gwei(message->withdrawal_credentials);

	if (message->amount < DEPOSIT_AMOUNT_MIN_GWEI)
		return error_set(error, ERROR_INPUT, "amount: %" PRIu64 " Gwei, less than 1 ETH", message->amount);
	if (message->amount > most)
		return error_set(error, ERROR_INPUT, "amount: %" PRIu64 " Gwei, more than the %llu ETH of credentials 0x%02x",
				 message->amount, (unsigned long long)most / GWEI_PER_ETH, message->withdrawal_credentials[0]);
	return true;
}

static bool check_signature(const struct deposit *deposit, struct error *error)
{
	uint8_t signing_root[ROOT_SIZE];

	compute_deposit_signing_root(&deposit->data.message, deposit->fork_version, signing_root);
	return bls_verify(deposit->data.message.pubkey, view_of(signing_root, sizeof signing_root), deposit->data.signature) ||
	       error_set(error, ERROR_CRYPTO, "signature: does not fit the key and the message: a deposit with it is lost");
}

static bool check_roots(const struct deposit *deposit, struct error *error)
{
	uint8_t root[ROOT_SIZE];

	deposit_message_root(&deposit->data.message, root);
	if (memcmp(root, deposit->message_root, ROOT_SIZE) != 0)
		return error_set(error, ERROR_CRYPTO, "deposit_message_root: not that of the message");
	deposit_data_root(&deposit->data, root);
	if (memcmp(root, deposit->data_root, ROOT_SIZE) != 0)
		return error_set(error, ERROR_CRYPTO, "deposit_data_root: not that of the deposit");
	return true;
}

bool deposit_check(const struct deposit *deposit, const struct network *network, struct error *error)
{
	if (!check_network(deposit, network, error))
		return false;
	if (!bls_public_key_valid(deposit->data.message.pubkey))
		return error_set(error, ERROR_CRYPTO, "pubkey: no valid BLS public key");
	return withdrawal_check_credentials(deposit->data.message.withdrawal_credentials, error) &&
	       check_signature(deposit, error) && check_amount(&deposit->data.message, error) && check_roots(deposit, error);
}

bool deposit_create(const struct secret *signing_key, const uint8_t withdrawal_credentials[ROOT_SIZE], uint64_t amount_gwei,
		    const struct network *network, struct deposit *ret_deposit, struct error *error)
{
	struct deposit deposit = {.data.message.amount = amount_gwei, .cli_version = DEPOSIT_CLI_VERSION};
	struct deposit_message *message = &deposit.data.message;
	uint8_t signing_root[ROOT_SIZE];

	if (signing_key->size != BLS_SECRET_KEY_SIZE)
		return error_set(error, ERROR_INPUT, "signing key: %zu bytes, expected %d", signing_key->size, BLS_SECRET_KEY_SIZE);
	memcpy(message->withdrawal_credentials, withdrawal_credentials, ROOT_SIZE);
	memcpy(deposit.fork_version, network->forks[FORK_PHASE0].version, FORK_VERSION_SIZE);
	memcpy(deposit.network_name, network->name, sizeof deposit.network_name);
	if (!bls_public_key_derive(signing_key->data, message->pubkey, error))
		return error_prefix(error, "signing key");
	compute_deposit_signing_root(message, deposit.fork_version, signing_root);
	bls_sign(signing_key->data, signing_root, deposit.data.signature);
	deposit_message_root(message, deposit.message_root);
	deposit_data_root(&deposit.data, deposit.data_root);
	if (!deposit_check(&deposit, network, error))
		return false;
	*ret_deposit = deposit;
	return true;
}
