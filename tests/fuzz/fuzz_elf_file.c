/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "image/elf_file.h"

/* Every text ends within the file. */
static void check(struct view bytes, const char *text)
{
	const uint8_t *start = (const uint8_t *)text;

	if (text && (start < bytes.data || start >= bytes.data + bytes.size ||
		     !memchr(start, 0, (size_t)(bytes.data + bytes.size - start))))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct view bytes = view_of(data, size);
	struct elf_file file;
	struct error error;

	if (!elf_read(bytes, &file, &error))
		return 0;
	if (file.loaded_size > size)
		abort();
	check(bytes, file.interpreter);
	check(bytes, file.run_path);
	for (size_t i = 0; i < file.needed_count; i++)
		check(bytes, file.needed[i]);
	return 0;
}
