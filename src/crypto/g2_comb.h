/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One point of G2 multiplied by many secret scalars: all validators of a slot sign the same root, so what their signatures have in common
 * is worked out once, and what several of them need at one time is shared. Why this way: docs/decisions/0016-comb.md.
 *
 * The method. X is BLS12-381's parameter without its sign, r = X^4 - X^2 + 1, and psi, a map that costs less than an addition, multiplies a
 * point of G2 by -X. A scalar k below r becomes s = (k + C) / 2 mod r, which is written in base X as four 64-bit words s0..s3. Reading
 * every bit of a word as +1 or -1 instead of 1 or 0 gives a_i = 2 s_i - (2^64 - 1), and C is chosen so that
 *
 *     k = a0 + a1 X + a2 X^2 + a3 X^3 mod r          k P = a0 P - psi(a1 P - psi(a2 P - psi(a3 P)))
 *
 * Six bits of a word, read so, are one of the odd digits -63..63, never zero: a digit needs no carry, and no point at infinity is ever
 * looked up. The table holds the odd multiples 1, 3, .. 63 of P, 2^6 P, 2^12 P and so on, in affine coordinates; the same table serves all
 * four words. Four bits are left for the last window. Points are added in pairs, in affine coordinates, with one inversion for all pairs of
 * a round, those of all scalars that are multiplied together.
 *
 * No exception can occur. An affine addition fails for two points that are equal, opposite or infinite.
 * - Within a word, a sum of neighbouring digits is an odd multiple of a power of two, that of its lowest digit. The two sums of a pair
 *   begin at different digits, so as integers they differ in how often two divides them: neither is zero, and they are not equal nor
 *   opposite. They are below 2^64, far below r, so the same holds of the points.
 * - a0 P - psi(a1 P): a0 is odd, a1 X is even and not zero, both are below 2^129 in size: the same argument. So for a2 and a3.
 * - The last addition can meet two equal points (k = 2 a3 X^3 for some a3 is one): blst's complete addition makes it.
 *
 * Constant time. No branch and no address depends on the scalar: a look-up reads all entries of its window and selects by masks, the digits are worked out by multiplications, additions and shifts, and blst's field arithmetic has no secret-dependent branches but one
 * that always goes the same way: an inversion checks its own result. tests/unit/crypto/ct_g2_comb.c shows it: valgrind follows the
 * secret's bits.
 */
#pragma once

#include <blst.h>

#include "base/error.h"

#define G2_COMB_WINDOW_BITS 6
#define G2_COMB_WINDOWS 11
#define G2_COMB_ENTRIES (1 << (G2_COMB_WINDOW_BITS - 1))
/* Scalars at one time: beyond these there is little left to share. */
#define G2_COMB_BATCH_MAX 8

/* 66 KiB, which fits a core's second cache. Public. */
struct g2_comb {
	blst_p2_affine table[G2_COMB_WINDOWS][G2_COMB_ENTRIES]; /* [j][i] is (2 i + 1) 2^(6 j) P; of the last window a quarter */
};

/* `point` is in G2 and not infinity, as every hash to the curve is: false when it is infinity. */
MUST_USE bool g2_comb_build(struct g2_comb *comb, const blst_p2 *point);
/* For each scalar what blst_sign_pk_in_g1() gives; 0 < scalar < r, and 1 to G2_COMB_BATCH_MAX of them. Takes 100 KiB of stack. */
void g2_comb_multiply(const struct g2_comb *comb, const blst_scalar *scalars, size_t count, blst_p2 *ret_products);
