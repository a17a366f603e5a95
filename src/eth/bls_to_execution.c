/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/bls_to_execution.h"

#include <inttypes.h>

#include "base/json.h"
#include "eth/deposit.h"
#include "eth/signing_root.h"

static bool compute_change_signing_root(const struct bls_to_execution_change *message, const struct network *network,
					uint8_t ret_signing_root[ROOT_SIZE], struct error *error)
{
	uint8_t domain[ROOT_SIZE];
	uint8_t object_root[ROOT_SIZE];

	if (!network->genesis_validators_root_known)
		return error_set(error, ERROR_INPUT, "network: %s has no genesis validators root", network->name);
	compute_domain(DOMAIN_BLS_TO_EXECUTION_CHANGE, network->forks[FORK_PHASE0].version, network->genesis_validators_root,
		       domain);
	bls_to_execution_change_root(message, object_root);
	compute_signing_root(object_root, domain, ret_signing_root);
	return true;
}

bool bls_to_execution_change_check(const struct signed_bls_to_execution_change *change, const struct network *network,
				   struct error *error)
{
	uint8_t signing_root[ROOT_SIZE];

	if (!compute_change_signing_root(&change->message, network, signing_root, error))
		return false;
	return bls_verify(change->message.from_bls_pubkey, view_of(signing_root, sizeof signing_root), change->signature) ||
	       error_set(error, ERROR_CRYPTO, "signature: does not fit the key and the message on %s", network->name);
}

bool bls_to_execution_change_create(const struct secret *withdrawal_key, uint64_t validator_index,
				    const uint8_t address[EXECUTION_ADDRESS_SIZE], const struct network *network,
				    struct signed_bls_to_execution_change *ret_change, struct error *error)
{
	struct signed_bls_to_execution_change change = {.message.validator_index = validator_index};
	uint8_t signing_root[ROOT_SIZE];

	if (withdrawal_key->size != BLS_SECRET_KEY_SIZE)
		return error_set(error, ERROR_INPUT, "withdrawal key: %zu bytes, expected %d", withdrawal_key->size,
				 BLS_SECRET_KEY_SIZE);
	if (!bls_public_key_derive(withdrawal_key->data, change.message.from_bls_pubkey, error))
		return error_prefix(error, "withdrawal key");
	memcpy(change.message.to_execution_address, address, EXECUTION_ADDRESS_SIZE);
	if (!compute_change_signing_root(&change.message, network, signing_root, error))
		return false;
	bls_sign(withdrawal_key->data, signing_root, change.signature);
	if (!bls_to_execution_change_check(&change, network, error))
		return false;
	*ret_change = change;
	return true;
}

static json_t *change_json(const struct signed_bls_to_execution_change *change, const struct network *network)
{
	const struct bls_to_execution_change *message = &change->message;
	AUTO_FREE char *index = memory_format("%" PRIu64, message->validator_index);

	return json_pack("{s:{s:s, s:o, s:o}, s:o, s:{s:s, s:o, s:s}}", "message", "validator_index", index, "from_bls_pubkey",
			 json_text_of_hex("0x", view_of(message->from_bls_pubkey, sizeof message->from_bls_pubkey)),
			 "to_execution_address",
			 json_text_of_hex("0x", view_of(message->to_execution_address, sizeof message->to_execution_address)),
			 "signature", json_text_of_hex("0x", view_of(change->signature, sizeof change->signature)), "metadata",
			 "network_name", network->name, "genesis_validators_root",
			 json_text_of_hex("0x", view_of(network->genesis_validators_root, ROOT_SIZE)), "deposit_cli_version",
			 DEPOSIT_CLI_VERSION);
}

void bls_to_execution_change_write_file(const struct signed_bls_to_execution_change *changes, size_t count,
					const struct network *network, struct buffer *ret_json)
{
	AUTO_JSON json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(array, change_json(&changes[i], network));
	json_write_spaced(array, ret_json);
}
