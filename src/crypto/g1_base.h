/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys: the generator of G1 multiplied by secret scalars. Whoever opens ten thousand keys does it twenty thousand times, and the
 * generator is always the same, so a table of its multiples is made once.
 *
 * A scalar k below r becomes s = (k + 2^258 - 1) / 2 mod r. Reading its bits, and zeros above them, as +1 and -1 gives k again. Six bits,
 * read so, are one of the odd digits -63..63, never zero; the table holds 1, 3, .. 63 times 2^(6 j) G.
 *
 * Constant time: a look-up reads all entries of its window and selects by masks, and blst's complete additions have no case that depends on
 * the points. tests/unit/crypto/ct_g2_comb.c has valgrind follow the secret's bits here too.
 */
#pragma once

#include <blst.h>

#include "base/error.h"

/* What blst_sk_to_pk_in_g1() gives; 0 < scalar < r. The first call makes the table, in a millisecond. From any thread. */
void g1_base_multiply(const blst_scalar *scalar, blst_p1 *ret_product);
