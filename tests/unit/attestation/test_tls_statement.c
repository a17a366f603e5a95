/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/tls_statement.h"

#include "vectors.h"

/* sha256(b"ensign tls 1" + b"chain"), by Python's hashlib. */
static void the_digest_is_what_the_header_says(void **state)
{
	static const char expected[] = "10f3d3938c09ca006cf68c78cc2fac38d0283befe26a43291b59180e7c4078ae";
	uint8_t digest[TLS_STATEMENT_DIGEST_SIZE];
	char hex[2 * TLS_STATEMENT_DIGEST_SIZE + 1];

	(void)state;
	tls_statement_digest(view_of_text("chain"), digest);
	hex_encode(view_of(digest, sizeof digest), hex);
	assert_string_equal(hex, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_digest_is_what_the_header_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
