/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/client_statement.h"

#include "vectors.h"

static void keys_are_sorted_first(void **state)
{
	uint8_t keys[3][BLS_PUBLIC_KEY_SIZE] = {{2}, {1}, {1, 5}};
	uint8_t same[3][BLS_PUBLIC_KEY_SIZE] = {{1, 5}, {2}, {1}};
	uint8_t digests[3][CLIENT_DIGEST_SIZE];
	char hex[2 * CLIENT_DIGEST_SIZE + 1];

	(void)state;
	client_statement_digest_keys(keys, 3, digests[0]);
	client_statement_digest_keys(same, 3, digests[1]);
	assert_memory_equal(digests[0], digests[1], CLIENT_DIGEST_SIZE);
	client_statement_digest_keys(same, 2, digests[2]);
	assert_memory_not_equal(digests[0], digests[2], CLIENT_DIGEST_SIZE);
	/* Of nothing at all: SHA-256 of no bytes. */
	client_statement_digest_keys(keys, 0, digests[0]);
	hex_encode(view_of(digests[0], CLIENT_DIGEST_SIZE), hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void what_is_written_is_read(void **state)
{
	struct client_statement statement = {.tls_digest = {1, 2}, .keys_digest = {3, 4}};
	uint8_t user_data[CLIENT_STATEMENT_SIZE];
	struct client_statement again;
	struct error error = {0};

	(void)state;
	client_statement_write(&statement, user_data);
	assert_memory_equal(user_data, "ensign client 1", 15);
	assert_int_equal(user_data[15], 1);
	assert_int_equal(user_data[47], 3);
	assert_ok(client_statement_read(view_of(user_data, sizeof user_data), &again, &error), &error);
	assert_memory_equal(&again, &statement, sizeof statement);
	/* Cut, and of another label. */
	for (size_t size = 0; size < sizeof user_data; size++)
		assert_false(client_statement_read(view_of(user_data, size), &again, &error));
	user_data[14] = '2';
	assert_false(client_statement_read(view_of(user_data, sizeof user_data), &again, &error));
	assert_int_equal(error.code, ERROR_CRYPTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_sorted_first),
		cmocka_unit_test(what_is_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
