/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "tables/sealed_key.h"

/* ERC-2335's secret and its public key. */
#define SECRET_KEY "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
#define PUBKEY "9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07"
/* The generator of G1: public key of the secret 1. */
#define GENERATOR "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"

static const uint8_t DATA_KEY[AEAD_KEY_SIZE] = {7};
static struct secret secret_key;

static struct view data_key(void)
{
	return view_of(DATA_KEY, sizeof DATA_KEY);
}

static int prepare(void **state)
{
	struct error error = {0};

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) &&
			       secret_init_hex(&secret_key, view_of_text(SECRET_KEY), BLS_SECRET_KEY_SIZE, "secret", &error)
		       ? 0
		       : -1;
}

static int tear_down(void **state)
{
	(void)state;
	secret_done(&secret_key);
	return 0;
}

static struct buffer seal(const char *chain)
{
	struct buffer sealed = {0};
	struct error error = {0};

	assert_ok(sealed_key_seal(data_key(), PUBKEY, chain, &secret_key, &sealed, &error), &error);
	return sealed;
}

static void assert_does_not_open(struct view key, const char *pubkey, const char *chain, struct view sealed, enum error_code code,
				 const char *message)
{
	AUTO_SECRET struct secret opened = {0};
	struct error error = {0};

	assert_false(sealed_key_open(key, pubkey, chain, sealed, &opened, &error));
	assert_int_equal(error.code, code);
	assert_message_contains(&error, message);
	assert_null(opened.data);
}

static void opens_what_it_sealed(void **state)
{
	AUTO_BUFFER struct buffer sealed = seal("hoodi");
	AUTO_SECRET struct secret opened = {0};
	struct error error = {0};

	(void)state;
	assert_int_equal(sealed.size, SEALED_KEY_SIZE);
	assert_ok(sealed_key_open(data_key(), PUBKEY, "hoodi", buffer_view(&sealed), &opened, &error), &error);
	assert_true(view_equal(secret_view(&opened), secret_view(&secret_key)));
}

/* The format of the documentation, made by hand: additional data is pubkey ‖ chain. */
static void opens_the_documented_format(void **state)
{
	AUTO_BUFFER struct buffer sealed = {0};
	AUTO_SECRET struct secret opened = {0};
	struct error error = {0};

	(void)state;
	assert_ok(aead_seal(data_key(), view_of_text(PUBKEY "mainnet"), secret_view(&secret_key), &sealed, &error), &error);
	assert_ok(sealed_key_open(data_key(), PUBKEY, "mainnet", buffer_view(&sealed), &opened, &error), &error);
	assert_true(view_equal(secret_view(&opened), secret_view(&secret_key)));
}

static void does_not_open_elsewhere(void **state)
{
	AUTO_BUFFER struct buffer sealed = seal("hoodi");
	uint8_t other_key[AEAD_KEY_SIZE] = {8};
	struct view whole = buffer_view(&sealed);

	(void)state;
	assert_does_not_open(data_key(), PUBKEY, "mainnet", whole, ERROR_CRYPTO, "does not open");
	assert_does_not_open(data_key(), PUBKEY, "hoodi2", whole, ERROR_CRYPTO, "does not open");
	assert_does_not_open(data_key(), GENERATOR, "hoodi", whole, ERROR_CRYPTO, "does not open");
	assert_does_not_open(view_of(other_key, sizeof other_key), PUBKEY, "hoodi", whole, ERROR_CRYPTO, "does not open");
	assert_does_not_open(view_of(DATA_KEY, 16), PUBKEY, "hoodi", whole, ERROR_INPUT, "16 bytes, expected 32");
	assert_does_not_open(data_key(), PUBKEY, "", whole, ERROR_INPUT, "chain");
	assert_does_not_open(data_key(), "0x" PUBKEY, "hoodi", whole, ERROR_INPUT, "pubkey");
	assert_does_not_open(data_key(), "", "hoodi", whole, ERROR_INPUT, "pubkey");
	for (size_t i = 0; i < sealed.size; i++) {
		sealed.data[i] ^= 0x40;
		assert_does_not_open(data_key(), PUBKEY, "hoodi", whole, ERROR_CRYPTO, "does not open");
		sealed.data[i] ^= 0x40;
	}
	for (size_t size = 0; size < sealed.size; size++)
		assert_does_not_open(data_key(), PUBKEY, "hoodi", view_of(sealed.data, size), ERROR_INPUT, "bytes long, not 60");
}

/* The holder of the data key sealed nonsense: the public key is derived again and compared. */
static void compares_the_public_key(void **state)
{
	static const uint8_t one[BLS_SECRET_KEY_SIZE] = {[31] = 1};
	static const uint8_t zero[BLS_SECRET_KEY_SIZE] = {0};
	AUTO_BUFFER struct buffer of_another = {0};
	AUTO_BUFFER struct buffer of_zero = {0};
	AUTO_BUFFER struct buffer generator = {0};
	AUTO_SECRET struct secret opened = {0};
	struct error error = {0};

	(void)state;
	assert_ok(aead_seal(data_key(), view_of_text(PUBKEY "hoodi"), view_of(one, sizeof one), &of_another, &error), &error);
	assert_ok(aead_seal(data_key(), view_of_text(PUBKEY "hoodi"), view_of(zero, sizeof zero), &of_zero, &error), &error);
	assert_ok(aead_seal(data_key(), view_of_text(GENERATOR "hoodi"), view_of(one, sizeof one), &generator, &error), &error);
	assert_does_not_open(data_key(), PUBKEY, "hoodi", buffer_view(&of_another), ERROR_CRYPTO, "that of another, " GENERATOR);
	assert_does_not_open(data_key(), PUBKEY, "hoodi", buffer_view(&of_zero), ERROR_INPUT, "pubkey " PUBKEY);
	assert_ok(sealed_key_open(data_key(), GENERATOR, "hoodi", buffer_view(&generator), &opened, &error), &error);
}

static void seals_no_key_under_another_name(void **state)
{
	AUTO_BUFFER struct buffer sealed = {0};
	struct secret half = {secret_key.data, 16};
	struct error error = {0};

	(void)state;
	assert_false(sealed_key_seal(data_key(), GENERATOR, "hoodi", &secret_key, &sealed, &error));
	assert_message_contains(&error, "that of another");
	assert_false(sealed_key_seal(data_key(), PUBKEY, "hoodi", &half, &sealed, &error));
	assert_message_contains(&error, "16 bytes long");
	assert_false(sealed_key_seal(data_key(), PUBKEY, "", &secret_key, &sealed, &error));
	assert_int_equal(sealed.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_it_sealed),
		cmocka_unit_test(opens_the_documented_format),
		cmocka_unit_test(does_not_open_elsewhere),
		cmocka_unit_test(compares_the_public_key),
		cmocka_unit_test(seals_no_key_under_another_name),
	};

	return cmocka_run_group_tests(tests, prepare, tear_down);
}
