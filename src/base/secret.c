/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <openssl/crypto.h>

/* Smallest block that the secure heap hands out: a BLS secret key. */
#define SECRET_HEAP_MIN_BLOCK 32

static bool heap_init(size_t size, bool unlocked_ok, struct error *error)
{
	int result;

	if (CRYPTO_secure_malloc_initialized())
		return true;
	result = CRYPTO_secure_malloc_init(size, SECRET_HEAP_MIN_BLOCK);
	if (result == 0)
		return error_set(error, ERROR_IO, "cannot reserve %zu bytes of protected memory", size);
	/* 2: reserved, but mlock or the guard pages failed. */
	if (result != 2 || unlocked_ok)
		return true;
	/* Not kept: a second call would find a heap, and believe it locked. */
	(void)CRYPTO_secure_malloc_done();
	return error_set(error, ERROR_IO,
			 "cannot lock %zu bytes of memory for keys: raise the locked-memory limit (ulimit -l, LimitMEMLOCK)", size);
}

bool secret_heap_init(size_t size, struct error *error)
{
	return heap_init(size, false, error);
}

bool secret_heap_init_unlocked_ok(size_t size, struct error *error)
{
	return heap_init(size, true, error);
}

bool secret_init(struct secret *secret, size_t size, struct error *error)
{
	void *data;

	*secret = (struct secret){0};
	if (!CRYPTO_secure_malloc_initialized())
		return error_set(error, ERROR_BUG, "secret memory used before secret_heap_init()");
	data = OPENSSL_secure_zalloc(size ? size : 1);
	if (!data)
		return error_set(error, ERROR_IO, "protected memory is full (%zu more bytes wanted)", size);
	/* OpenSSL falls back to the ordinary heap only when the secure one was never made; be certain all the same. */
	if (!CRYPTO_secure_allocated(data)) {
		OPENSSL_clear_free(data, size ? size : 1);
		return error_set(error, ERROR_BUG, "protected memory came from the ordinary heap");
	}
	secret->data = (uint8_t *)data;
	secret->size = size;
	return true;
}

bool secret_init_copy(struct secret *secret, struct view bytes, struct error *error)
{
	if (!secret_init(secret, bytes.size, error))
		return false;
	if (bytes.size)
		memcpy(secret->data, bytes.data, bytes.size);
	return true;
}

bool secret_init_base64(struct secret *secret, struct view text, const char *field, struct error *error)
{
	size_t size = base64_decoded_size(text);

	*secret = (struct secret){0};
	if (size == SIZE_MAX)
		return error_set(error, ERROR_INPUT, "%s: not base64", field);
	if (!secret_init(secret, size, error))
		return false;
	if (base64_decode_into(text, secret->data, size))
		return true;
	secret_done(secret);
	return error_set(error, ERROR_INPUT, "%s: not base64", field);
}

bool secret_init_hex(struct secret *secret, struct view text, size_t size, const char *field, struct error *error)
{
	if (!secret_init(secret, size, error))
		return false;
	if (hex_decode(text, secret->data, size))
		return true;
	secret_done(secret);
	return error_set(error, ERROR_INPUT, "%s: not %zu bytes of hex", field, size);
}

void secret_done(struct secret *secret)
{
	if (!secret)
		return;
	if (secret->data)
		OPENSSL_secure_clear_free(secret->data, secret->size ? secret->size : 1);
	*secret = (struct secret){0};
}

bool secret_equal(struct view a, struct view b)
{
	return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}

void secret_wipe(void *data, size_t size)
{
	/* An empty one may have no memory. */
	if (size > 0)
		explicit_bzero(data, size);
}

void buffer_wipe_done(struct buffer *buffer)
{
	if (buffer && buffer->data)
		secret_wipe(buffer->data, buffer->capacity);
	buffer_done(buffer);
}
