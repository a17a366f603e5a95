/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/certificate_facts.h"

#include "base/clock.h"
#include "crypto/openssl_memory.h"
#include "vectors.h"

static const char *const names[] = {"signer.example.org", "*.internal", "10.0.0.7", "2001:db8::1"};

static int prepare(void **state)
{
	struct error error = {0};

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ? 0 : -1;
}

static void make(struct tls_identity *ret_identity)
{
	AUTO_BUFFER struct buffer ca_pem = {0};
	struct error error = {0};

	assert_ok(tls_identity_create("ensign", names, ARRAY_SIZE(names), 90, ret_identity, &ca_pem, &error), &error);
}

static void reads_what_was_made(void **state)
{
	AUTO_CERTIFICATE_FACTS struct certificate_facts facts = {0};
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	int64_t now_s = (int64_t)(clock_realtime_ms() / 1000);
	struct error error = {0};

	(void)state;
	make(&identity);
	assert_ok(certificate_facts_read(buffer_view(&identity.chain), &facts, &error), &error);
	assert_int_equal(facts.name_count, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(facts.names[i], names[i]);
	assert_non_null(strstr(facts.issuer, "CN=Ensign CA "));
	assert_in_range(now_s - facts.not_before_s, 3590, 3700);
	assert_in_range(facts.not_after_s - now_s, 90 * 86400 - 60, 90 * 86400 + 60);
}

static void tells_what_is_no_certificate(void **state)
{
	static const char *const cases[] = {"", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct certificate_facts facts;

		assert_false(certificate_facts_read(view_of_text(cases[i]), &facts, &error));
		assert_int_equal(error.code, ERROR_INPUT);
	}
}

/* The key that is there keeps being the key, whoever signs for it. */
static void an_identity_of_a_given_key(void **state)
{
	AUTO_CERTIFICATE_FACTS struct certificate_facts before = {0};
	AUTO_CERTIFICATE_FACTS struct certificate_facts after = {0};
	AUTO_TLS_IDENTITY struct tls_identity first = {0};
	AUTO_TLS_IDENTITY struct tls_identity other = {0};
	AUTO_TLS_IDENTITY struct tls_identity second = {0};
	AUTO_TLS_IDENTITY struct tls_identity opened = {0};
	AUTO_TLS_IDENTITY struct tls_identity none = {0};
	AUTO_BUFFER struct buffer ca_pem = {0};
	struct view key;
	struct error error = {0};

	(void)state;
	make(&first);
	make(&other);
	key = secret_view(&first.key);
	assert_ok(tls_identity_create_for_key(key, "ensign", names, 1, 30, &second, &ca_pem, &error), &error);
	assert_true(view_equal(secret_view(&second.key), key));
	assert_ok(tls_identity_from_der(key, buffer_view(&second.chain), &opened, &error), &error);
	assert_true(view_equal(buffer_view(&opened.chain), buffer_view(&second.chain)));
	assert_ok(certificate_facts_read(buffer_view(&first.chain), &before, &error), &error);
	assert_ok(certificate_facts_read(buffer_view(&second.chain), &after, &error), &error);
	assert_memory_equal(before.public_key_sha256, after.public_key_sha256, CERTIFICATE_DIGEST_SIZE);
	assert_memory_not_equal(before.certificate_sha256, after.certificate_sha256, CERTIFICATE_DIGEST_SIZE);
	/* Another key's chain, a key that is cut, and one with something behind it. */
	assert_false(tls_identity_from_der(key, buffer_view(&other.chain), &none, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "none of the certificates is that of the private key");
	assert_false(tls_identity_from_der(view_of(key.data, key.size - 1), buffer_view(&first.chain), &none, &error));
	assert_message_contains(&error, "not PKCS#8");
	{
		AUTO_WIPED_BUFFER struct buffer longer = {0};

		buffer_append(&longer, key);
		buffer_append_byte(&longer, 0);
		assert_false(tls_identity_from_der(buffer_view(&longer), buffer_view(&first.chain), &none, &error));
		assert_false(tls_identity_create_for_key(buffer_view(&longer), "ensign", names, 1, 30, &none, &ca_pem, &error));
		assert_message_contains(&error, "not PKCS#8");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_was_made),
		cmocka_unit_test(tells_what_is_no_certificate),
		cmocka_unit_test(an_identity_of_a_given_key),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
