/* SPDX-License-Identifier: Apache-2.0 */
/* Signed exits made elsewhere, from the mnemonic on: keys, signing root and signature. */
#include "deposit_support.h"

#include "eth/containers.h"
#include "eth/signing_root.h"

/* EIP-7044: the Capella version, whatever the epoch of the exit is. */
static void make_signing_root(json_t *entry, uint8_t ret_signing_root[ROOT_SIZE])
{
	const struct network *network = network_of(entry, "network");
	json_t *message = json_object_get(json_object_get(entry, "signed_exit"), "message");
	struct voluntary_exit voluntary_exit = {
		.epoch = number_of(message, "epoch"),
		.validator_index = number_of(message, "validator_index"),
	};
	uint8_t domain[ROOT_SIZE];
	uint8_t object_root[ROOT_SIZE];

	compute_domain(DOMAIN_VOLUNTARY_EXIT, network->forks[FORK_CAPELLA].version, network->genesis_validators_root, domain);
	assert_hex(view_of(domain, sizeof domain), name_of(entry, "domain"));
	voluntary_exit_root(&voluntary_exit, object_root);
	compute_signing_root(object_root, domain, ret_signing_root);
	assert_hex(view_of(ret_signing_root, ROOT_SIZE), name_of(entry, "signing_root"));
}

static void check_case(json_t *entry)
{
	const char *expected = name_of(json_object_get(entry, "signed_exit"), "signature");
	AUTO_DERIVATION_TREE struct derivation_tree tree = {0};
	AUTO_DERIVATION_KEYS struct derivation_keys keys = {0};
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t signing_root[ROOT_SIZE];
	uint8_t signature[BLS_SIGNATURE_SIZE];
	struct error error = {0};

	make_tree(entry, &tree);
	assert_ok(derivation_tree_derive_keys(&tree, (uint32_t)number_of(entry, "index"), &keys, &error), &error);
	assert_ok(bls_public_key_derive(keys.signing_key.data, public_key, &error), &error);
	assert_hex(view_of(public_key, sizeof public_key), name_of(entry, "pubkey"));
	make_signing_root(entry, signing_root);
	assert_true(hex_decode(view_of_text(expected), signature, sizeof signature));
	assert_true(bls_verify(public_key, view_of(signing_root, sizeof signing_root), signature));
	bls_sign(keys.signing_key.data, signing_root, signature);
	assert_hex(view_of(signature, sizeof signature), expected);
}

static void agrees_with_the_vectors(void **state)
{
	AUTO_FREE char *path = own_vector_path("deposit/voluntary_exits.json");
	AUTO_JSON json_t *cases = load_json(path);
	json_t *entry;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(cases), 10);
	json_array_foreach(cases, i, entry) check_case(entry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_vectors),
	};

	return cmocka_run_group_tests(tests, prepare_secret_heap, NULL);
}
