/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two buffer types of the tree: `struct view` borrows bytes, `struct buffer` owns them. Wire data is never a char *.
 *
 * Running out of memory ends the process with a message: inside the enclave that is the safe answer, and it keeps every
 * append free of an error path. Nothing here bounds what a peer can make a buffer grow to; the reader that fills one does,
 * with a named constant.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

/* Borrowed bytes. The owner must outlive the view. `data` may be NULL when size is 0. */
struct view {
	const uint8_t *data;
	size_t size;
};

/* Owned bytes on the ordinary heap. {0} is an empty buffer. Not for secrets (struct secret). */
struct buffer {
	uint8_t *data;
	size_t size;
	size_t capacity;
};

static inline struct view view_of(const void *data, size_t size)
{
	return (struct view){.data = (const uint8_t *)data, .size = size};
}

static inline struct view view_of_text(const char *text)
{
	return view_of(text, strlen(text));
}

static inline struct view buffer_view(const struct buffer *buffer)
{
	return view_of(buffer->data, buffer->size);
}

/* Same size and same bytes. Not constant time; for secrets use secret_equal(). */
bool view_equal(struct view a, struct view b);
bool view_equal_text(struct view a, const char *text);

/* malloc and realloc that end the process when there is no memory. Sizes in bytes. */
void *memory_allocate(size_t size);
void *memory_allocate_zeroed(size_t count, size_t size);
char *memory_copy_text(const char *text);
/* asprintf that cannot fail; the caller frees. */
char *memory_format(const char *format, ...) PRINTF_LIKE(1, 2);

void buffer_done(struct buffer *buffer);                  /* frees, leaves {0}; accepts NULL and {0} */
void buffer_clear(struct buffer *buffer);                 /* size = 0, keeps the memory */
void buffer_reserve(struct buffer *buffer, size_t extra); /* room for `extra` more bytes */
void buffer_append(struct buffer *buffer, struct view bytes);
void buffer_append_byte(struct buffer *buffer, uint8_t byte);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
/* The contents as text: a NUL is kept behind the last byte (not counted in size). Valid until the next change. */
const char *buffer_text(struct buffer *buffer);

#define AUTO_BUFFER CLEANUP(buffer_done)

/* Lower-case hex of `bytes` with a NUL into `ret_text`, which holds 2 * bytes.size + 1 chars. No 0x. */
void hex_encode(struct view bytes, char *ret_text);
/*
 * Exactly 2 * size hex digits of either case, with or without a lower-case 0x in front, into ret_bytes[size].
 * False (ret_bytes untouched) when the length or a digit is wrong; the caller names the field.
 */
MUST_USE bool hex_decode(struct view text, uint8_t *ret_bytes, size_t size);

/* RFC 4648 base64 with padding, appended. */
void base64_encode(struct view bytes, struct buffer *ret_text);
/* Strict RFC 4648 section 4: padding required, no white space; appended to ret_bytes. False when malformed. */
MUST_USE bool base64_decode(struct view text, struct buffer *ret_bytes);
/* Size of the decoded bytes when `text` is well-formed, else SIZE_MAX. For decoding straight into a secret. */
size_t base64_decoded_size(struct view text);
/* Decode well-formed text into ret_bytes[base64_decoded_size(text)]. */
MUST_USE bool base64_decode_into(struct view text, uint8_t *ret_bytes, size_t size);

/* A decimal uint64 of 1 to 20 digits, nothing else; false when malformed or above 2^64-1. */
MUST_USE bool u64_parse(struct view text, uint64_t *ret_value);

static inline void store_be32(uint8_t bytes[4], uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static inline uint32_t load_be32(const uint8_t bytes[4])
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline void store_le64(uint8_t bytes[8], uint64_t value)
{
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}
