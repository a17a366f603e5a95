/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cbor_writer.h"

#include <cbor.h>

/* The longest head: the initial byte and a 64-bit argument. */
#define HEAD_MAX_SIZE 9

void cbor_append_uint(struct buffer *ret_bytes, uint64_t value)
{
	uint8_t head[HEAD_MAX_SIZE];

	buffer_append(ret_bytes, view_of(head, cbor_encode_uint(value, head, sizeof head)));
}

void cbor_append_bool(struct buffer *ret_bytes, bool value)
{
	uint8_t head[HEAD_MAX_SIZE];

	buffer_append(ret_bytes, view_of(head, cbor_encode_bool(value, head, sizeof head)));
}

void cbor_append_null(struct buffer *ret_bytes)
{
	uint8_t head[HEAD_MAX_SIZE];

	buffer_append(ret_bytes, view_of(head, cbor_encode_null(head, sizeof head)));
}

void cbor_append_bytes(struct buffer *ret_bytes, struct view bytes)
{
	uint8_t head[HEAD_MAX_SIZE];

	buffer_append(ret_bytes, view_of(head, cbor_encode_bytestring_start(bytes.size, head, sizeof head)));
	buffer_append(ret_bytes, bytes);
}

void cbor_append_text(struct buffer *ret_bytes, struct view text)
{
	uint8_t head[HEAD_MAX_SIZE];

	buffer_append(ret_bytes, view_of(head, cbor_encode_string_start(text.size, head, sizeof head)));
	buffer_append(ret_bytes, text);
}

void cbor_append_name(struct buffer *ret_bytes, const char *name)
{
	cbor_append_text(ret_bytes, view_of_text(name));
}

void cbor_append_array(struct buffer *ret_bytes, size_t count)
{
	uint8_t head[HEAD_MAX_SIZE];

	buffer_append(ret_bytes, view_of(head, cbor_encode_array_start(count, head, sizeof head)));
}

void cbor_append_map(struct buffer *ret_bytes, size_t count)
{
	uint8_t head[HEAD_MAX_SIZE];

	buffer_append(ret_bytes, view_of(head, cbor_encode_map_start(count, head, sizeof head)));
}
