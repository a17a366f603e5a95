/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/ssz_schema.h"

#include <inttypes.h>

#include "eth/ssz_stream.h"

#define BITS_PER_CHUNK (8 * ROOT_SIZE)
/* 2^256 has 78 digits. */
#define UINT256_DIGITS_MAX 78
#define UINT256_WORDS 8
/* Of one reason; a message has room for a reason and the place. */
#define REASON_SIZE 160

const struct ssz_type ssz_uint64 = {.kind = SSZ_UINT64};
const struct ssz_type ssz_uint256 = {.kind = SSZ_UINT256};
const struct ssz_type ssz_boolean = {.kind = SSZ_BOOLEAN};
const struct ssz_type ssz_bytes4 = {.kind = SSZ_BYTES, .size = 4};
const struct ssz_type ssz_bytes20 = {.kind = SSZ_BYTES, .size = 20};
const struct ssz_type ssz_bytes32 = {.kind = SSZ_BYTES, .size = 32};
const struct ssz_type ssz_bytes48 = {.kind = SSZ_BYTES, .size = 48};
const struct ssz_type ssz_bytes96 = {.kind = SSZ_BYTES, .size = 96};

/* Where in the value the walk is: a chain on the stack, made into text only when something is wrong. NULL is the value itself. */
struct place {
	const struct place *parent;
	const char *name; /* of the member, or NULL: the element at `index` */
	size_t index;
};

static bool walk(const struct ssz_type *type, const json_t *value, const struct place *place, uint8_t ret_root[ROOT_SIZE],
		 struct error *error);

static void append_place(const struct place *place, struct buffer *text)
{
	if (!place)
		return;
	append_place(place->parent, text);
	if (!place->name)
		buffer_append_format(text, "[%zu]", place->index);
	if (place->name)
		buffer_append_format(text, "%s%s", text->size ? "." : "", place->name);
}

static bool refuse(const struct place *place, struct error *error, const char *format, ...) PRINTF_LIKE(3, 4);

static bool refuse(const struct place *place, struct error *error, const char *format, ...)
{
	AUTO_BUFFER struct buffer text = {0};
	char reason[REASON_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(reason, sizeof reason, format, arguments);
	va_end(arguments);
	append_place(place, &text);
	return error_set(error, ERROR_INPUT, "%s%s%s", buffer_text(&text), place ? ": " : "", reason);
}

/* As in base/error.h: the analyser does not look into a function of variable arguments. */
#ifdef __clang_analyzer__
#define refuse(...) (refuse(__VA_ARGS__), false)
#endif

static bool read_uint64(const json_t *value, const struct place *place, uint8_t *ret_bytes, struct error *error)
{
	struct view text = view_of(json_string_value(value), json_string_length(value));
	uint64_t number;

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		store_le64(ret_bytes, (uint64_t)json_integer_value(value));
		return true;
	}
	if (!json_is_string(value) || !u64_parse(text, &number))
		return refuse(place, error, "not a decimal number from 0 to 2^64-1");
	store_le64(ret_bytes, number);
	return true;
}

/* False above 2^256-1 and when a character is no digit. */
static bool parse_uint256(struct view text, uint32_t ret_words[UINT256_WORDS])
{
	if (text.size == 0 || text.size > UINT256_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		uint64_t carry = (uint64_t)text.data[i] - '0';

		if (carry > 9)
			return false;
		for (size_t word = 0; word < UINT256_WORDS; word++) {
			carry += (uint64_t)ret_words[word] * 10;
			ret_words[word] = (uint32_t)carry;
			carry >>= 32;
		}
		if (carry)
			return false;
	}
	return true;
}

static bool read_uint256(const json_t *value, const struct place *place, uint8_t *ret_bytes, struct error *error)
{
	uint32_t words[UINT256_WORDS] = {0};

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		ssz_uint64_chunk((uint64_t)json_integer_value(value), ret_bytes);
		return true;
	}
	if (!json_is_string(value) || !parse_uint256(view_of(json_string_value(value), json_string_length(value)), words))
		return refuse(place, error, "not a decimal number from 0 to 2^256-1");
	for (size_t i = 0; i < ROOT_SIZE; i++)
		ret_bytes[i] = (uint8_t)(words[i / 4] >> (8 * (i % 4)));
	return true;
}

static bool read_boolean(const json_t *value, const struct place *place, uint8_t *ret_bytes, struct error *error)
{
	if (!json_is_boolean(value))
		return refuse(place, error, "not true or false");
	ret_bytes[0] = json_is_true(value);
	return true;
}

/* The basic types: several of them share a chunk in a vector or list. */
static const struct basic {
	size_t size;
	bool (*read)(const json_t *value, const struct place *place, uint8_t *ret_bytes, struct error *error);
} basics[SSZ_KIND_COUNT] = {
	[SSZ_UINT64] = {8, read_uint64},
	[SSZ_UINT256] = {32, read_uint256},
	[SSZ_BOOLEAN] = {1, read_boolean},
};

static bool basic_root(const struct ssz_type *type, const json_t *value, const struct place *place, uint8_t ret_root[ROOT_SIZE],
		       struct error *error)
{
	memset(ret_root, 0, ROOT_SIZE);
	return basics[type->kind].read(value, place, ret_root, error);
}

static void init_stream(const struct ssz_type *type, uint64_t leaf_limit, struct ssz_stream *ret_stream)
{
	if (type->progressive)
		ssz_stream_init_progressive(ret_stream);
	else
		ssz_stream_init(ret_stream, leaf_limit);
}

static uint64_t divide_up(uint64_t value, uint64_t by)
{
	return value / by + (value % by != 0);
}

/* The digits of a hex text, the 0x cut off; whether they are digits is found out by decoding. */
static bool read_digits(const json_t *value, const struct place *place, struct view *ret_digits, struct error *error)
{
	struct view digits = view_of(json_string_value(value), json_string_length(value));

	if (!json_is_string(value))
		return refuse(place, error, "not a string");
	if (digits.size >= 2 && digits.data[0] == '0' && digits.data[1] == 'x')
		digits = view_of(digits.data + 2, digits.size - 2);
	if (digits.size % 2 != 0)
		return refuse(place, error, "%zu hex digits, which is an odd number", digits.size);
	*ret_digits = digits;
	return true;
}

/* Bytes as chunks, the last one filled up with zeros; of the last byte only the bits in `last_byte_mask` are taken. */
static bool add_digits(struct view digits, uint8_t last_byte_mask, const struct place *place, struct ssz_stream *stream,
		       struct error *error)
{
	while (digits.size > 0) {
		uint8_t chunk[ROOT_SIZE] = {0};
		size_t size = digits.size < sizeof chunk * 2 ? digits.size / 2 : sizeof chunk;

		if (!hex_decode(view_of(digits.data, 2 * size), chunk, size))
			return refuse(place, error, "not hex");
		digits = view_of(digits.data + 2 * size, digits.size - 2 * size);
		if (digits.size == 0)
			chunk[size - 1] &= last_byte_mask;
		ssz_stream_add(stream, chunk);
	}
	return true;
}

static bool check_size(struct view digits, uint64_t size, const struct place *place, struct error *error)
{
	if (digits.size / 2 != size)
		return refuse(place, error, "%zu hex digits, expected %" PRIu64 " (%" PRIu64 " bytes)", digits.size, 2 * size,
			      size);
	return true;
}

static bool bytes_root(const struct ssz_type *type, const json_t *value, const struct place *place, uint8_t ret_root[ROOT_SIZE],
		       struct error *error)
{
	struct ssz_stream stream;
	struct view digits;

	if (!read_digits(value, place, &digits, error))
		return false;
	if (type->size == ROOT_SIZE && digits.size < 2 * ROOT_SIZE) {
		size_t size = digits.size / 2;

		memset(ret_root, 0, ROOT_SIZE);
		return hex_decode(digits, ret_root + ROOT_SIZE - size, size) || refuse(place, error, "not hex");
	}
	if (!check_size(digits, type->size, place, error))
		return false;
	ssz_stream_init(&stream, divide_up(type->size, ROOT_SIZE));
	if (!add_digits(digits, UINT8_MAX, place, &stream, error))
		return false;
	ssz_stream_root(&stream, ret_root);
	return true;
}

static bool byte_list_root(const struct ssz_type *type, const json_t *value, const struct place *place, uint8_t ret_root[ROOT_SIZE],
			   struct error *error)
{
	struct ssz_stream stream;
	struct view digits;
	uint8_t root[ROOT_SIZE];

	if (!read_digits(value, place, &digits, error))
		return false;
	if (!type->progressive && digits.size / 2 > type->size)
		return refuse(place, error, "%zu bytes, at most %" PRIu64 " are allowed", digits.size / 2, type->size);
	init_stream(type, divide_up(type->size, ROOT_SIZE), &stream);
	if (!add_digits(digits, UINT8_MAX, place, &stream, error))
		return false;
	ssz_stream_root(&stream, root);
	ssz_mix_in(root, digits.size / 2, ret_root);
	return true;
}

/* The last byte of a bit field that has one. */
static bool read_last_byte(struct view digits, const struct place *place, uint8_t *ret_byte, struct error *error)
{
	return hex_decode(view_of(digits.data + digits.size - 2, 2), ret_byte, 1) || refuse(place, error, "not hex");
}

static bool bitvector_root(const struct ssz_type *type, const json_t *value, const struct place *place, uint8_t ret_root[ROOT_SIZE],
			   struct error *error)
{
	unsigned used_bits = (unsigned)(type->size % 8); /* of the last byte; 0: all */
	struct ssz_stream stream;
	struct view digits;
	uint8_t last;

	if (!read_digits(value, place, &digits, error) || !check_size(digits, divide_up(type->size, 8), place, error) ||
	    !read_last_byte(digits, place, &last, error))
		return false;
	if (used_bits && last >> used_bits)
		return refuse(place, error, "bits set beyond the %" PRIu64 " there are", type->size);
	ssz_stream_init(&stream, divide_up(type->size, BITS_PER_CHUNK));
	if (!add_digits(digits, UINT8_MAX, place, &stream, error))
		return false;
	ssz_stream_root(&stream, ret_root);
	return true;
}

static bool bitlist_root(const struct ssz_type *type, const json_t *value, const struct place *place, uint8_t ret_root[ROOT_SIZE],
			 struct error *error)
{
	struct ssz_stream stream;
	struct view digits;
	uint8_t root[ROOT_SIZE];
	uint8_t last = 0;
	uint8_t content_mask;
	unsigned end_bit;
	uint64_t count;

	if (!read_digits(value, place, &digits, error) || (digits.size > 0 && !read_last_byte(digits, place, &last, error)))
		return false;
	if (last == 0)
		return refuse(place, error, "a bit list without its end bit");
	end_bit = 31 - (unsigned)__builtin_clz(last);
	count = 8 * (digits.size / 2 - 1) + end_bit;
	if (!type->progressive && count > type->size)
		return refuse(place, error, "%" PRIu64 " bits, at most %" PRIu64 " are allowed", count, type->size);
	/* The end bit is no content, and a last byte with nothing else in it is none either. */
	content_mask = (uint8_t)((1u << end_bit) - 1);
	if (end_bit == 0) {
		digits.size -= 2;
		content_mask = UINT8_MAX;
	}
	init_stream(type, divide_up(type->size, BITS_PER_CHUNK), &stream);
	if (!add_digits(digits, content_mask, place, &stream, error))
		return false;
	ssz_stream_root(&stream, root);
	ssz_mix_in(root, count, ret_root);
	return true;
}

static bool add_basic_elements(const struct basic *basic, const json_t *array, const struct place *place, struct ssz_stream *stream,
			       struct error *error)
{
	uint8_t chunk[ROOT_SIZE] = {0};
	size_t used = 0;

	for (size_t i = 0; i < json_array_size(array); i++) {
		const struct place element_place = {.parent = place, .index = i};

		if (!basic->read(json_array_get(array, i), &element_place, chunk + used, error))
			return false;
		used += basic->size;
		if (used < sizeof chunk)
			continue;
		ssz_stream_add(stream, chunk);
		memset(chunk, 0, sizeof chunk);
		used = 0;
	}
	if (used > 0)
		ssz_stream_add(stream, chunk);
	return true;
}

static bool add_elements(const struct ssz_type *type, const json_t *array, const struct place *place, struct ssz_stream *stream,
			 struct error *error)
{
	const struct basic *basic = &basics[type->element->kind];

	if (basic->read) {
		init_stream(type, divide_up(type->size, ROOT_SIZE / basic->size), stream);
		return add_basic_elements(basic, array, place, stream, error);
	}
	init_stream(type, type->size, stream);
	for (size_t i = 0; i < json_array_size(array); i++) {
		const struct place element_place = {.parent = place, .index = i};
		uint8_t root[ROOT_SIZE];

		if (!walk(type->element, json_array_get(array, i), &element_place, root, error))
			return false;
		ssz_stream_add(stream, root);
	}
	return true;
}

static bool vector_root(const struct ssz_type *type, const json_t *value, const struct place *place, uint8_t ret_root[ROOT_SIZE],
			struct error *error)
{
	struct ssz_stream stream;

	if (!json_is_array(value))
		return refuse(place, error, "not an array");
	if (json_array_size(value) != type->size)
		return refuse(place, error, "%zu elements, expected %" PRIu64, json_array_size(value), type->size);
	if (!add_elements(type, value, place, &stream, error))
		return false;
	ssz_stream_root(&stream, ret_root);
	return true;
}

static bool list_root(const struct ssz_type *type, const json_t *value, const struct place *place, uint8_t ret_root[ROOT_SIZE],
		      struct error *error)
{
	struct ssz_stream stream;
	uint8_t root[ROOT_SIZE];

	if (!json_is_array(value))
		return refuse(place, error, "not an array");
	if (!type->progressive && json_array_size(value) > type->size)
		return refuse(place, error, "%zu elements, at most %" PRIu64 " are allowed", json_array_size(value), type->size);
	if (!add_elements(type, value, place, &stream, error))
		return false;
	ssz_stream_root(&stream, root);
	ssz_mix_in(root, json_array_size(value), ret_root);
	return true;
}

static bool field_root(const struct ssz_field *field, const json_t *object, const struct place *place, uint8_t ret_root[ROOT_SIZE],
		       struct error *error)
{
	const struct place field_place = {.parent = place, .name = field->name};
	const json_t *member = json_object_get(object, field->name);

	if (!member || json_is_null(member))
		return refuse(&field_place, error, "missing");
	return walk(field->type, member, &field_place, ret_root, error);
}

static bool container_root(const struct ssz_type *type, const json_t *value, const struct place *place, uint8_t ret_root[ROOT_SIZE],
			   struct error *error)
{
	const struct ssz_field *field = type->fields;
	struct ssz_stream stream;
	uint8_t root[ROOT_SIZE];

	if (!json_is_object(value))
		return refuse(place, error, "not an object");
	init_stream(type, (uint64_t)__builtin_popcountll(type->active_fields), &stream);
	for (uint64_t active = type->active_fields; active; active >>= 1) {
		memset(root, 0, sizeof root);
		if ((active & 1) && !field_root(field++, value, place, root, error))
			return false;
		ssz_stream_add(&stream, root);
	}
	ssz_stream_root(&stream, ret_root);
	if (type->progressive)
		ssz_mix_in(ret_root, type->active_fields, ret_root);
	return true;
}

static bool (*const roots[SSZ_KIND_COUNT])(const struct ssz_type *type, const json_t *value, const struct place *place,
					   uint8_t ret_root[ROOT_SIZE], struct error *error) = {
	[SSZ_UINT64] = basic_root,        [SSZ_UINT256] = basic_root,       [SSZ_BOOLEAN] = basic_root,
	[SSZ_BYTES] = bytes_root,         [SSZ_BYTE_LIST] = byte_list_root, [SSZ_BITVECTOR] = bitvector_root,
	[SSZ_BITLIST] = bitlist_root,     [SSZ_VECTOR] = vector_root,       [SSZ_LIST] = list_root,
	[SSZ_CONTAINER] = container_root,
};

static bool walk(const struct ssz_type *type, const json_t *value, const struct place *place, uint8_t ret_root[ROOT_SIZE],
		 struct error *error)
{
	return roots[type->kind](type, value, place, ret_root, error);
}

bool ssz_json_root(const struct ssz_type *type, json_t *value, uint8_t ret_root[ROOT_SIZE], struct error *error)
{
	uint8_t root[ROOT_SIZE];

	if (!walk(type, value, NULL, root, error))
		return false;
	memcpy(ret_root, root, sizeof root);
	return true;
}
