/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures for roots that many keys sign. Since Electra all validators of a slot vote for one root; RANDAO reveals of an epoch, selection
 * proofs of a slot and votes of the sync committee for a block are alike in the same way. A root's point (its hash to the curve) is kept,
 * and from the second request on a table of the point's multiples (crypto/g2_comb.h).
 *
 * Public data only. All memory is taken at the start; pages that hold no table yet cost nothing. For any thread: a lock is held for
 * comparing roots, never for mathematics, and a thread that would have to wait for another's hash or table works without it.
 */
#pragma once

#include "crypto/bls.h"

/*
 * Roots that are remembered; the one that was asked for longest ago makes room. A slot has some ten that repeat, and aggregators each one
 * that does not. 66 KiB each with its table: 8.3 MiB, once all of them had one.
 */
#define KEEPER_POINTS_MAX 128

struct keeper_points;

struct keeper_points *keeper_points_new(void);
void keeper_points_free(struct keeper_points *points);

/*
 * What bls_sign() does, for up to G2_COMB_BATCH_MAX keys. The signature that a table is made for is computed both ways: a table that
 * disagrees, in memory that failed, is never used.
 */
void keeper_points_sign(struct keeper_points *points, const uint8_t signing_root[32], const struct bls_signing *signings,
			size_t count);

/* For tests: points and tables there are. */
void keeper_points_measure(struct keeper_points *points, size_t *ret_points, size_t *ret_tables);
