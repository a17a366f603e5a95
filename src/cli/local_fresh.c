/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_fresh.h"

#include <unistd.h>

#include "base/file.h"

/* 100,000 keys of 97 bytes. */
#define NOTE_MAX_SIZE (16u << 20)
#define LINE_SIZE (2 * BLS_PUBLIC_KEY_SIZE + 1)

static bool read_note(const struct local_folder *folder, struct buffer *ret_text, struct error *error)
{
	return !file_exists(folder->fresh_keys) || file_read(folder->fresh_keys, NOTE_MAX_SIZE, ret_text, error);
}

bool local_fresh_note(const struct local_folder *folder, const struct key_rows *rows, size_t count, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	if (!read_note(folder, &text, error))
		return false;
	for (size_t i = 0; i < count; i++)
		buffer_append_format(&text, "%s\n", rows->rows[i].pubkey);
	return file_write_atomic(folder->fresh_keys, buffer_view(&text), 0600, error);
}

static bool parse_note(struct view text, uint8_t (**ret_keys)[BLS_PUBLIC_KEY_SIZE], size_t *ret_count, struct error *error)
{
	size_t count = text.size / LINE_SIZE;
	AUTO_FREE uint8_t(*keys)[BLS_PUBLIC_KEY_SIZE] = memory_allocate_zeroed(count + 1, sizeof *keys);

	for (size_t i = 0; i < count; i++) {
		if (!hex_decode(view_of(text.data + i * LINE_SIZE, LINE_SIZE - 1), keys[i], BLS_PUBLIC_KEY_SIZE))
			return error_set(error, ERROR_INPUT, "line %zu: not a public key", i + 1);
	}
	*ret_keys = keys;
	*ret_count = count;
	keys = NULL;
	return true;
}

static bool let_begin(const struct local_folder *folder, struct history_source *source, struct history_counts *ret_counts,
		      struct error *error)
{
	AUTO_FREE uint8_t(*keys)[BLS_PUBLIC_KEY_SIZE] = NULL;
	AUTO_BUFFER struct buffer text = {0};
	size_t count;

	if (!read_note(folder, &text, error) || !parse_note(buffer_view(&text), &keys, &count, error))
		return error_prefix(error, "%s", folder->fresh_keys);
	return count == 0 || history_source_begin(source, (const uint8_t(*)[BLS_PUBLIC_KEY_SIZE])keys, count, ret_counts, error);
}

bool local_fresh_settle(const struct local_folder *folder, const struct interchange *interchange, struct history_counts *ret_counts,
			struct error *error)
{
	AUTO_HISTORY_SOURCE struct history_source *source = NULL;
	bool ok;

	*ret_counts = (struct history_counts){0};
	if (!interchange && !file_exists(folder->fresh_keys))
		return true;
	source = history_source_open(&(struct history_place){.dir = folder->path}, error);
	if (!source)
		return false;
	ok = interchange ? history_source_import(source, interchange, ret_counts, error)
			 : let_begin(folder, source, ret_counts, error);
	if (ok)
		(void)unlink(folder->fresh_keys);
	return ok;
}
