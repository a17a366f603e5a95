/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/g1_base.h"

#include <pthread.h>

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/table_select.h"

#define WINDOW_BITS 6
#define WINDOWS 43
#define ENTRIES (1 << (WINDOW_BITS - 1))

/* 129 KiB, public. [j][i] is (2 i + 1) 2^(6 j) G. */
static blst_p1_affine table[WINDOWS][ENTRIES];
static pthread_once_t made = PTHREAD_ONCE_INIT;

static void make_table(void)
{
	blst_p1 *points = (blst_p1 *)memory_allocate_zeroed((size_t)WINDOWS * ENTRIES, sizeof *points);
	const blst_p1 *const all[] = {points, NULL};
	blst_p1 power = *blst_p1_generator();

	for (size_t j = 0; j < WINDOWS; j++) {
		blst_p1 twice;

		blst_p1_double(&twice, &power);
		points[j * ENTRIES] = power;
		for (size_t i = 1; i < ENTRIES; i++)
			blst_p1_add_or_double(&points[j * ENTRIES + i], &points[j * ENTRIES + i - 1], &twice);
		for (size_t i = 0; i < WINDOW_BITS; i++)
			blst_p1_double(&power, &power);
	}
	blst_p1s_to_affine(&table[0][0], all, (size_t)WINDOWS * ENTRIES);
	free(points);
}

static void look_up(const blst_p1_affine entries[ENTRIES], uint64_t digit, blst_p1_affine *ret_point)
{
	uint64_t is_negative = ~(digit >> (WINDOW_BITS - 1)) & 1;

	table_select(entries, sizeof *entries / sizeof(table_vector), ENTRIES, (digit ^ (0 - is_negative)) & (ENTRIES - 1),
		     ret_point);
	blst_fp_cneg(&ret_point->y, &ret_point->y, is_negative);
}

/* Bits [6 j, 6 j + 6) of s, which has 255 and then zeros. */
static uint64_t digit_at(const uint64_t words[5], size_t j)
{
	size_t bit = j * WINDOW_BITS;
	unsigned __int128 two = (unsigned __int128)words[bit / 64 + 1] << 64 | words[bit / 64];

	return (uint64_t)(two >> bit % 64) & (2 * ENTRIES - 1);
}

/* (k + 2^258 - 1) / 2 mod r */
static void recode(const blst_scalar *scalar, uint64_t words[5])
{
	static const blst_scalar half = {{0x01, 0x00, 0x00, 0x80, 0xff, 0xff, 0xff, 0x7f, 0xff, 0x2d, 0xff,
					  0x7f, 0x01, 0xd2, 0xde, 0xa9, 0x02, 0xec, 0xd0, 0x04, 0x04, 0xec,
					  0x9c, 0x19, 0xa4, 0xbe, 0xce, 0x94, 0xa9, 0xd3, 0xf6, 0x39}};
	static const blst_scalar half_ones = {{0xfc, 0xff, 0xff, 0x7f, 0x03, 0x00, 0x00, 0x80, 0x03, 0xbe, 0x05,
					       0x80, 0xf5, 0x41, 0xe8, 0x5a, 0xed, 0x8b, 0x49, 0xde, 0xe3, 0x8b,
					       0xb5, 0x4c, 0x83, 0xc9, 0x58, 0xee, 0x5c, 0x36, 0x40, 0x6a}};
	blst_scalar sum;

	/* They also say whether the result is zero, which may be: it has digits like any other. */
	(void)blst_sk_mul_n_check(&sum, scalar, &half);
	(void)blst_sk_add_n_check(&sum, &sum, &half_ones);
	blst_uint64_from_scalar(words, &sum);
	words[4] = 0;
	secret_wipe(&sum, sizeof sum);
}

void g1_base_multiply(const blst_scalar *scalar, blst_p1 *ret_product)
{
	uint64_t words[5];
	blst_p1_affine point;
	blst_p1 sum;

	(void)pthread_once(&made, make_table);
	recode(scalar, words);
	look_up(table[0], digit_at(words, 0), &point);
	blst_p1_from_affine(&sum, &point);
	for (size_t j = 1; j < WINDOWS; j++) {
		look_up(table[j], digit_at(words, j), &point);
		blst_p1_add_or_double_affine(&sum, &sum, &point);
	}
	*ret_product = sum;
	secret_wipe(&sum, sizeof sum);
	secret_wipe(&point, sizeof point);
	secret_wipe(words, sizeof words);
}
