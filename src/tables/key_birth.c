/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/key_birth.h"

#include "eth/deposit_file.h"

void key_birth_done(struct key_birth *birth)
{
	if (!birth)
		return;
	secret_done(&birth->signing_key);
	buffer_done(&birth->deposit_json_b64);
}

bool key_birth_plan_init(struct key_birth_plan *plan, const struct network *network, const uint8_t address[EXECUTION_ADDRESS_SIZE],
			 bool is_compounding, uint64_t amount_gwei, struct error *error)
{
	enum withdrawal_prefix prefix = is_compounding ? COMPOUNDING_WITHDRAWAL_PREFIX : ETH1_ADDRESS_WITHDRAWAL_PREFIX;
	uint64_t max_gwei;

	static const uint8_t nowhere[EXECUTION_ADDRESS_SIZE];

	plan->network = network;
	plan->amount_gwei = amount_gwei;
	if (memcmp(address, nowhere, sizeof nowhere) == 0)
		return error_set(error, ERROR_INPUT, "withdrawal address: zero; a stake that goes there is lost");
	if (!withdrawal_make_address_credentials(prefix, address, plan->withdrawal_credentials, error))
		return false;
	max_gwei = withdrawal_stake_max_gwei(plan->withdrawal_credentials);
	if (amount_gwei < DEPOSIT_AMOUNT_MIN_GWEI || amount_gwei > max_gwei)
		return error_set(error, ERROR_INPUT, "amount: %llu Gwei; such a validator deposits %llu to %llu",
				 (unsigned long long)amount_gwei, (unsigned long long)DEPOSIT_AMOUNT_MIN_GWEI,
				 (unsigned long long)max_gwei);
	return true;
}

bool key_birth_make(const struct derivation_tree *tree, uint32_t index, const struct key_birth_plan *plan,
		    struct key_birth *ret_birth, struct error *error)
{
	AUTO_DERIVATION_KEYS struct derivation_keys keys = {0};
	AUTO_KEY_BIRTH struct key_birth birth = {0};
	AUTO_BUFFER struct buffer file = {0};
	struct deposit deposit;

	if (!derivation_tree_derive_keys(tree, index, &keys, error) ||
	    !bls_public_key_derive(keys.signing_key.data, birth.public_key, error) ||
	    !deposit_create(&keys.signing_key, plan->withdrawal_credentials, plan->amount_gwei, plan->network, &deposit, error))
		return error_prefix(error, "validator %u", index);
	deposit_file_write(&deposit, 1, &file);
	base64_encode(buffer_view(&file), &birth.deposit_json_b64);
	birth.signing_key = keys.signing_key;
	keys.signing_key = (struct secret){0};
	*ret_birth = birth;
	birth = (struct key_birth){0};
	return true;
}
