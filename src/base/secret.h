/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that must not leak: keys, passwords, decrypted blobs, session tokens.
 *
 * They live on OpenSSL's secure heap: locked in memory, between guard pages, left out of core dumps, wiped on release.
 * There is no printer for a secret anywhere in the tree, and none may be written. A process that handles secrets calls
 * secret_heap_init() once at start; without it secret_init() fails, it never falls back to the ordinary heap.
 */
#pragma once

#include "base/bytes.h"

/*
 * Room for 100,000 32-byte keys in chunks, plus working space; a power of two because the heap's buddy allocator wants
 * one; at most the usual RLIMIT_MEMLOCK (8 MiB), so that an ordinary user can run it. Pages are locked as they are touched.
 */
#define SECRET_HEAP_SIZE_KEEPER (8u << 20)
/* A decrypted KMS blob is at most 6 KiB; the largest secret elsewhere is a KMS answer of 64 KiB. */
#define SECRET_HEAP_SIZE_DEFAULT (1u << 20)

/* Owned secret bytes. {0} is empty. */
struct secret {
	uint8_t *data;
	size_t size;
};

/* Reserve and lock the heap. Fails (ERROR_IO) when memory cannot be locked: raise `ulimit -l`. Idempotent. */
MUST_USE bool secret_heap_init(size_t size, struct error *error);
/* The same for tests and tools on the operator's machine where locking may be forbidden: still guarded and wiped. */
MUST_USE bool secret_heap_init_unlocked_ok(size_t size, struct error *error);

/* `size` zero bytes. Fails when the heap is full or was never made. */
MUST_USE bool secret_init(struct secret *secret, size_t size, struct error *error);
/* A copy of `bytes`; the caller still has to wipe its own. */
MUST_USE bool secret_init_copy(struct secret *secret, struct view bytes, struct error *error);
/* Decode base64 or hex straight into a secret. */
MUST_USE bool secret_init_base64(struct secret *secret, struct view text, const char *field, struct error *error);
MUST_USE bool secret_init_hex(struct secret *secret, struct view text, size_t size, const char *field, struct error *error);
/* Wipes and releases; accepts NULL and {0}. */
void secret_done(struct secret *secret);
/* Constant time in the contents; sizes are not secret. */
bool secret_equal(struct view a, struct view b);
/* Wipe memory that held a secret for a moment (a stack copy, a library's struct). Never optimised away. */
void secret_wipe(void *data, size_t size);
/* buffer_done() for what held a secret: all of its memory is wiped, used or not. Accepts NULL and {0}. */
void buffer_wipe_done(struct buffer *buffer);

static inline struct view secret_view(const struct secret *secret)
{
	return view_of(secret->data, secret->size);
}

#define AUTO_SECRET CLEANUP(secret_done)
#define AUTO_WIPED_BUFFER CLEANUP(buffer_wipe_done)
