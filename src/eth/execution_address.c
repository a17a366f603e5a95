/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/execution_address.h"

#include "crypto/keccak.h"

#define PREFIX_SIZE 2
#define DIGITS (2 * EXECUTION_ADDRESS_SIZE)

void execution_address_format(const uint8_t address[EXECUTION_ADDRESS_SIZE], char ret_text[EXECUTION_ADDRESS_TEXT_SIZE])
{
	char *digits = ret_text + PREFIX_SIZE;
	uint8_t digest[KECCAK256_SIZE];

	ret_text[0] = '0';
	ret_text[1] = 'x';
	hex_encode(view_of(address, EXECUTION_ADDRESS_SIZE), digits);
	/* Of the digits as text, not of the address. Each digit that is a letter is upper case when its half byte is 8 or more. */
	keccak256(view_of(digits, DIGITS), digest);
	for (size_t i = 0; i < DIGITS; i++) {
		unsigned half = i % 2 ? digest[i / 2] & 0x0f : digest[i / 2] >> 4;

		if (digits[i] >= 'a' && half >= 8)
			digits[i] = (char)(digits[i] - 'a' + 'A');
	}
}

/* Letters of both cases, which only a writer of checksums makes. */
static bool has_checksum(struct view digits)
{
	bool upper = false;
	bool lower = false;

	for (size_t i = 0; i < digits.size; i++) {
		upper |= digits.data[i] >= 'A' && digits.data[i] <= 'F';
		lower |= digits.data[i] >= 'a' && digits.data[i] <= 'f';
	}
	return upper && lower;
}

bool execution_address_parse(struct view text, const char *field, uint8_t ret_address[EXECUTION_ADDRESS_SIZE], struct error *error)
{
	uint8_t address[EXECUTION_ADDRESS_SIZE];
	char expected[EXECUTION_ADDRESS_TEXT_SIZE];
	struct view digits;

	if (text.size != PREFIX_SIZE + DIGITS || memcmp(text.data, "0x", PREFIX_SIZE) != 0 ||
	    !hex_decode(text, address, sizeof address))
		return error_set(error, ERROR_INPUT, "%s: not 0x and %d hex digits", field, DIGITS);
	digits = view_of(text.data + PREFIX_SIZE, DIGITS);
	execution_address_format(address, expected);
	if (has_checksum(digits) && !view_equal_text(text, expected))
		return error_set(error, ERROR_INPUT,
				 "%s: the checksum of the address (EIP-55, its upper and lower case) is wrong: copy it again",
				 field);
	memcpy(ret_address, address, sizeof address);
	return true;
}
