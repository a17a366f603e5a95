/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/bls_to_execution.h"

#include "deposit_support.h"

#include "eth/deposit.h"
#include "eth/execution_address.h"

/* The vector's entry is what we write, but for the tool's version. */
static void assert_file(const struct signed_bls_to_execution_change *change, const struct network *network, json_t *expected)
{
	AUTO_JSON json_t *array = json_pack("[O]", expected);
	AUTO_BUFFER struct buffer expected_text = {0};
	AUTO_BUFFER struct buffer text = {0};

	json_object_set_new(json_object_get(expected, "metadata"), "deposit_cli_version", json_string(DEPOSIT_CLI_VERSION));
	json_write_spaced(array, &expected_text);
	bls_to_execution_change_write_file(change, 1, network, &text);
	assert_string_equal(buffer_text(&text), buffer_text(&expected_text));
}

static void check_case(json_t *entry)
{
	json_t *expected = json_object_get(entry, "bls_to_execution_change");
	json_t *message = json_object_get(expected, "message");
	const struct network *network = network_of(entry, "network");
	AUTO_DERIVATION_TREE struct derivation_tree tree = {0};
	AUTO_DERIVATION_KEYS struct derivation_keys keys = {0};
	struct signed_bls_to_execution_change change;
	uint8_t address[EXECUTION_ADDRESS_SIZE];
	struct error error = {0};

	make_tree(entry, &tree);
	assert_ok(derivation_tree_derive_keys(&tree, (uint32_t)number_of(entry, "index"), &keys, &error), &error);
	assert_ok(execution_address_parse(text_of(message, "to_execution_address"), "address", address, &error), &error);
	assert_ok(bls_to_execution_change_create(&keys.withdrawal_key, number_of(message, "validator_index"), address, network,
						 &change, &error),
		  &error);
	assert_hex(view_of(change.signature, sizeof change.signature), name_of(expected, "signature"));
	assert_file(&change, network, expected);
	assert_ok(bls_to_execution_change_check(&change, network, &error), &error);
}

static void agrees_with_the_vectors(void **state)
{
	AUTO_FREE char *path = own_vector_path("deposit/bls_to_execution_changes.json");
	AUTO_JSON json_t *cases = load_json(path);
	json_t *entry;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(cases), 10);
	json_array_foreach(cases, i, entry) check_case(entry);
}

static struct secret make_key(void)
{
	struct secret key = {0};
	struct error error = {0};

	assert_ok(bls_secret_key_generate(&key, &error), &error);
	return key;
}

static void notices_changes_and_other_networks(void **state)
{
	AUTO_SECRET struct secret key = make_key();
	uint8_t address[EXECUTION_ADDRESS_SIZE] = {1};
	const struct network *hoodi = network_find("hoodi", NULL);
	struct signed_bls_to_execution_change change;
	struct error error = {0};

	(void)state;
	assert_ok(bls_to_execution_change_create(&key, 7, address, hoodi, &change, &error), &error);
	assert_false(bls_to_execution_change_check(&change, network_find("mainnet", NULL), &error));
	assert_int_equal(error.code, ERROR_CRYPTO);
	assert_message_contains(&error, "signature: ");
	change.message.validator_index++;
	assert_false(bls_to_execution_change_check(&change, hoodi, &error));
	change.message.validator_index--;
	change.message.to_execution_address[19] ^= 1;
	assert_false(bls_to_execution_change_check(&change, hoodi, &error));
	change.message.to_execution_address[19] ^= 1;
	change.message.from_bls_pubkey[47] ^= 1;
	assert_false(bls_to_execution_change_check(&change, hoodi, &error));
}

static void refuses_what_it_cannot_sign(void **state)
{
	static uint8_t zeros[BLS_SECRET_KEY_SIZE];
	struct secret bad_keys[] = {{zeros, BLS_SECRET_KEY_SIZE}, {zeros, 31}};
	AUTO_SECRET struct secret key = make_key();
	uint8_t address[EXECUTION_ADDRESS_SIZE] = {1};
	struct signed_bls_to_execution_change change;
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_keys); i++) {
		assert_false(
			bls_to_execution_change_create(&bad_keys[i], 7, address, network_find("hoodi", NULL), &change, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, "withdrawal key: ");
	}
	assert_false(bls_to_execution_change_create(&key, 7, address, network_find("minimal", NULL), &change, &error));
	assert_message_contains(&error, "network: minimal has no genesis validators root");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_vectors),
		cmocka_unit_test(notices_changes_and_other_networks),
		cmocka_unit_test(refuses_what_it_cannot_sign),
	};

	return cmocka_run_group_tests(tests, prepare_secret_heap, NULL);
}
