/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <malloc.h>

#include <openssl/crypto.h>

static void *wiping_malloc(size_t size)
{
	return malloc(size);
}

static void wiping_free(void *memory)
{
	if (!memory)
		return;
	OPENSSL_cleanse(memory, malloc_usable_size(memory));
	free(memory);
}

void json_use_wiping_memory(void)
{
	json_set_alloc_funcs(wiping_malloc, wiping_free);
}

static json_t *parse(struct view text, size_t flags, const char *what, struct error *error)
{
	json_error_t problem;
	json_t *json;

	if (text.size == 0)
		return error_set(error, ERROR_INPUT, "%s: empty", what), NULL;
	json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES | flags, &problem);
	/* The parser's message may quote the text around the fault, which may be secret: give the place only. */
	if (!json)
		return error_set(error, ERROR_INPUT, "%s: malformed JSON at line %d, column %d", what, problem.line,
				 problem.column),
		       NULL;
	return json;
}

json_t *json_parse(struct view text, const char *what, struct error *error)
{
	return parse(text, 0, what, error);
}

json_t *json_parse_any(struct view text, const char *what, struct error *error)
{
	return parse(text, JSON_DECODE_ANY, what, error);
}

json_t *json_parse_object(struct view text, const char *what, struct error *error)
{
	json_t *json = json_parse(text, what, error);

	if (!json || json_is_object(json))
		return json;
	json_decref(json);
	return error_set(error, ERROR_INPUT, "%s: not a JSON object", what), NULL;
}

bool json_check_members(json_t *object, const char *const *names, size_t count, struct error *error)
{
	const char *member;
	json_t *value;

	json_object_foreach(object, member, value)
	{
		size_t i = 0;

		while (i < count && strcmp(names[i], member) != 0)
			i++;
		if (i == count)
			return error_set(error, ERROR_INPUT, "%s: no such setting", member);
	}
	return true;
}

static json_t *find_member(json_t *object, const char *name, struct error *error)
{
	json_t *member = json_object_get(object, name);

	if (!member || json_is_null(member))
		return error_set(error, ERROR_INPUT, "%s: missing", name), NULL;
	return member;
}

bool json_read_object(json_t *object, const char *name, json_t **ret_value, struct error *error)
{
	json_t *member = find_member(object, name, error);

	if (!member)
		return false;
	if (!json_is_object(member))
		return error_set(error, ERROR_INPUT, "%s: not an object", name);
	*ret_value = member;
	return true;
}

bool json_read_array(json_t *object, const char *name, json_t **ret_value, struct error *error)
{
	json_t *member = find_member(object, name, error);

	if (!member)
		return false;
	if (!json_is_array(member))
		return error_set(error, ERROR_INPUT, "%s: not an array", name);
	*ret_value = member;
	return true;
}

bool json_read_text(json_t *object, const char *name, const char **ret_text, struct error *error)
{
	json_t *member = find_member(object, name, error);

	if (!member)
		return false;
	/* jansson refuses U+0000 inside strings unless told otherwise, so the text ends where C thinks it ends. */
	if (!json_is_string(member))
		return error_set(error, ERROR_INPUT, "%s: not a string", name);
	*ret_text = json_string_value(member);
	return true;
}

bool json_read_text_optional(json_t *object, const char *name, const char **ret_text, struct error *error)
{
	json_t *member = json_object_get(object, name);

	if (!member || json_is_null(member)) {
		*ret_text = NULL;
		return true;
	}
	return json_read_text(object, name, ret_text, error);
}

bool json_read_bool(json_t *object, const char *name, bool *ret_value, struct error *error)
{
	json_t *member = find_member(object, name, error);

	if (!member)
		return false;
	if (!json_is_boolean(member))
		return error_set(error, ERROR_INPUT, "%s: not true or false", name);
	*ret_value = json_is_true(member);
	return true;
}

bool json_read_u64(json_t *object, const char *name, uint64_t *ret_value, struct error *error)
{
	json_t *member = find_member(object, name, error);
	struct view text;

	if (!member)
		return false;
	if (json_is_integer(member) && json_integer_value(member) >= 0) {
		*ret_value = (uint64_t)json_integer_value(member);
		return true;
	}
	text = view_of(json_string_value(member), json_string_length(member));
	if (!json_is_string(member) || !u64_parse(text, ret_value))
		return error_set(error, ERROR_INPUT, "%s: not a decimal number from 0 to 2^64-1", name);
	return true;
}

/* The member's text as a view, with an optional 0x cut off. */
static bool read_hex_text(json_t *object, const char *name, struct view *ret_text, struct error *error)
{
	const char *text;

	if (!json_read_text(object, name, &text, error))
		return false;
	*ret_text = view_of_text(text);
	if (ret_text->size >= 2 && text[0] == '0' && text[1] == 'x')
		*ret_text = view_of(text + 2, ret_text->size - 2);
	return true;
}

bool json_read_hex(json_t *object, const char *name, uint8_t *ret_bytes, size_t size, struct error *error)
{
	struct view text;

	if (!read_hex_text(object, name, &text, error))
		return false;
	if (text.size != 2 * size)
		return error_set(error, ERROR_INPUT, "%s: %zu hex digits, expected %zu (%zu bytes)", name, text.size, 2 * size,
				 size);
	if (!hex_decode(text, ret_bytes, size))
		return error_set(error, ERROR_INPUT, "%s: not hex", name);
	return true;
}

bool json_read_bytes32(json_t *object, const char *name, uint8_t ret_bytes[32], struct error *error)
{
	uint8_t bytes[32] = {0};
	struct view text;

	if (!read_hex_text(object, name, &text, error))
		return false;
	if (text.size > 64 || text.size % 2 != 0)
		return error_set(error, ERROR_INPUT, "%s: %zu hex digits, expected 64 (32 bytes)", name, text.size);
	if (!hex_decode(text, bytes + 32 - text.size / 2, text.size / 2))
		return error_set(error, ERROR_INPUT, "%s: not hex", name);
	memcpy(ret_bytes, bytes, sizeof bytes);
	return true;
}

bool json_read_base64(json_t *object, const char *name, size_t max_size, struct buffer *ret_bytes, struct error *error)
{
	const char *text;
	size_t size;

	if (!json_read_text(object, name, &text, error))
		return false;
	size = base64_decoded_size(view_of_text(text));
	if (size == SIZE_MAX)
		return error_set(error, ERROR_INPUT, "%s: not base64", name);
	if (size > max_size)
		return error_set(error, ERROR_INPUT, "%s: %zu bytes, at most %zu are allowed", name, size, max_size);
	if (!base64_decode(view_of_text(text), ret_bytes))
		return error_set(error, ERROR_INPUT, "%s: not base64", name);
	return true;
}

bool json_read_base64_secret(json_t *object, const char *name, struct secret *ret_secret, struct error *error)
{
	const char *text;

	return json_read_text(object, name, &text, error) && secret_init_base64(ret_secret, view_of_text(text), name, error);
}

bool json_read_text_secret(json_t *object, const char *name, struct secret *ret_secret, struct error *error)
{
	const char *text;

	return json_read_text(object, name, &text, error) && secret_init_copy(ret_secret, view_of_text(text), error);
}

json_t *json_text_of_any(const char *text)
{
	json_t *json = json_string(text);
	AUTO_BUFFER struct buffer ascii = {0};

	if (json)
		return json;
	for (; *text; text++)
		buffer_append_byte(&ascii, (unsigned char)*text < 0x80 ? (uint8_t)*text : '?');
	return json_stringn(buffer_text(&ascii), ascii.size);
}

json_t *json_text_of_hex(const char *prefix, struct view bytes)
{
	AUTO_FREE char *digits = (char *)memory_allocate(2 * bytes.size + 1);
	AUTO_FREE char *text = NULL;

	hex_encode(bytes, digits);
	text = memory_format("%s%s", prefix, digits);
	return json_string(text);
}

json_t *json_text_of_base64(struct view bytes)
{
	AUTO_WIPED_BUFFER struct buffer text = {0};

	/* Taken at once: a buffer that grows leaves copies behind. */
	buffer_reserve(&text, (bytes.size + 2) / 3 * 4);
	base64_encode(bytes, &text);
	return json_stringn(buffer_text(&text), text.size);
}

static int append_chunk(const char *chunk, size_t size, void *context)
{
	buffer_append((struct buffer *)context, view_of(chunk, size));
	return 0;
}

static void write_json(const json_t *json, size_t flags, struct buffer *ret_text)
{
	if (json_dump_callback(json, append_chunk, ret_text, flags | JSON_ENCODE_ANY) != 0)
		abort(); /* only for a value that is no JSON, which is a bug of the caller */
}

void json_write(const json_t *json, struct buffer *ret_text)
{
	write_json(json, JSON_COMPACT, ret_text);
}

void json_write_spaced(const json_t *json, struct buffer *ret_text)
{
	write_json(json, JSON_ENSURE_ASCII, ret_text);
}

bool json_write_secret(const json_t *json, struct secret *ret_text, struct error *error)
{
	size_t size = json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);

	if (size == 0)
		return error_set(error, ERROR_BUG, "a JSON value that cannot be written");
	if (!secret_init(ret_text, size, error))
		return false;
	(void)json_dumpb(json, (char *)ret_text->data, size, JSON_COMPACT | JSON_ENCODE_ANY);
	return true;
}
