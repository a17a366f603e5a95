/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/deposit.h"

#include "deposit_support.h"

#include "eth/deposit_file.h"
#include "eth/execution_address.h"

static const char *const OWN_VECTORS[] = {
	"holesky_0x02_first3",  "hoodi_0x00_first0",       "hoodi_0x01_first1024", "hoodi_0x02_max_index",
	"hoodi_0x02_odd_gwei",  "mainnet_0x00_first0",     "mainnet_0x01_first0",  "mainnet_0x01_passphrase",
	"mainnet_0x02_2048eth", "mainnet_0x02_topup_1eth", "sepolia_0x01_first0",
};

static const char *const STAKING_DEPOSIT_CLI_VECTORS[] = {
	"holesky_first_0_count_1_eth1_false",    "holesky_first_0_count_2_eth1_false",  "holesky_first_0_count_2_eth1_true",
	"holesky_first_1024_count_3_eth1_false", "holesky_first_12_count_1_eth1_false", "mainnet_first_0_count_1_eth1_false",
	"mainnet_first_0_count_2_eth1_false",    "mainnet_first_0_count_2_eth1_true",   "mainnet_first_99_count_2_eth1_false",
};

#define DEPOSITS_MAX 4

static void make_credentials(json_t *input, const struct derivation_keys *keys, uint8_t ret_credentials[ROOT_SIZE])
{
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t address[EXECUTION_ADDRESS_SIZE];
	unsigned long prefix = strtoul(name_of(input, "withdrawal_prefix"), NULL, 16);
	struct error error = {0};

	if (prefix == 0) {
		assert_ok(bls_public_key_derive(keys->withdrawal_key.data, public_key, &error), &error);
		withdrawal_make_bls_credentials(public_key, ret_credentials);
		return;
	}
	assert_ok(execution_address_parse(text_of(input, "withdrawal_address"), "withdrawal_address", address, &error), &error);
	assert_ok(withdrawal_make_address_credentials((enum withdrawal_prefix)prefix, address, ret_credentials, &error), &error);
}

/* From the mnemonic to the bytes of the file. */
static size_t make_file(json_t *input, struct buffer *ret_json)
{
	AUTO_DERIVATION_TREE struct derivation_tree tree = {0};
	struct deposit deposits[DEPOSITS_MAX];
	size_t count = number_of(input, "count");
	struct error error = {0};

	assert_in_range(count, 1, DEPOSITS_MAX);
	make_tree(input, &tree);
	for (size_t i = 0; i < count; i++) {
		AUTO_DERIVATION_KEYS struct derivation_keys keys = {0};
		uint8_t credentials[ROOT_SIZE];

		assert_ok(derivation_tree_derive_keys(&tree, (uint32_t)(number_of(input, "first_index") + i), &keys, &error),
			  &error);
		make_credentials(input, &keys, credentials);
		assert_ok(deposit_create(&keys.signing_key, credentials, number_of(input, "amount_gwei"),
					 network_of(input, "network"), &deposits[i], &error),
			  &error);
	}
	deposit_file_write(deposits, count, ret_json);
	return count;
}

/* What the vector has, but for the tool's version where it is another's. */
static void read_expected(json_t *vector, struct buffer *ret_json)
{
	json_t *array = json_object_get(vector, "deposit_data");
	json_t *entry;
	size_t i;

	json_array_foreach(array, i, entry) json_object_set_new(entry, "deposit_cli_version", json_string(DEPOSIT_CLI_VERSION));
	json_write_spaced(array, ret_json);
}

static size_t check_vector(const char *path)
{
	AUTO_JSON json_t *vector = load_json(path);
	json_t *input = json_object_get(vector, "input");
	AUTO_BUFFER struct buffer expected = {0};
	AUTO_BUFFER struct buffer made = {0};
	AUTO_BUFFER struct buffer again = {0};
	AUTO_DEPOSIT_FILE struct deposit_file file = {0};
	struct error error = {0};
	size_t count = make_file(input, &made);

	read_expected(vector, &expected);
	assert_string_equal(buffer_text(&made), buffer_text(&expected));
	assert_ok(deposit_file_parse(buffer_view(&made), &file, &error), &error);
	assert_int_equal(file.count, count);
	assert_ok(deposit_file_check(&file, network_of(input, "network"), &error), &error);
	deposit_file_write(file.deposits, file.count, &again);
	assert_string_equal(buffer_text(&again), buffer_text(&made));
	return count;
}

static void makes_the_deposits_of_our_vectors(void **state)
{
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(OWN_VECTORS); i++) {
		AUTO_FREE char *relative = memory_format("deposit/generated/%s.json", OWN_VECTORS[i]);
		AUTO_FREE char *path = own_vector_path(relative);

		count += check_vector(path);
	}
	assert_int_equal(count, 22);
}

static void makes_the_deposits_of_staking_deposit_cli(void **state)
{
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(STAKING_DEPOSIT_CLI_VECTORS); i++) {
		AUTO_FREE char *relative = memory_format("deposit/staking-deposit-cli/%s.json", STAKING_DEPOSIT_CLI_VECTORS[i]);
		AUTO_FREE char *path = public_vector_path(relative);

		if (!path)
			skip();
		count += check_vector(path);
	}
	assert_int_equal(count, 16);
}

static struct secret make_signing_key(void)
{
	struct secret key = {0};
	struct error error = {0};

	assert_ok(bls_secret_key_generate(&key, &error), &error);
	return key;
}

static const struct network *hoodi(void)
{
	struct error error = {0};
	const struct network *network = network_find("hoodi", &error);

	assert_ok(network != NULL, &error);
	return network;
}

static void keeps_to_the_limits_of_amounts(void **state)
{
	static const struct {
		uint8_t prefix;
		uint64_t amount_gwei;
		const char *message; /* NULL: taken */
	} cases[] = {
		{0, 1000000000, NULL},
		{0, 999999999, "amount: 999999999 Gwei, less than 1 ETH"},
		{0, 0, "amount: 0 Gwei"},
		{0, 32000000000, NULL},
		{0, 32000000001, "more than the 32 ETH of credentials 0x00"},
		{1, 32000000000, NULL},
		{1, 32000000001, "more than the 32 ETH of credentials 0x01"},
		{2, 32000000001, NULL},
		{2, 2048000000000, NULL},
		{2, 2048000000001, "more than the 2048 ETH of credentials 0x02"},
		{2, UINT64_MAX, "more than the 2048 ETH"},
		{3, 32000000000, "withdrawal_credentials: prefix 0x03"},
		{0xb0, 32000000000, "withdrawal_credentials: prefix 0xb0"},
	};
	AUTO_SECRET struct secret key = make_signing_key();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t credentials[ROOT_SIZE] = {cases[i].prefix, [ROOT_SIZE - 1] = 1};
		struct deposit deposit = {0};
		struct error error = {0};
		bool made = deposit_create(&key, credentials, cases[i].amount_gwei, hoodi(), &deposit, &error);

		if (!cases[i].message) {
			assert_ok(made, &error);
			continue;
		}
		assert_false(made);
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
		assert_int_equal(deposit.data.message.amount, 0);
	}
}

static void refuses_what_is_no_key(void **state)
{
	static uint8_t bytes[BLS_SECRET_KEY_SIZE];
	struct secret keys[] = {{bytes, 0}, {bytes, 31}, {bytes, BLS_SECRET_KEY_SIZE}};
	uint8_t credentials[ROOT_SIZE] = {1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct deposit deposit;
		struct error error = {0};

		assert_false(deposit_create(&keys[i], credentials, 32000000000, hoodi(), &deposit, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, "signing key: ");
	}
}

/* The fields in the order in which they are judged; what a changed byte of each is told. */
static void notices_every_changed_byte(void **state)
{
	AUTO_SECRET struct secret key = make_signing_key();
	uint8_t credentials[ROOT_SIZE] = {2, [ROOT_SIZE - 1] = 1};
	struct deposit deposit;
	struct error error = {0};
	const struct {
		uint8_t *bytes;
		size_t size;
		size_t step; /* verifying takes long */
		const char *message;
	} fields[] = {
		{deposit.fork_version, FORK_VERSION_SIZE, 1, "fork_version: "},
		{deposit.data.message.withdrawal_credentials + 12, 20, 4, "signature: "},
		{deposit.data.message.withdrawal_credentials + 1, 11, 1, "withdrawal_credentials: "},
		{(uint8_t *)&deposit.data.message.amount, 4, 1, "signature: "},
		{deposit.data.signature, BLS_SIGNATURE_SIZE, 7, "signature: "},
		{deposit.message_root, ROOT_SIZE, 4, "deposit_message_root: "},
		{deposit.data_root, ROOT_SIZE, 4, "deposit_data_root: "},
	};

	(void)state;
	assert_ok(deposit_create(&key, credentials, 33000000000, hoodi(), &deposit, &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		for (size_t at = 0; at < fields[i].size; at += fields[i].step) {
			fields[i].bytes[at] ^= 1;
			assert_false(deposit_check(&deposit, hoodi(), &error));
			assert_true(strncmp(error.message, fields[i].message, strlen(fields[i].message)) == 0);
			fields[i].bytes[at] ^= 1;
		}
	}
	assert_ok(deposit_check(&deposit, hoodi(), &error), &error);
}

static void tells_networks_apart(void **state)
{
	AUTO_SECRET struct secret key = make_signing_key();
	uint8_t credentials[ROOT_SIZE] = {1, [ROOT_SIZE - 1] = 1};
	struct deposit deposit;
	struct error error = {0};

	(void)state;
	assert_ok(deposit_create(&key, credentials, 32000000000, hoodi(), &deposit, &error), &error);
	assert_false(deposit_check(&deposit, network_find("mainnet", NULL), &error));
	assert_message_contains(&error, "fork_version: 10000910 is not 00000000, the genesis version of mainnet");
	(void)snprintf(deposit.network_name, sizeof deposit.network_name, "mainnet");
	assert_false(deposit_check(&deposit, hoodi(), &error));
	assert_message_contains(&error, "network_name: mainnet is not hoodi");
	deposit.network_name[0] = 0;
	assert_ok(deposit_check(&deposit, hoodi(), &error), &error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_the_deposits_of_our_vectors), cmocka_unit_test(makes_the_deposits_of_staking_deposit_cli),
		cmocka_unit_test(keeps_to_the_limits_of_amounts),    cmocka_unit_test(refuses_what_is_no_key),
		cmocka_unit_test(notices_every_changed_byte),        cmocka_unit_test(tells_networks_apart),
	};

	return cmocka_run_group_tests(tests, prepare_secret_heap, NULL);
}
