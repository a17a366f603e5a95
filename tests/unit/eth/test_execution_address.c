/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/execution_address.h"

#include "vectors.h"

/* The test cases of EIP-55, and mainnet's deposit contract. */
static const char *const ADDRESSES[] = {
	"0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
	"0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
	"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
	"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
	"0x00000000219ab540356cBB839Cbe05303d7705Fa",
};

static void reads_and_writes_checksums(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ADDRESSES); i++) {
		uint8_t address[EXECUTION_ADDRESS_SIZE];
		char text[EXECUTION_ADDRESS_TEXT_SIZE];
		struct error error = {0};

		assert_ok(execution_address_parse(view_of_text(ADDRESSES[i]), "address", address, &error), &error);
		execution_address_format(address, text);
		assert_string_equal(text, ADDRESSES[i]);
	}
}

/* Change the case of all letters, or of the one at `place`. */
static void change_case(char *text, size_t place, char from, char to)
{
	for (size_t i = 2; text[i]; i++) {
		if (text[i] >= from && text[i] <= from + 5 && (place == 0 || place == i))
			text[i] = (char)(text[i] - from + to);
	}
}

static void takes_one_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ADDRESSES); i++) {
		AUTO_FREE char *lower = memory_copy_text(ADDRESSES[i]);
		AUTO_FREE char *upper = memory_copy_text(ADDRESSES[i]);
		uint8_t address[EXECUTION_ADDRESS_SIZE];
		uint8_t other[EXECUTION_ADDRESS_SIZE];
		struct error error = {0};

		change_case(lower, 0, 'A', 'a');
		change_case(upper, 0, 'a', 'A');
		assert_ok(execution_address_parse(view_of_text(lower), "address", address, &error), &error);
		assert_ok(execution_address_parse(view_of_text(upper), "address", other, &error), &error);
		assert_memory_equal(address, other, sizeof address);
	}
}

static void refuses(const char *text, const char *message)
{
	uint8_t address[EXECUTION_ADDRESS_SIZE];
	struct error error = {0};

	if (execution_address_parse(view_of_text(text), "withdrawal_address", address, &error))
		fail_msg("taken: %s", text);
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "withdrawal_address: ");
	assert_message_contains(&error, message);
}

static void refuses_a_letter_of_the_wrong_case(void **state)
{
	static const char deposit_contract[] = "0x00000000219ab540356cBB839Cbe05303d7705Fa";

	(void)state;
	for (size_t i = 2; i < sizeof deposit_contract - 1; i++) {
		AUTO_FREE char *text = memory_copy_text(deposit_contract);

		change_case(text, i, 'A', 'a');
		if (strcmp(text, deposit_contract) == 0)
			change_case(text, i, 'a', 'A');
		if (strcmp(text, deposit_contract) != 0)
			refuses(text, "checksum");
	}
}

static void refuses_what_is_no_address(void **state)
{
	static const char *const texts[] = {
		"",
		"0x",
		"00000000219ab540356cBB839Cbe05303d7705Fa",
		"0X00000000219ab540356cBB839Cbe05303d7705Fa",
		"0x00000000219ab540356cBB839Cbe05303d7705F",
		"0x00000000219ab540356cBB839Cbe05303d7705Faa",
		"0x00000000219ab540356cBB839Cbe05303d7705Fg",
		"0x0x000000219ab540356cBB839Cbe05303d7705Fa",
		" 0x0000000219ab540356cBB839Cbe05303d7705Fa",
		"vitalik.eth",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		refuses(texts[i], "not 0x and 40 hex digits");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_checksums),
		cmocka_unit_test(takes_one_case),
		cmocka_unit_test(refuses_a_letter_of_the_wrong_case),
		cmocka_unit_test(refuses_what_is_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
