/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/bls.h"

#include <dirent.h>

#include <blst.h>
#include <blst_aux.h>

#include "vectors.h"

/* The group order r, big endian. */
static const uint8_t ORDER[32] = {0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05,
				  0x53, 0xbd, 0xa4, 0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01};
/* The generator of G1, compressed: the public key of the secret key 1. */
#define GENERATOR "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"

static void read_bytes(json_t *object, const char *name, uint8_t *ret_bytes, size_t size)
{
	struct error error = {0};

	assert_ok(json_read_hex(object, name, ret_bytes, size, &error), &error);
}

static int is_json_file(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".json") == 0;
}

/* Calls `check` for every case in a folder of the public suite; `expected` guards against a folder that lost its files. */
static void for_each_case(const char *folder, int expected, void (*check)(json_t *input, json_t *output))
{
	AUTO_FREE char *path = public_vector_path(folder);
	struct dirent **entries = NULL;
	int count;

	if (!path)
		return;
	count = scandir(path, &entries, is_json_file, alphasort);
	assert_true(count >= expected);
	for (int i = 0; i < count; i++) {
		AUTO_FREE char *file = memory_format("%s/%s", path, entries[i]->d_name);
		AUTO_JSON json_t *json = load_json(file);

		check(json_object_get(json, "input"), json_object_get(json, "output"));
		free(entries[i]);
	}
	free(entries);
}

static void check_sign_case(json_t *input, json_t *output)
{
	uint8_t secret_key[BLS_SECRET_KEY_SIZE];
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t message[32];
	uint8_t expected[BLS_SIGNATURE_SIZE];
	uint8_t signature[BLS_SIGNATURE_SIZE];
	struct error error = {0};

	read_bytes(input, "privkey", secret_key, sizeof secret_key);
	read_bytes(input, "message", message, sizeof message);
	if (json_is_null(output)) {
		assert_false(bls_secret_key_valid(secret_key));
		assert_false(bls_public_key_derive(secret_key, public_key, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		return;
	}
	assert_true(bls_secret_key_valid(secret_key));
	assert_true(hex_decode(view_of_text(json_string_value(output)), expected, sizeof expected));
	bls_sign(secret_key, message, signature);
	assert_memory_equal(signature, expected, sizeof expected);
	assert_ok(bls_public_key_derive(secret_key, public_key, &error), &error);
	assert_true(bls_verify(public_key, view_of(message, sizeof message), signature));
}

static void test_public_sign_vectors(void **state)
{
	(void)state;
	for_each_case("bls/ethereum/sign", 10, check_sign_case);
}

static void check_verify_case(json_t *input, json_t *output)
{
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t message[32];
	uint8_t signature[BLS_SIGNATURE_SIZE];

	read_bytes(input, "pubkey", public_key, sizeof public_key);
	read_bytes(input, "message", message, sizeof message);
	read_bytes(input, "signature", signature, sizeof signature);
	assert_int_equal(bls_verify(public_key, view_of(message, sizeof message), signature), json_is_true(output));
}

static void test_public_verify_vectors(void **state)
{
	(void)state;
	for_each_case("bls/ethereum/verify", 29, check_verify_case);
}

/* A key of 42 and its signature of 32 bytes of 7, as good partners for the point under test. */
static void make_pair(uint8_t ret_public_key[BLS_PUBLIC_KEY_SIZE], uint8_t ret_message[32],
		      uint8_t ret_signature[BLS_SIGNATURE_SIZE])
{
	const uint8_t secret_key[BLS_SECRET_KEY_SIZE] = {[31] = 42};
	struct error error = {0};

	memset(ret_message, 7, 32);
	assert_ok(bls_public_key_derive(secret_key, ret_public_key, &error), &error);
	bls_sign(secret_key, ret_message, ret_signature);
	assert_true(bls_verify(ret_public_key, view_of(ret_message, 32), ret_signature));
}

/* Compressed, and infinite. */
#define INFINITY_FIRST_BYTE 0xc0

/* No point of these cases is our key or our signature: well-formed or not, verification must refuse (and not crash). */
static void check_public_key_decoding_case(json_t *input, json_t *output)
{
	const char *text = json_string_value(json_object_get(input, "pubkey"));
	uint8_t good_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t message[32];
	uint8_t signature[BLS_SIGNATURE_SIZE];

	make_pair(good_key, message, signature);
	if (!hex_decode(view_of_text(text), public_key, sizeof public_key))
		return;
	assert_false(bls_verify(public_key, view_of(message, sizeof message), signature));
	/* Infinity decodes, but is nobody's key. */
	assert_int_equal(bls_public_key_valid(public_key), json_is_true(output) && public_key[0] != INFINITY_FIRST_BYTE);
}

static void check_signature_decoding_case(json_t *input, json_t *output)
{
	const char *text = json_string_value(json_object_get(input, "signature"));
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t message[32];
	uint8_t good_signature[BLS_SIGNATURE_SIZE];
	uint8_t signature[BLS_SIGNATURE_SIZE];

	(void)output;
	make_pair(public_key, message, good_signature);
	if (hex_decode(view_of_text(text), signature, sizeof signature))
		assert_false(bls_verify(public_key, view_of(message, sizeof message), signature));
}

static void test_public_deserialization_vectors(void **state)
{
	(void)state;
	for_each_case("bls/ethereum/deserialization_G1", 14, check_public_key_decoding_case);
	for_each_case("bls/ethereum/deserialization_G2", 16, check_signature_decoding_case);
}

static void test_own_signing_vectors(void **state)
{
	AUTO_FREE char *path = own_vector_path("signing-roots/signing.json");
	AUTO_JSON json_t *cases = load_json(path);
	struct error error = {0};
	json_t *entry;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) > 100);
	json_array_foreach(cases, i, entry)
	{
		uint8_t secret_key[BLS_SECRET_KEY_SIZE];
		uint8_t signing_root[32];
		uint8_t expected_key[BLS_PUBLIC_KEY_SIZE];
		uint8_t expected_signature[BLS_SIGNATURE_SIZE];
		uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
		uint8_t signature[BLS_SIGNATURE_SIZE];

		read_bytes(entry, "secret", secret_key, sizeof secret_key);
		read_bytes(entry, "signing_root", signing_root, sizeof signing_root);
		read_bytes(entry, "pubkey", expected_key, sizeof expected_key);
		read_bytes(entry, "signature", expected_signature, sizeof expected_signature);
		assert_ok(bls_public_key_derive(secret_key, public_key, &error), &error);
		assert_memory_equal(public_key, expected_key, sizeof expected_key);
		bls_sign(secret_key, signing_root, signature);
		assert_memory_equal(signature, expected_signature, sizeof expected_signature);
	}
}

/* The fast way says yes to the right one only: small and large secrets, powers of two and their neighbours, random ones. */
static void assert_matches(const uint8_t key[BLS_SECRET_KEY_SIZE])
{
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	struct error error;

	assert_ok(bls_public_key_derive(key, public_key, &error), &error);
	assert_true(bls_public_key_matches(key, public_key));
	public_key[47] ^= 1;
	assert_false(bls_public_key_matches(key, public_key));
}

static void test_public_key_matches(void **state)
{
	static const uint8_t zero[BLS_SECRET_KEY_SIZE];
	uint8_t key[BLS_SECRET_KEY_SIZE], public_key[BLS_PUBLIC_KEY_SIZE] = {0};

	(void)state;
	assert_false(bls_public_key_matches(zero, public_key));
	assert_false(bls_public_key_matches(ORDER, public_key));
	for (unsigned small = 1; small < 300; small++) {
		memset(key, 0, sizeof key);
		key[30] = (uint8_t)(small >> 8);
		key[31] = (uint8_t)small;
		assert_matches(key);
	}
	for (unsigned below = 1; below < 100; below++) {
		memcpy(key, ORDER, sizeof key);
		key[30] = (uint8_t)(key[30] - (below > key[31]));
		key[31] = (uint8_t)(key[31] - below);
		if (below <= ORDER[31])
			assert_matches(key);
	}
	for (unsigned bit = 1; bit < 254; bit++) {
		memset(key, 0, sizeof key);
		key[31 - bit / 8] = (uint8_t)(1u << bit % 8);
		assert_matches(key);
		for (unsigned i = 0; i < bit / 8; i++)
			key[31 - i] = 0xff;
		assert_matches(key);
	}
	for (unsigned i = 0; i < 1000; i++) {
		struct secret random = {0};
		struct error error;

		assert_ok(bls_secret_key_generate(&random, &error), &error);
		assert_matches(random.data);
		secret_done(&random);
	}
}

static void test_secret_key_range(void **state)
{
	uint8_t key[32] = {0};
	uint8_t expected[BLS_PUBLIC_KEY_SIZE];
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	struct error error = {0};

	(void)state;
	assert_false(bls_secret_key_valid(key));
	memcpy(key, ORDER, sizeof key);
	assert_false(bls_secret_key_valid(key));
	key[31] = 2;
	assert_false(bls_secret_key_valid(key));
	memset(key, 0xff, sizeof key);
	assert_false(bls_secret_key_valid(key));

	/* 1 gives the generator, r-1 its negative, which differs in the sign bit only. */
	assert_true(hex_decode(view_of_text(GENERATOR), expected, sizeof expected));
	memset(key, 0, sizeof key);
	key[31] = 1;
	assert_true(bls_secret_key_valid(key));
	assert_ok(bls_public_key_derive(key, public_key, &error), &error);
	assert_memory_equal(public_key, expected, sizeof expected);
	memcpy(key, ORDER, sizeof key);
	key[31] = 0;
	assert_true(bls_secret_key_valid(key));
	assert_ok(bls_public_key_derive(key, public_key, &error), &error);
	expected[0] ^= 0x20;
	assert_memory_equal(public_key, expected, sizeof expected);
}

static void test_derive_refuses_and_leaves_output(void **state)
{
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t untouched[BLS_PUBLIC_KEY_SIZE];
	struct error error = {0};

	(void)state;
	memset(public_key, 0xa5, sizeof public_key);
	memset(untouched, 0xa5, sizeof untouched);
	assert_false(bls_public_key_derive(ORDER, public_key, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "BLS secret key");
	assert_memory_equal(public_key, untouched, sizeof untouched);
}

static void test_generate(void **state)
{
	AUTO_SECRET struct secret first = {0};
	AUTO_SECRET struct secret second = {0};
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t signature[BLS_SIGNATURE_SIZE];
	const uint8_t message[32] = {1, 2, 3};
	struct error error = {0};

	(void)state;
	assert_ok(bls_secret_key_generate(&first, &error), &error);
	assert_ok(bls_secret_key_generate(&second, &error), &error);
	assert_int_equal(first.size, BLS_SECRET_KEY_SIZE);
	assert_false(secret_equal(secret_view(&first), secret_view(&second)));
	assert_true(bls_secret_key_valid(first.data));
	assert_ok(bls_public_key_derive(first.data, public_key, &error), &error);
	bls_sign(first.data, message, signature);
	assert_true(bls_verify(public_key, view_of(message, sizeof message), signature));
	assert_ok(bls_public_key_derive(second.data, public_key, &error), &error);
	assert_false(bls_verify(public_key, view_of(message, sizeof message), signature));
}

static void test_verify_refuses_any_change(void **state)
{
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t message[32];
	uint8_t signature[BLS_SIGNATURE_SIZE];

	(void)state;
	make_pair(public_key, message, signature);
	assert_false(bls_verify(public_key, view_of(message, 31), signature));
	assert_false(bls_verify(public_key, view_of(NULL, 0), signature));
	for (size_t i = 0; i < sizeof message; i += 5) {
		message[i] ^= 1;
		assert_false(bls_verify(public_key, view_of(message, sizeof message), signature));
		message[i] ^= 1;
	}
	for (size_t i = 0; i < sizeof signature; i += 13) {
		signature[i] ^= 1;
		assert_false(bls_verify(public_key, view_of(message, sizeof message), signature));
		signature[i] ^= 1;
	}
	signature[0] ^= 0x20;
	assert_false(bls_verify(public_key, view_of(message, sizeof message), signature));
	signature[0] ^= 0x20;
	public_key[0] ^= 0x20;
	assert_false(bls_verify(public_key, view_of(message, sizeof message), signature));
}

static void test_verify_refuses_infinity(void **state)
{
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t message[32];
	uint8_t signature[BLS_SIGNATURE_SIZE];
	const uint8_t infinite_key[BLS_PUBLIC_KEY_SIZE] = {0xc0};
	const uint8_t infinite_signature[BLS_SIGNATURE_SIZE] = {0xc0};

	(void)state;
	make_pair(public_key, message, signature);
	assert_false(bls_verify(infinite_key, view_of(message, sizeof message), infinite_signature));
	assert_false(bls_verify(infinite_key, view_of(message, sizeof message), signature));
	assert_false(bls_verify(public_key, view_of(message, sizeof message), infinite_signature));
}

static void order_little_endian(uint8_t ret_order[32])
{
	for (size_t i = 0; i < 32; i++)
		ret_order[i] = ORDER[31 - i];
}

/*
 * A point of the cofactor's subgroup pairs to one with everything: added to a good key or signature it changes the bytes but
 * not the pairing equation. Only the subgroup check tells the two apart.
 */
static void test_verify_refuses_key_outside_subgroup(void **state)
{
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t message[32];
	uint8_t signature[BLS_SIGNATURE_SIZE];
	uint8_t candidate[BLS_PUBLIC_KEY_SIZE] = {0x80};
	uint8_t order[32];
	blst_p1_affine affine;
	blst_p1 stray;

	(void)state;
	make_pair(public_key, message, signature);
	assert_true(bls_public_key_valid(public_key));
	order_little_endian(order);
	do {
		assert_true(++candidate[47] != 0);
	} while (blst_p1_uncompress(&affine, candidate) != BLST_SUCCESS || blst_p1_affine_in_g1(&affine));
	blst_p1_from_affine(&stray, &affine);
	blst_p1_unchecked_mult(&stray, &stray, order, 255);
	assert_false(blst_p1_is_inf(&stray));
	assert_int_equal(blst_p1_uncompress(&affine, public_key), BLST_SUCCESS);
	blst_p1_add_or_double_affine(&stray, &stray, &affine);
	blst_p1_compress(public_key, &stray);
	assert_int_equal(blst_p1_uncompress(&affine, public_key), BLST_SUCCESS);
	assert_false(blst_p1_affine_in_g1(&affine));
	assert_false(bls_public_key_valid(public_key));
	assert_false(bls_verify(public_key, view_of(message, sizeof message), signature));
}

static void test_verify_refuses_signature_outside_subgroup(void **state)
{
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint8_t message[32];
	uint8_t signature[BLS_SIGNATURE_SIZE];
	uint8_t candidate[BLS_SIGNATURE_SIZE] = {0x80};
	uint8_t order[32];
	blst_p2_affine affine;
	blst_p2 stray;

	(void)state;
	make_pair(public_key, message, signature);
	order_little_endian(order);
	do {
		assert_true(++candidate[95] != 0);
	} while (blst_p2_uncompress(&affine, candidate) != BLST_SUCCESS || blst_p2_affine_in_g2(&affine));
	blst_p2_from_affine(&stray, &affine);
	blst_p2_unchecked_mult(&stray, &stray, order, 255);
	assert_false(blst_p2_is_inf(&stray));
	assert_int_equal(blst_p2_uncompress(&affine, signature), BLST_SUCCESS);
	blst_p2_add_or_double_affine(&stray, &stray, &affine);
	blst_p2_compress(signature, &stray);
	assert_int_equal(blst_p2_uncompress(&affine, signature), BLST_SUCCESS);
	assert_false(blst_p2_affine_in_g2(&affine));
	assert_false(bls_verify(public_key, view_of(message, sizeof message), signature));
}

/* Before the heap exists: nothing may be generated into ordinary memory. */
static void test_generate_needs_protected_memory(void **state)
{
	AUTO_SECRET struct secret key = {0};
	struct error error = {0};

	(void)state;
	assert_false(bls_secret_key_generate(&key, &error));
	assert_null(key.data);
	assert_message_contains(&error, "new BLS key");
	assert_ok(secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error), &error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generate_needs_protected_memory),
		cmocka_unit_test(test_public_sign_vectors),
		cmocka_unit_test(test_public_verify_vectors),
		cmocka_unit_test(test_public_deserialization_vectors),
		cmocka_unit_test(test_own_signing_vectors),
		cmocka_unit_test(test_public_key_matches),
		cmocka_unit_test(test_secret_key_range),
		cmocka_unit_test(test_derive_refuses_and_leaves_output),
		cmocka_unit_test(test_generate),
		cmocka_unit_test(test_verify_refuses_any_change),
		cmocka_unit_test(test_verify_refuses_infinity),
		cmocka_unit_test(test_verify_refuses_key_outside_subgroup),
		cmocka_unit_test(test_verify_refuses_signature_outside_subgroup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
