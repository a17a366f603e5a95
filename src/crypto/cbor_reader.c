/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cbor_reader.h"

#include <cbor.h>

enum token_kind {
	TOKEN_OTHER, /* everything that is never accepted */
	TOKEN_UINT,
	TOKEN_NEGATIVE,
	TOKEN_BYTES,
	TOKEN_TEXT,
	TOKEN_ARRAY,
	TOKEN_MAP,
	TOKEN_BOOL,
	TOKEN_NULL,
	TOKEN_BREAK,
};

struct token {
	enum token_kind kind;
	uint64_t number; /* value, count of a definite collection */
	bool indefinite;
	struct view bytes;
};

static void set_number(void *context, enum token_kind kind, uint64_t number)
{
	*(struct token *)context = (struct token){.kind = kind, .number = number};
}

static void on_uint8(void *context, uint8_t value)
{
	set_number(context, TOKEN_UINT, value);
}

static void on_uint16(void *context, uint16_t value)
{
	set_number(context, TOKEN_UINT, value);
}

static void on_uint32(void *context, uint32_t value)
{
	set_number(context, TOKEN_UINT, value);
}

static void on_uint64(void *context, uint64_t value)
{
	set_number(context, TOKEN_UINT, value);
}

static void on_negative8(void *context, uint8_t value)
{
	set_number(context, TOKEN_NEGATIVE, value);
}

static void on_negative16(void *context, uint16_t value)
{
	set_number(context, TOKEN_NEGATIVE, value);
}

static void on_negative32(void *context, uint32_t value)
{
	set_number(context, TOKEN_NEGATIVE, value);
}

static void on_negative64(void *context, uint64_t value)
{
	set_number(context, TOKEN_NEGATIVE, value);
}

static void on_bytes(void *context, cbor_data data, size_t size)
{
	*(struct token *)context = (struct token){.kind = TOKEN_BYTES, .bytes = view_of(data, size)};
}

static void on_text(void *context, cbor_data data, size_t size)
{
	*(struct token *)context = (struct token){.kind = TOKEN_TEXT, .bytes = view_of(data, size)};
}

static void on_array(void *context, size_t count)
{
	set_number(context, TOKEN_ARRAY, count);
}

static void on_indefinite_array(void *context)
{
	*(struct token *)context = (struct token){.kind = TOKEN_ARRAY, .indefinite = true};
}

static void on_map(void *context, size_t count)
{
	set_number(context, TOKEN_MAP, count);
}

static void on_indefinite_map(void *context)
{
	*(struct token *)context = (struct token){.kind = TOKEN_MAP, .indefinite = true};
}

static void on_bool(void *context, bool value)
{
	set_number(context, TOKEN_BOOL, value);
}

static void on_null(void *context)
{
	set_number(context, TOKEN_NULL, 0);
}

static void on_break(void *context)
{
	set_number(context, TOKEN_BREAK, 0);
}

/* What has a null callback here leaves the token as TOKEN_OTHER. */
static const struct cbor_callbacks callbacks = {
	.uint8 = on_uint8,
	.uint16 = on_uint16,
	.uint32 = on_uint32,
	.uint64 = on_uint64,
	.negint8 = on_negative8,
	.negint16 = on_negative16,
	.negint32 = on_negative32,
	.negint64 = on_negative64,
	.byte_string = on_bytes,
	.byte_string_start = cbor_null_byte_string_start_callback,
	.string = on_text,
	.string_start = cbor_null_string_start_callback,
	.array_start = on_array,
	.indef_array_start = on_indefinite_array,
	.map_start = on_map,
	.indef_map_start = on_indefinite_map,
	.tag = cbor_null_tag_callback,
	.float2 = cbor_null_float2_callback,
	.float4 = cbor_null_float4_callback,
	.float8 = cbor_null_float8_callback,
	.undefined = cbor_null_undefined_callback,
	.null = on_null,
	.boolean = on_bool,
	.indef_break = on_break,
};

/* Decode the next token without consuming it; its size in *ret_size. */
static bool token_peek(const struct cbor_reader *reader, const char *field, struct token *ret_token, size_t *ret_size,
		       struct error *error)
{
	struct token token = {.kind = TOKEN_OTHER};
	struct cbor_decoder_result result;

	if (reader->rest.size == 0)
		return error_set(error, ERROR_INPUT, "%s: the CBOR is cut short", field);
	result = cbor_stream_decode(reader->rest.data, reader->rest.size, &callbacks, &token);
	if (result.status == CBOR_DECODER_NEDATA)
		return error_set(error, ERROR_INPUT, "%s: the CBOR is cut short", field);
	if (result.status != CBOR_DECODER_FINISHED || result.read == 0 || result.read > reader->rest.size)
		return error_set(error, ERROR_INPUT, "%s: not CBOR", field);
	*ret_token = token;
	*ret_size = result.read;
	return true;
}

static void reader_advance(struct cbor_reader *reader, size_t size)
{
	reader->rest = view_of(reader->rest.data + size, reader->rest.size - size);
}

static bool token_read(struct cbor_reader *reader, const char *field, enum token_kind kind, const char *kind_name,
		       struct token *ret_token, struct error *error)
{
	struct token token = {0};
	size_t size = 0;

	if (!token_peek(reader, field, &token, &size, error))
		return false;
	if (token.kind != kind)
		return error_set(error, ERROR_INPUT, "%s: not %s", field, kind_name);
	reader_advance(reader, size);
	*ret_token = token;
	return true;
}

bool cbor_read_uint(struct cbor_reader *reader, const char *field, uint64_t max, uint64_t *ret_value, struct error *error)
{
	struct token token = {0};

	if (!token_read(reader, field, TOKEN_UINT, "an unsigned integer", &token, error))
		return false;
	if (token.number > max)
		return error_set(error, ERROR_INPUT, "%s: larger than %llu", field, (unsigned long long)max);
	*ret_value = token.number;
	return true;
}

bool cbor_read_bool(struct cbor_reader *reader, const char *field, bool *ret_value, struct error *error)
{
	struct token token = {0};

	if (!token_read(reader, field, TOKEN_BOOL, "a boolean", &token, error))
		return false;
	*ret_value = token.number != 0;
	return true;
}

bool cbor_read_bytes(struct cbor_reader *reader, const char *field, size_t min_size, size_t max_size, struct view *ret_bytes,
		     struct error *error)
{
	struct token token = {0};

	if (!token_read(reader, field, TOKEN_BYTES, "a byte string", &token, error))
		return false;
	if (token.bytes.size < min_size || token.bytes.size > max_size)
		return error_set(error, ERROR_INPUT, "%s: %zu bytes, not %zu to %zu", field, token.bytes.size, min_size, max_size);
	*ret_bytes = token.bytes;
	return true;
}

bool cbor_read_optional_bytes(struct cbor_reader *reader, const char *field, size_t min_size, size_t max_size, bool *ret_present,
			      struct view *ret_bytes, struct error *error)
{
	struct token token = {0};
	size_t size = 0;

	if (!token_peek(reader, field, &token, &size, error))
		return false;
	if (token.kind == TOKEN_NULL) {
		reader_advance(reader, size);
		*ret_present = false;
		*ret_bytes = (struct view){0};
		return true;
	}
	if (!cbor_read_bytes(reader, field, min_size, max_size, ret_bytes, error))
		return false;
	*ret_present = true;
	return true;
}

bool cbor_read_text(struct cbor_reader *reader, const char *field, size_t max_size, struct view *ret_text, struct error *error)
{
	struct token token = {0};

	if (!token_read(reader, field, TOKEN_TEXT, "text", &token, error))
		return false;
	if (token.bytes.size == 0 || token.bytes.size > max_size)
		return error_set(error, ERROR_INPUT, "%s: %zu bytes of text, not 1 to %zu", field, token.bytes.size, max_size);
	for (size_t i = 0; i < token.bytes.size; i++) {
		if (token.bytes.data[i] <= ' ' || token.bytes.data[i] > '~')
			return error_set(error, ERROR_INPUT, "%s: text that is not printable ASCII", field);
	}
	*ret_text = token.bytes;
	return true;
}

bool cbor_skip_scalar(struct cbor_reader *reader, const char *field, struct error *error)
{
	static const bool is_scalar[] = {
		[TOKEN_UINT] = true, [TOKEN_NEGATIVE] = true, [TOKEN_BYTES] = true,  [TOKEN_TEXT] = true,
		[TOKEN_BOOL] = true, [TOKEN_NULL] = true,     [TOKEN_BREAK] = false,
	};
	struct token token = {0};
	size_t size = 0;

	if (!token_peek(reader, field, &token, &size, error))
		return false;
	if (!is_scalar[token.kind])
		return error_set(error, ERROR_INPUT, "%s: of a type that cannot be skipped", field);
	reader_advance(reader, size);
	return true;
}

bool cbor_is_text_next(const struct cbor_reader *reader)
{
	struct token token = {0};
	size_t size = 0;

	return token_peek(reader, "", &token, &size, NULL) && token.kind == TOKEN_TEXT;
}

static bool enter(struct cbor_reader *reader, const char *field, enum token_kind kind, const char *kind_name, uint64_t max_entries,
		  struct cbor_collection *ret_collection, struct error *error)
{
	struct token token = {0};

	if (!token_read(reader, field, kind, kind_name, &token, error))
		return false;
	if (!token.indefinite && token.number > max_entries)
		return error_set(error, ERROR_INPUT, "%s: more than %llu entries", field, (unsigned long long)max_entries);
	*ret_collection = (struct cbor_collection){
		.left = token.indefinite ? max_entries : token.number,
		.indefinite = token.indefinite,
	};
	return true;
}

bool cbor_enter_map(struct cbor_reader *reader, const char *field, uint64_t max_entries, struct cbor_collection *ret_collection,
		    struct error *error)
{
	return enter(reader, field, TOKEN_MAP, "a map", max_entries, ret_collection, error);
}

bool cbor_enter_array(struct cbor_reader *reader, const char *field, uint64_t max_entries, struct cbor_collection *ret_collection,
		      struct error *error)
{
	return enter(reader, field, TOKEN_ARRAY, "an array", max_entries, ret_collection, error);
}

bool cbor_next_entry(struct cbor_reader *reader, const char *field, struct cbor_collection *collection, bool *ret_more,
		     struct error *error)
{
	struct token token = {0};
	size_t size = 0;

	if (collection->indefinite) {
		if (!token_peek(reader, field, &token, &size, error))
			return false;
		if (token.kind == TOKEN_BREAK) {
			reader_advance(reader, size);
			*ret_more = false;
			return true;
		}
		if (collection->left == 0)
			return error_set(error, ERROR_INPUT, "%s: too many entries", field);
	}
	*ret_more = collection->left > 0;
	if (*ret_more)
		collection->left--;
	return true;
}

bool cbor_read_end(const struct cbor_reader *reader, const char *field, struct error *error)
{
	if (reader->rest.size != 0)
		return error_set(error, ERROR_INPUT, "%s: %zu bytes behind the end", field, reader->rest.size);
	return true;
}
