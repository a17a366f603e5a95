/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/birth_statement.h"

#include "vectors.h"

static const uint8_t keys[2][BLS_PUBLIC_KEY_SIZE] = {{1, 2, 3}, {4, 5, 6}};

static struct birth_statement statement(void)
{
	return (struct birth_statement){.public_keys = keys, .count = 2, .withdrawal_credentials = {1}};
}

/* sha256(b"ensign birth 1" + bytes([0,0,0,2]) + keys + credentials + 32 zeros), by Python's hashlib. */
static void the_digest_is_what_the_header_says(void **state)
{
	static const char expected[] = "928b674daed53df0c35c15d9b0b00be406e630826977044b3905ad0097499f36";
	struct birth_statement born = statement();
	uint8_t digest[BIRTH_DIGEST_SIZE];
	char hex[2 * BIRTH_DIGEST_SIZE + 1];

	(void)state;
	birth_statement_digest(&born, digest);
	hex_encode(view_of(digest, sizeof digest), hex);
	assert_string_equal(hex, expected);
}

static void everything_counts(void **state)
{
	struct birth_statement born = statement();
	uint8_t digests[5][BIRTH_DIGEST_SIZE];

	(void)state;
	birth_statement_digest(&born, digests[0]);
	born.count = 1;
	birth_statement_digest(&born, digests[1]);
	born = statement();
	born.withdrawal_credentials[31] = 1;
	birth_statement_digest(&born, digests[2]);
	born = statement();
	born.recovery_spki = view_of_text("x");
	birth_statement_digest(&born, digests[3]);
	born = statement();
	born.public_keys = &keys[1];
	born.count = 1;
	birth_statement_digest(&born, digests[4]);
	for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(digests[i], digests[j], BIRTH_DIGEST_SIZE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_digest_is_what_the_header_says),
		cmocka_unit_test(everything_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
