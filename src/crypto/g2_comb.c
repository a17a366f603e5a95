/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/g2_comb.h"

#include "base/secret.h"
#include "crypto/table_select.h"

#define WORDS 4
#define WORD_BITS 64
#define LAST_WINDOW (G2_COMB_WINDOWS - 1)
#define LAST_WINDOW_BITS (WORD_BITS - LAST_WINDOW * G2_COMB_WINDOW_BITS)
/* The largest round, a table's last. */
#define ADDITIONS_MAX (G2_COMB_WINDOWS * G2_COMB_ENTRIES / 2)
_Static_assert(G2_COMB_BATCH_MAX *WORDS *(G2_COMB_WINDOWS / 2) <= ADDITIONS_MAX, "a multiplication's first round is smaller");

/* *to = *a + *b; `to` may be one of them, but nothing that another addition of the round reads. */
struct addition {
	blst_p2_affine *to;
	const blst_p2_affine *a;
	const blst_p2_affine *b;
};

/* ---- affine additions ---- */

/* Sums of secret digits' points: wiped once a round, not once an addition. */
struct scratch {
	blst_p2_affine a;
	blst_fp2 slope, x;
	blst_fp2 inverse, one;
};

/* `slope_divisor` is 1 / (b.x - a.x). */
static void add_affine(const struct addition *addition, const blst_fp2 *slope_divisor, struct scratch *scratch)
{
	blst_p2_affine *a = &scratch->a;
	const blst_p2_affine *b = addition->b;
	blst_fp2 *slope = &scratch->slope, *x = &scratch->x;

	*a = *addition->a;
	blst_fp2_sub(slope, &b->y, &a->y);
	blst_fp2_mul(slope, slope, slope_divisor);
	blst_fp2_sqr(x, slope);
	blst_fp2_sub(x, x, &a->x);
	blst_fp2_sub(x, x, &b->x);
	addition->to->x = *x;
	blst_fp2_sub(x, &a->x, x);
	blst_fp2_mul(x, x, slope);
	blst_fp2_sub(&addition->to->y, x, &a->y);
}

/* Montgomery's trick: the inverse of the product of all differences, and from it that of each, last one first. */
static void add_all(const struct addition *additions, size_t count)
{
	blst_fp2 products[ADDITIONS_MAX]; /* of the differences up to here */
	blst_fp2 differences[ADDITIONS_MAX];
	struct scratch scratch;

	if (count == 0)
		return;
	blst_fp2_sub(&products[0], &additions[0].b->x, &additions[0].a->x);
	for (size_t i = 1; i < count; i++) {
		blst_fp2_sub(&differences[i], &additions[i].b->x, &additions[i].a->x);
		blst_fp2_mul(&products[i], &products[i - 1], &differences[i]);
	}
	blst_fp2_eucl_inverse(&scratch.inverse, &products[count - 1]);
	for (size_t i = count - 1; i > 0; i--) {
		blst_fp2_mul(&scratch.one, &scratch.inverse, &products[i - 1]);
		blst_fp2_mul(&scratch.inverse, &scratch.inverse, &differences[i]);
		add_affine(&additions[i], &scratch.one, &scratch);
	}
	add_affine(&additions[0], &scratch.inverse, &scratch);
	secret_wipe(&scratch, sizeof scratch);
	secret_wipe(products, count * sizeof *products);
	secret_wipe(differences, count * sizeof *differences);
}

static size_t bits_of_window(size_t window)
{
	return window == LAST_WINDOW ? LAST_WINDOW_BITS : G2_COMB_WINDOW_BITS;
}

/* ---- the table ---- */

/* P, 2 P, 4 P .. 2^63 P. */
static void double_up(const blst_p2 *point, blst_p2_affine powers[WORD_BITS])
{
	blst_p2 doubled[WORD_BITS];
	const blst_p2 *all[] = {doubled, NULL};

	doubled[0] = *point;
	for (size_t i = 1; i < WORD_BITS; i++)
		blst_p2_double(&doubled[i], &doubled[i - 1]);
	blst_p2s_to_affine(powers, all, WORD_BITS);
}

bool g2_comb_build(struct g2_comb *comb, const blst_p2 *point)
{
	blst_p2_affine powers[WORD_BITS];
	struct addition additions[ADDITIONS_MAX];

	if (blst_p2_is_inf(point))
		return false;
	double_up(point, powers);
	for (size_t j = 0; j < G2_COMB_WINDOWS; j++)
		comb->table[j][0] = powers[j * G2_COMB_WINDOW_BITS];
	/* What there is of a window, and 2, then 4, then 8 times its first point, is as much again: 1; 3; 5, 7; 9 .. 15; .. */
	for (size_t bit = 1; bit < G2_COMB_WINDOW_BITS; bit++) {
		size_t have = (size_t)1 << (bit - 1), count = 0;

		for (size_t j = 0; j < G2_COMB_WINDOWS && bit < bits_of_window(j); j++) {
			for (size_t i = 0; i < have; i++)
				additions[count++] = (struct addition){.to = &comb->table[j][have + i],
								       .a = &comb->table[j][i],
								       .b = &powers[j * G2_COMB_WINDOW_BITS + bit]};
		}
		add_all(additions, count);
	}
	return true;
}

/* ---- the scalar ---- */

/* X begins with a set bit, as the division wants it, and RECIPROCAL is (2^128 - 1) / X - 2^64. */
#define X UINT64_C(0xd201000000010000)
#define RECIPROCAL UINT64_C(0x381204ca56cd56b5)

/* The mask of a < b; a comparison could become a branch. */
static uint64_t mask_below(uint64_t a, uint64_t b)
{
	return (uint64_t)0 - (((~a & b) | ((~a | b) & (a - b))) >> 63);
}

/* (high 2^64 + low) / X, where high < X, without a division, whose time depends on its operands: Möller and Granlund 2011, algorithm 4. */
static uint64_t divide(uint64_t high, uint64_t low, uint64_t *ret_rest)
{
	unsigned __int128 estimate = (unsigned __int128)RECIPROCAL * high + (((unsigned __int128)high << 64) | low);
	uint64_t quotient = (uint64_t)(estimate >> 64) + 1;
	uint64_t rest = low - quotient * X;
	uint64_t mask = mask_below((uint64_t)estimate, rest);

	quotient += mask;
	rest += mask & X;
	mask = ~mask_below(rest, X);
	*ret_rest = rest - (mask & X);
	return quotient - mask;
}

/* (k + C) / 2 mod r, in base X. */
static void split(const blst_scalar *scalar, uint64_t words[WORDS])
{
	static const blst_scalar half = {{0x01, 0x00, 0x00, 0x80, 0xff, 0xff, 0xff, 0x7f, 0xff, 0x2d, 0xff,
					  0x7f, 0x01, 0xd2, 0xde, 0xa9, 0x02, 0xec, 0xd0, 0x04, 0x04, 0xec,
					  0x9c, 0x19, 0xa4, 0xbe, 0xce, 0x94, 0xa9, 0xd3, 0xf6, 0x39}};
	/* C = (2^64 - 1) (1 + X + X^2 + X^3). */
	static const blst_scalar half_c = {{0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x96, 0xff, 0xff, 0xfe,
					    0x44, 0xfd, 0xdb, 0xfd, 0xf2, 0x95, 0xe3, 0x2f, 0x7b, 0x96, 0x7f,
					    0xde, 0x6b, 0xc4, 0xc3, 0x32, 0xa6, 0xbd, 0x12, 0xb2, 0x0c}};
	blst_scalar sum;

	/* They also say whether the result is zero, which may be: it has digits like any other. */
	(void)blst_sk_mul_n_check(&sum, scalar, &half);
	(void)blst_sk_add_n_check(&sum, &sum, &half_c);
	blst_uint64_from_scalar(words, &sum);
	/* Each pass divides what is left, top word first; the rest is the next word of the result. */
	for (size_t i = 0; i < WORDS - 1; i++) {
		uint64_t rest = 0;

		for (size_t j = WORDS; j > i; j--)
			words[j - 1] = divide(rest, words[j - 1], &rest);
		/* The quotient moves up by one, and its top word, which is zero, makes room. */
		for (size_t j = WORDS - 1; j > i; j--)
			words[j] = words[j - 1];
		words[i] = rest;
	}
	secret_wipe(&sum, sizeof sum);
}

/* ---- the product ---- */

/* Bits b3 b2 b1 b0 stand for ±8 ±4 ±2 ±1; with the top one clear the digit is the negative of what the other way round it would be. */
static void look_up(const struct g2_comb *comb, size_t window, uint64_t word, blst_p2_affine *ret_point)
{
	size_t bits = bits_of_window(window);
	uint64_t count = UINT64_C(1) << (bits - 1);
	uint64_t digit = word >> (window * G2_COMB_WINDOW_BITS) & (2 * count - 1);
	uint64_t is_negative = ~(digit >> (bits - 1)) & 1;

	table_select(comb->table[window], sizeof *ret_point / sizeof(table_vector), count,
		     (digit ^ (0 - is_negative)) & (count - 1), ret_point);
	blst_fp2_cneg(&ret_point->y, &ret_point->y, is_negative);
}

/* Of one scalar: a point for every digit. */
typedef blst_p2_affine digit_points[WORDS][G2_COMB_WINDOWS];

static void look_up_all(const struct g2_comb *comb, const blst_scalar *scalar, digit_points points)
{
	uint64_t words[WORDS];

	split(scalar, words);
	for (size_t j = 0; j < G2_COMB_WINDOWS; j++) {
		for (size_t i = 0; i < WORDS; i++)
			look_up(comb, j, words[i], &points[i][j]);
	}
	secret_wipe(words, sizeof words);
}

/* The sum of each word's points, in its first: neighbours, then neighbouring pairs, and so on. What has no neighbour waits. */
static void sum_up(digit_points *points, size_t scalar_count)
{
	struct addition additions[ADDITIONS_MAX];

	for (size_t step = 1; step < G2_COMB_WINDOWS; step *= 2) {
		size_t count = 0;

		for (size_t i = 0; i < scalar_count * WORDS; i++) {
			blst_p2_affine *word = points[i / WORDS][i % WORDS];

			for (size_t j = 0; j + step < G2_COMB_WINDOWS; j += 2 * step)
				additions[count++] = (struct addition){&word[j], &word[j], &word[j + step]};
		}
		add_all(additions, count);
	}
}

/* point = -psi(point): conjugate both coordinates, multiply them by 1 / (1 + i)^((p - 1) / 3) and 1 / (1 + i)^((p - 1) / 2). */
static void negative_psi(blst_p2_affine *point)
{
	static const blst_fp x_factor = {{0x890dc9e4867545c3, 0x2af322533285a5d5, 0x50880866309b7e2c, 0xa20d1b8c7e881024,
					  0x14e4f04fe2db9068, 0x14e56d3f1564853a}};
	static const blst_fp2 y_factor = {{{{0x3e2f585da55c9ad1, 0x4294213d86c18183, 0x382844c88b623732, 0x92ad2afd19103e18,
					     0x1d794e4fac7cf0b9, 0x0bd592fc7d825ec8}},
					   {{0x7bcfa7a25aa30fda, 0xdc17dec12a927e7c, 0x2f088dd86b4ebef1, 0xd1ca2087da74d4a7,
					     0x2da2596696cebc1d, 0x0e2b7eedbbfd87d2}}}};
	blst_fp2 x;

	/* The first factor is imaginary: (re - im i) (f i) = im f + re f i. */
	blst_fp_mul(&x.fp[0], &point->x.fp[1], &x_factor);
	blst_fp_mul(&x.fp[1], &point->x.fp[0], &x_factor);
	point->x = x;
	/* The negative of the conjugate. */
	blst_fp_cneg(&point->y.fp[0], &point->y.fp[0], true);
	blst_fp2_mul(&point->y, &point->y, &y_factor);
	secret_wipe(&x, sizeof x);
}

/* Of each scalar two sums: a0 P - psi(a1 P) in the place of the first word, a2 P - psi(a3 P) in that of the third. */
static void join_words(digit_points *points, size_t scalar_count)
{
	struct addition additions[2 * G2_COMB_BATCH_MAX];
	size_t count = 0;

	for (size_t i = 0; i < scalar_count; i++) {
		for (size_t word = 0; word < WORDS; word += 2) {
			blst_p2_affine *sum = points[i][word], *other = points[i][word + 1];

			negative_psi(other);
			additions[count++] = (struct addition){sum, sum, other};
		}
	}
	add_all(additions, count);
}

void g2_comb_multiply(const struct g2_comb *comb, const blst_scalar *scalars, size_t count, blst_p2 *ret_products)
{
	digit_points points[G2_COMB_BATCH_MAX];

	for (size_t i = 0; i < count; i++)
		look_up_all(comb, &scalars[i], points[i]);
	sum_up(points, count);
	join_words(points, count);
	for (size_t i = 0; i < count; i++) {
		negative_psi(points[i][2]);
		negative_psi(points[i][2]);
		blst_p2_from_affine(&ret_products[i], points[i][0]);
		blst_p2_add_or_double_affine(&ret_products[i], &ret_products[i], points[i][2]);
	}
	secret_wipe(points, count * sizeof *points);
}
