/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <unistd.h>

bool view_equal(struct view a, struct view b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool view_equal_text(struct view a, const char *text)
{
	return view_equal(a, view_of_text(text));
}

static __attribute__((noreturn)) void out_of_memory(size_t size)
{
	(void)fprintf(stderr, "out of memory (%zu bytes wanted)\n", size);
	abort();
}

void *memory_allocate(size_t size)
{
	void *memory = malloc(size ? size : 1);

	if (!memory)
		out_of_memory(size);
	return memory;
}

void *memory_allocate_zeroed(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size ? size : 1);

	if (!memory)
		out_of_memory(size);
	return memory;
}

char *memory_copy_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = (char *)memory_allocate(size);

	memcpy(copy, text, size);
	return copy;
}

char *memory_format(const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		out_of_memory(0);
	va_end(arguments);
	return text;
}

void buffer_done(struct buffer *buffer)
{
	if (!buffer)
		return;
	free(buffer->data);
	*buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer)
{
	buffer->size = 0;
}

void buffer_reserve(struct buffer *buffer, size_t extra)
{
	size_t wanted;
	size_t capacity;
	uint8_t *grown;

	/* One byte more than asked, so that buffer_text() always has room for its NUL. */
	if (__builtin_add_overflow(buffer->size, extra, &wanted) || __builtin_add_overflow(wanted, 1, &wanted))
		out_of_memory(extra);
	if (wanted <= buffer->capacity)
		return;
	capacity = buffer->capacity ? buffer->capacity : 64;
	while (capacity < wanted && capacity < SIZE_MAX / 2)
		capacity *= 2;
	if (capacity < wanted)
		out_of_memory(wanted);
	grown = (uint8_t *)realloc(buffer->data, capacity);
	if (!grown)
		out_of_memory(capacity);
	buffer->data = grown;
	buffer->capacity = capacity;
}

void buffer_append(struct buffer *buffer, struct view bytes)
{
	if (bytes.size == 0)
		return;
	buffer_reserve(buffer, bytes.size);
	memcpy(buffer->data + buffer->size, bytes.data, bytes.size);
	buffer->size += bytes.size;
}

void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
	buffer_append(buffer, view_of(&byte, 1));
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, view_of_text(text));
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
	AUTO_FREE char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		out_of_memory(0);
	va_end(arguments);
	buffer_append_text(buffer, text);
}

const char *buffer_text(struct buffer *buffer)
{
	buffer_reserve(buffer, 0);
	buffer->data[buffer->size] = 0;
	return (const char *)buffer->data;
}

void hex_encode(struct view bytes, char *ret_text)
{
	static const char digits[16] = "0123456789abcdef";

	for (size_t i = 0; i < bytes.size; i++) {
		ret_text[2 * i] = digits[bytes.data[i] >> 4];
		ret_text[2 * i + 1] = digits[bytes.data[i] & 15];
	}
	ret_text[2 * bytes.size] = 0;
}

/* Without a table and without a branch on the digit's value, since key files are hex too. -1 when it is no digit. */
static int hex_digit(uint8_t c)
{
	int decimal = (int)c - '0';
	int letter = (int)(c | 0x20) - 'a';
	int is_decimal = (decimal >= 0) & (decimal <= 9);
	int is_letter = (letter >= 0) & (letter <= 5);

	return (decimal & -is_decimal) + ((letter + 10) & -is_letter) - (1 - (is_decimal | is_letter));
}

bool hex_decode(struct view text, uint8_t *ret_bytes, size_t size)
{
	int bad = 0;

	if (text.size >= 2 && text.data[0] == '0' && text.data[1] == 'x') {
		text.data += 2;
		text.size -= 2;
	}
	if (text.size != 2 * size)
		return false;
	for (size_t i = 0; i < text.size; i++)
		bad |= hex_digit(text.data[i]) < 0;
	if (bad)
		return false;
	for (size_t i = 0; i < size; i++)
		ret_bytes[i] = (uint8_t)((unsigned)hex_digit(text.data[2 * i]) << 4 | (unsigned)hex_digit(text.data[2 * i + 1]));
	return true;
}

void base64_encode(struct view bytes, struct buffer *ret_text)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	buffer_reserve(ret_text, (bytes.size + 2) / 3 * 4);
	for (size_t i = 0; i < bytes.size; i += 3) {
		size_t left = bytes.size - i;
		uint32_t group = (uint32_t)bytes.data[i] << 16;

		group |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
		group |= left > 2 ? (uint32_t)bytes.data[i + 2] : 0;
		buffer_append_byte(ret_text, (uint8_t)alphabet[group >> 18]);
		buffer_append_byte(ret_text, (uint8_t)alphabet[group >> 12 & 63]);
		buffer_append_byte(ret_text, left > 1 ? (uint8_t)alphabet[group >> 6 & 63] : (uint8_t)'=');
		buffer_append_byte(ret_text, left > 2 ? (uint8_t)alphabet[group & 63] : (uint8_t)'=');
	}
}

/* Arithmetic rather than a table lookup: base64 also carries wrapped secrets. -1 when not in the alphabet. */
static int base64_digit(uint8_t c)
{
	int value = -1;

	value += -((c >= 'A') & (c <= 'Z')) & (c - 'A' + 1);
	value += -((c >= 'a') & (c <= 'z')) & (c - 'a' + 27);
	value += -((c >= '0') & (c <= '9')) & (c - '0' + 53);
	value += -(c == '+') & 63;
	value += -(c == '/') & 64;
	return value;
}

size_t base64_decoded_size(struct view text)
{
	size_t padding = 0;

	if (text.size % 4 != 0)
		return SIZE_MAX;
	if (text.size == 0)
		return 0;
	if (text.data[text.size - 1] == '=')
		padding = text.data[text.size - 2] == '=' ? 2 : 1;
	for (size_t i = 0; i < text.size - padding; i++) {
		if (base64_digit(text.data[i]) < 0)
			return SIZE_MAX;
	}
	/* The bits that padding leaves over must be zero, or one value would have several spellings. */
	if (padding == 1 && (base64_digit(text.data[text.size - 2]) & 3) != 0)
		return SIZE_MAX;
	if (padding == 2 && (base64_digit(text.data[text.size - 3]) & 15) != 0)
		return SIZE_MAX;
	return text.size / 4 * 3 - padding;
}

bool base64_decode_into(struct view text, uint8_t *ret_bytes, size_t size)
{
	size_t out = 0;

	if (base64_decoded_size(text) != size)
		return false;
	for (size_t i = 0; i < text.size; i += 4) {
		uint32_t group = 0;

		for (size_t j = 0; j < 4; j++) {
			uint8_t c = text.data[i + j];

			group = group << 6 | (uint32_t)(c == '=' ? 0 : base64_digit(c));
		}
		for (int shift = 16; shift >= 0 && out < size; shift -= 8)
			ret_bytes[out++] = (uint8_t)(group >> shift);
	}
	return true;
}

bool base64_decode(struct view text, struct buffer *ret_bytes)
{
	size_t size = base64_decoded_size(text);

	if (size == SIZE_MAX)
		return false;
	buffer_reserve(ret_bytes, size);
	if (!base64_decode_into(text, ret_bytes->data + ret_bytes->size, size))
		return false;
	ret_bytes->size += size;
	return true;
}

bool u64_parse(struct view text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (text.size == 0 || text.size > 20)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value))
			return false;
	}
	*ret_value = value;
	return true;
}
