/* SPDX-License-Identifier: Apache-2.0 */
/* Every product beside blst's own. G2_COMB_SCALARS says how many random scalars; `ninja test-g2-comb-million` takes a million. */
#include "crypto/g2_comb.h"

#include <stdlib.h>

#include "crypto/bls.h"
#include "vectors.h"

#define SCALARS 4000
#define SCALARS_PER_POINT 500

static struct g2_comb comb;
static blst_p2 point;

static void next_point(uint64_t number)
{
	uint8_t root[32] = {0};

	store_le64(root, number);
	bls_hash_root(root, &point);
	assert_true(g2_comb_build(&comb, &point));
}

static void check(const blst_scalar *scalar)
{
	uint8_t expected[BLS_SIGNATURE_SIZE], got[BLS_SIGNATURE_SIZE];
	blst_p2 product;

	assert_true(blst_sk_check(scalar));
	blst_sign_pk_in_g1(&product, &point, scalar);
	blst_p2_compress(expected, &product);
	g2_comb_multiply(&comb, scalar, 1, &product);
	blst_p2_compress(got, &product);
	assert_memory_equal(got, expected, sizeof got);
}

/* The scalar and its negative; zero is no scalar. */
static void check_both(const blst_scalar *scalar)
{
	static const blst_scalar zero = {{0}};
	blst_scalar negative;

	if (!blst_sk_check(scalar))
		return;
	check(scalar);
	assert_true(blst_sk_sub_n_check(&negative, &zero, scalar));
	check(&negative);
}

static blst_scalar product_of(const blst_scalar *a, const blst_scalar *b)
{
	blst_scalar product;

	(void)blst_sk_mul_n_check(&product, a, b);
	return product;
}

static blst_scalar scalar_of(uint64_t low)
{
	const uint64_t words[4] = {low};
	blst_scalar scalar;

	blst_scalar_from_uint64(&scalar, words);
	return scalar;
}

static void small_ones_and_their_negatives(void **state)
{
	(void)state;
	next_point(1);
	for (uint64_t i = 1; i <= 300; i++) {
		blst_scalar scalar = scalar_of(i);

		check_both(&scalar);
	}
}

/* Powers of two and their neighbours: every window's border. */
static void borders_of_windows(void **state)
{
	static const blst_scalar one = {{1}};

	(void)state;
	next_point(2);
	for (size_t bit = 0; bit < 255; bit++) {
		blst_scalar scalar = {{0}}, neighbour;

		scalar.b[bit / 8] = (uint8_t)(1u << bit % 8);
		check_both(&scalar);
		if (blst_sk_add_n_check(&neighbour, &scalar, &one))
			check_both(&neighbour);
		if (blst_sk_sub_n_check(&neighbour, &scalar, &one))
			check_both(&neighbour);
	}
}

/* Around the powers of X, where a word of the scalar begins, and where the last addition meets two equal points: k = 2 a3 X^3. */
static void borders_of_words(void **state)
{
	const uint64_t x = UINT64_C(0xd201000000010000);
	blst_scalar base = scalar_of(x), power = scalar_of(1);

	(void)state;
	next_point(3);
	for (size_t i = 0; i < 5; i++) {
		for (uint64_t j = 0; j < 20; j++) {
			blst_scalar small = scalar_of(j), sum, large = scalar_of(x - j), multiple = product_of(&power, &large);

			check_both(&multiple);
			if (blst_sk_add_n_check(&sum, &power, &small))
				check_both(&sum);
			if (blst_sk_sub_n_check(&sum, &power, &small))
				check_both(&sum);
			multiple = product_of(&power, &small);
			check_both(&multiple);
		}
		power = product_of(&power, &base);
	}
}

/* Multiplying by 2 and subtracting C turns a word of all bits, or of none, into each word of the scalar. */
static void words_of_all_digits(void **state)
{
	(void)state;
	next_point(4);
	for (unsigned i = 0; i < 256; i++) {
		blst_scalar scalar;

		memset(scalar.b, (int)i, sizeof scalar.b);
		scalar.b[31] &= 0x3f;
		check_both(&scalar);
	}
}

static void random_ones(void **state)
{
	const char *wanted = getenv("G2_COMB_SCALARS");
	uint64_t count = wanted ? strtoull(wanted, NULL, 10) : SCALARS;
	uint8_t seed[32] = {0};

	(void)state;
	for (uint64_t i = 0; i < count; i++) {
		blst_scalar scalar;

		if (i % SCALARS_PER_POINT == 0)
			next_point(100 + i);
		store_le64(seed, i);
		blst_keygen(&scalar, seed, sizeof seed, NULL, 0);
		check(&scalar);
	}
}

/* Together as one by one, whatever the others are; equal ones too. */
static void several_at_one_time(void **state)
{
	blst_scalar scalars[G2_COMB_BATCH_MAX];
	blst_p2 products[G2_COMB_BATCH_MAX];
	uint8_t expected[BLS_SIGNATURE_SIZE], got[BLS_SIGNATURE_SIZE], seed[32] = {0};

	(void)state;
	next_point(5);
	for (uint64_t i = 0; i < G2_COMB_BATCH_MAX; i++) {
		store_le64(seed, i / 2);
		blst_keygen(&scalars[i], seed, sizeof seed, NULL, 0);
	}
	scalars[3] = scalar_of(1);
	for (size_t count = 1; count <= G2_COMB_BATCH_MAX; count++) {
		g2_comb_multiply(&comb, scalars, count, products);
		for (size_t i = 0; i < count; i++) {
			blst_p2 product;

			blst_sign_pk_in_g1(&product, &point, &scalars[i]);
			blst_p2_compress(expected, &product);
			blst_p2_compress(got, &products[i]);
			assert_memory_equal(got, expected, sizeof got);
		}
	}
}

static void infinity_has_no_table(void **state)
{
	const blst_p2 infinity = {0};

	(void)state;
	assert_false(g2_comb_build(&comb, &infinity));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_ones_and_their_negatives),
		cmocka_unit_test(borders_of_windows),
		cmocka_unit_test(borders_of_words),
		cmocka_unit_test(words_of_all_digits),
		cmocka_unit_test(random_ones),
		cmocka_unit_test(several_at_one_time),
		cmocka_unit_test(infinity_has_no_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
