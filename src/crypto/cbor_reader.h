/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading CBOR (RFC 8949) of outside origin: a strict pull reader over libcbor's streaming decoder, which allocates nothing and
 * has no depth. The caller asks for the item it expects next and names its field; anything else is ERROR_INPUT.
 *
 * Never accepted: tags, floats, undefined, simple values, chunked (indefinite-length) strings. Maps and arrays of either length encoding
 * are: AWS changed from one to the other in 2025. Views borrow from the bytes that are read.
 */
#pragma once

#include "base/bytes.h"

struct cbor_reader {
	struct view rest; /* not read yet */
};

/* A map or array being read. */
struct cbor_collection {
	uint64_t left; /* entries (pairs of a map): still to come, or for an indefinite one the most that may */
	bool indefinite;
};

static inline struct cbor_reader cbor_reader_of(struct view bytes)
{
	return (struct cbor_reader){.rest = bytes};
}

MUST_USE bool cbor_read_uint(struct cbor_reader *reader, const char *field, uint64_t max, uint64_t *ret_value, struct error *error);
MUST_USE bool cbor_read_bool(struct cbor_reader *reader, const char *field, bool *ret_value, struct error *error);
MUST_USE bool cbor_read_bytes(struct cbor_reader *reader, const char *field, size_t min_size, size_t max_size,
			      struct view *ret_bytes, struct error *error);
/* As cbor_read_bytes; null gives *ret_present false and an empty view. */
MUST_USE bool cbor_read_optional_bytes(struct cbor_reader *reader, const char *field, size_t min_size, size_t max_size,
				       bool *ret_present, struct view *ret_bytes, struct error *error);
/* Text of printable ASCII without spaces, 1 to max_size bytes: every name in the formats we read is such. */
MUST_USE bool cbor_read_text(struct cbor_reader *reader, const char *field, size_t max_size, struct view *ret_text,
			     struct error *error);
/* Step over one item that is no collection. */
MUST_USE bool cbor_skip_scalar(struct cbor_reader *reader, const char *field, struct error *error);
/* True when the next item is text; reads nothing. */
bool cbor_is_text_next(const struct cbor_reader *reader);

/* Enter a map or array of at most max_entries entries. */
MUST_USE bool cbor_enter_map(struct cbor_reader *reader, const char *field, uint64_t max_entries,
			     struct cbor_collection *ret_collection, struct error *error);
MUST_USE bool cbor_enter_array(struct cbor_reader *reader, const char *field, uint64_t max_entries,
			       struct cbor_collection *ret_collection, struct error *error);
/* Whether another entry follows; consumes the break of an indefinite collection. Call once before each entry. */
MUST_USE bool cbor_next_entry(struct cbor_reader *reader, const char *field, struct cbor_collection *collection, bool *ret_more,
			      struct error *error);
/* Nothing may be left. */
MUST_USE bool cbor_read_end(const struct cbor_reader *reader, const char *field, struct error *error);
