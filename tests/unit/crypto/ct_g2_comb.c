/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For valgrind: the scalar is marked as undefined, so every branch and every address that depends on it is an error, and there must be
 * none. That errors are seen at all is shown first, with a look-up that goes straight to its entry and one that branches.
 */
#include <stdio.h>
#include <valgrind/memcheck.h>

#include "crypto/bls.h"
#include "crypto/g1_base.h"

#define SKIPPED 77

static struct g2_comb comb;

/* What look_up() must not be. The result decides nothing here. */
static void leaky_by_address(const blst_scalar *scalar, blst_p2 *ret_point)
{
	blst_p2_from_affine(ret_point, &comb.table[0][scalar->b[0] % G2_COMB_ENTRIES]);
}

static void leaky_by_branch(const blst_scalar *scalar, blst_p2 *ret_point)
{
	blst_p2_from_affine(ret_point, &comb.table[0][0]);
	if (scalar->b[0] & 1)
		blst_p2_double(ret_point, ret_point);
}

static void careful(const blst_scalar *scalar, blst_p2 *ret_point)
{
	g2_comb_multiply(&comb, scalar, 1, ret_point);
}

/* A batch, up to the points that are public once they are written down. */
static void careful_together(const blst_scalar *scalar, blst_p2 *ret_point)
{
	blst_scalar scalars[G2_COMB_BATCH_MAX];
	blst_p2 products[G2_COMB_BATCH_MAX];
	blst_p2_affine affine[G2_COMB_BATCH_MAX];
	const blst_p2 *const all[] = {products, NULL};

	for (size_t i = 0; i < G2_COMB_BATCH_MAX; i++)
		scalars[i] = *scalar;
	g2_comb_multiply(&comb, scalars, G2_COMB_BATCH_MAX, products);
	blst_p2s_to_affine(affine, all, G2_COMB_BATCH_MAX);
	*ret_point = products[0];
}

/* The generator of G1, for public keys. */
static void careful_in_g1(const blst_scalar *scalar, blst_p2 *ret_point)
{
	blst_p1 product;

	(void)ret_point;
	g1_base_multiply(scalar, &product);
}

static unsigned errors_of(void (*multiply)(const blst_scalar *scalar, blst_p2 *ret_point))
{
	blst_scalar scalar = {{0x17, 0x2a, 0x99}};
	unsigned before = (unsigned)VALGRIND_COUNT_ERRORS;
	blst_p2 product;

	(void)VALGRIND_MAKE_MEM_UNDEFINED(&scalar, sizeof scalar);
	multiply(&scalar, &product);
	return (unsigned)VALGRIND_COUNT_ERRORS - before;
}

int main(void)
{
	static const uint8_t root[32] = {1};
	unsigned by_address, by_branch, carefully, together, in_g1;
	blst_p2 point;

	if (!RUNNING_ON_VALGRIND)
		return SKIPPED;
	bls_hash_root(root, &point);
	if (!g2_comb_build(&comb, &point))
		return 1;
	by_address = errors_of(leaky_by_address);
	by_branch = errors_of(leaky_by_branch);
	carefully = errors_of(careful);
	together = errors_of(careful_together);
	in_g1 = errors_of(careful_in_g1);
	(void)printf("dependencies on the secret: address %u, branch %u, comb %u, batch %u, G1 %u\n", by_address, by_branch,
		     carefully, together, in_g1);
	return by_address > 0 && by_branch > 0 && carefully == 0 && together == 0 && in_g1 == 0 ? 0 : 1;
}
