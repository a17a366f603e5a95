/* SPDX-License-Identifier: Apache-2.0 */
/* An entry of a table, chosen by a secret: all are read, and neither a branch nor an address depends on which one is wanted. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* What any processor of 64 bits has registers for. */
typedef uint64_t table_vector __attribute__((vector_size(16), aligned(8)));

/* An affine point of G2, the largest there is. */
#define TABLE_ENTRY_VECTORS_MAX 12

/*
 * Copies entry `index` of the first `count`, each of `vectors` table_vectors, a constant for the compiler, of which
 * TABLE_ENTRY_VECTORS_MAX is the most: it unrolls, so that all of them stay in registers, and none is left on the stack.
 */
__attribute__((always_inline)) static inline void table_select(const void *entries, size_t vectors, uint64_t count, uint64_t index,
							       void *ret_entry)
{
	const table_vector *parts = (const table_vector *)entries;
	table_vector selected[TABLE_ENTRY_VECTORS_MAX] = {{0}};

	for (uint64_t i = 0; i < count; i++, parts += vectors) {
		uint64_t mask = ((i ^ index) - 1) >> 63; /* 1 for the one */

		/* The compiler must not know that it is 0 or 1, or it could choose to branch. */
		__asm__("" : "+r"(mask));
		mask = 0 - mask;
#pragma GCC unroll 12
		for (size_t j = 0; j < vectors; j++)
			selected[j] |= parts[j] & mask;
	}
#pragma GCC unroll 12
	for (size_t j = 0; j < vectors; j++)
		((table_vector *)ret_entry)[j] = selected[j];
}
