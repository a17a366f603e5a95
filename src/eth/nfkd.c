/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/nfkd.h"

#include <utf8proc.h>

#define UTF8_CHARACTER_MAX_SIZE 4

/* As code points. Both passes write only to memory that is ours: utf8proc_map() would use the plain heap. */
static bool decompose(struct view text, const char *field, struct secret *ret_characters, struct error *error)
{
	const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
	utf8proc_ssize_t size = (utf8proc_ssize_t)text.size;
	utf8proc_ssize_t count = utf8proc_decompose(text.data, size, NULL, 0, options);

	if (count < 0)
		return error_set(error, ERROR_INPUT, "%s: not UTF-8", field);
	if (!secret_init(ret_characters, (size_t)count * sizeof(utf8proc_int32_t), error))
		return false;
	(void)utf8proc_decompose(text.data, size, (utf8proc_int32_t *)(void *)ret_characters->data, count, options);
	return true;
}

bool nfkd_normalize_text(struct view text, const char *field, bool (*drop)(int32_t character), struct secret *ret_text,
			 struct error *error)
{
	AUTO_SECRET struct secret characters = {0};
	AUTO_SECRET struct secret room = {0};
	const utf8proc_int32_t *character;
	size_t count;
	size_t size = 0;

	if (!decompose(text, field, &characters, error))
		return false;
	character = (const utf8proc_int32_t *)(void *)characters.data;
	count = characters.size / sizeof *character;
	if (!secret_init(&room, count * UTF8_CHARACTER_MAX_SIZE, error))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!drop || !drop(character[i]))
			size += (size_t)utf8proc_encode_char(character[i], room.data + size);
	}
	return secret_init_copy(ret_text, view_of(room.data, size), error);
}
