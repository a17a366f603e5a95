/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/withdrawal.h"

#include "json_support.h"

static const uint8_t ADDRESS[EXECUTION_ADDRESS_SIZE] = {1, 2, 3, [19] = 0xff};

static void makes_credentials_of_addresses(void **state)
{
	uint8_t credentials[ROOT_SIZE];
	struct error error = {0};

	(void)state;
	assert_ok(withdrawal_make_address_credentials(ETH1_ADDRESS_WITHDRAWAL_PREFIX, ADDRESS, credentials, &error), &error);
	assert_hex(view_of(credentials, ROOT_SIZE), "01000000000000000000000001020300000000000000000000000000000000ff");
	assert_ok(withdrawal_check_credentials(credentials, &error), &error);
	assert_int_equal(withdrawal_stake_max_gwei(credentials), 32000000000);
	assert_ok(withdrawal_make_address_credentials(COMPOUNDING_WITHDRAWAL_PREFIX, ADDRESS, credentials, &error), &error);
	assert_hex(view_of(credentials, ROOT_SIZE), "02000000000000000000000001020300000000000000000000000000000000ff");
	assert_ok(withdrawal_check_credentials(credentials, &error), &error);
	assert_int_equal(withdrawal_stake_max_gwei(credentials), 2048000000000);
}

static void makes_credentials_of_keys(void **state)
{
	/* Withdrawal key 0 of "abandon … about", and the credentials of a deposit with it. */
	AUTO_BUFFER struct buffer key =
		unhex("8ebe599559cbf3abbc6a72b25d8bc13fd9b5075283fcd9ec47b2a0bf6c5148a2e9e615b181e5b2c03abe63818ef70c61");
	uint8_t digest[ROOT_SIZE];
	uint8_t credentials[ROOT_SIZE];
	struct error error = {0};

	(void)state;
	withdrawal_make_bls_credentials(key.data, credentials);
	assert_int_equal(credentials[0], 0);
	assert_ok(withdrawal_check_credentials(credentials, &error), &error);
	assert_int_equal(withdrawal_stake_max_gwei(credentials), 32000000000);
	key.data[0] ^= 1;
	withdrawal_make_bls_credentials(key.data, digest);
	assert_memory_not_equal(digest + 1, credentials + 1, ROOT_SIZE - 1);
}

static void refuses_other_prefixes(void **state)
{
	struct error error = {0};

	(void)state;
	for (unsigned prefix = 0; prefix < 256; prefix++) {
		uint8_t credentials[ROOT_SIZE] = {(uint8_t)prefix};

		assert_int_equal(withdrawal_check_credentials(credentials, &error), prefix <= 2);
		assert_int_equal(withdrawal_stake_max_gwei(credentials) > 0, prefix <= 2);
		if (prefix > 2)
			assert_message_contains(&error, "withdrawal_credentials: prefix");
		if (prefix == 1 || prefix == 2)
			continue;
		assert_false(withdrawal_make_address_credentials((enum withdrawal_prefix)prefix, ADDRESS, credentials, &error));
		assert_message_contains(&error, "withdrawal_credentials: prefix");
	}
}

static void refuses_a_byte_in_the_padding(void **state)
{
	(void)state;
	for (uint8_t prefix = 0; prefix <= 2; prefix++) {
		for (size_t i = 1; i < ROOT_SIZE; i++) {
			uint8_t credentials[ROOT_SIZE] = {prefix};
			struct error error = {0};
			bool legal = prefix == 0 || i >= 12;

			credentials[i] = 1;
			assert_int_equal(withdrawal_check_credentials(credentials, &error), legal);
			if (!legal)
				assert_message_contains(&error, "withdrawal_credentials: no zeros");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_credentials_of_addresses),
		cmocka_unit_test(makes_credentials_of_keys),
		cmocka_unit_test(refuses_other_prefixes),
		cmocka_unit_test(refuses_a_byte_in_the_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
