/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/openssl_memory.h"

#include <malloc.h>

#include <openssl/crypto.h>

static void *allocate(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(size);
}

static void wipe_and_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	if (!memory)
		return;
	OPENSSL_cleanse(memory, malloc_usable_size(memory));
	free(memory);
}

/* Never realloc(3): when it moves a block it leaves the old contents behind. */
static void *reallocate(void *memory, size_t size, const char *file, int line)
{
	size_t old_size = memory ? malloc_usable_size(memory) : 0;
	void *moved = malloc(size);

	if (!moved)
		return NULL;
	if (memory)
		memcpy(moved, memory, old_size < size ? old_size : size);
	wipe_and_free(memory, file, line);
	return moved;
}

bool openssl_use_wiping_memory(struct error *error)
{
	if (CRYPTO_set_mem_functions(allocate, reallocate, wipe_and_free) == 1)
		return true;
	return error_set(error, ERROR_BUG, "OpenSSL was used before it was told to wipe its memory");
}
