/* SPDX-License-Identifier: Apache-2.0 */
/* Appending CBOR (RFC 8949) items in their shortest, definite form, as AWS's own encoders do. Heads through libcbor. */
#pragma once

#include "base/bytes.h"

void cbor_append_uint(struct buffer *ret_bytes, uint64_t value);
void cbor_append_bool(struct buffer *ret_bytes, bool value);
void cbor_append_null(struct buffer *ret_bytes);
void cbor_append_bytes(struct buffer *ret_bytes, struct view bytes);
void cbor_append_text(struct buffer *ret_bytes, struct view text);
/* Text from a constant. */
void cbor_append_name(struct buffer *ret_bytes, const char *name);
/* The head alone; the caller appends `count` items, or pairs of items. */
void cbor_append_array(struct buffer *ret_bytes, size_t count);
void cbor_append_map(struct buffer *ret_bytes, size_t count);
