/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "base/file.h"

/* The largest vector file is under 1 MiB. */
#define VECTOR_FILE_MAX_SIZE (16u << 20)

char *own_vector_path(const char *relative)
{
	const char *folder = getenv("ENSIGN_OWN_VECTORS");

	return memory_format("%s/%s", folder ? folder : "tests/vectors", relative);
}

char *public_vector_path(const char *relative)
{
	const char *named = getenv("ENSIGN_VECTORS");
	const char *folder = named ? named : getenv("ENSIGN_DEFAULT_VECTORS");
	const char *ci = getenv("CI");
	char *path = memory_format("%s/%s", folder ? folder : "../shared/vectors", relative);

	if (file_exists(path))
		return path;
	if (ci && strcmp(ci, "true") == 0)
		fail_msg("public vectors are missing: %s (set ENSIGN_VECTORS)", path);
	print_message("skipped: public vectors %s are not here (set ENSIGN_VECTORS)\n", relative);
	free(path);
	return NULL;
}

json_t *load_json(const char *path)
{
	AUTO_BUFFER struct buffer text = {0};
	struct error error = {0};
	json_t *json;

	if (!file_read(path, VECTOR_FILE_MAX_SIZE, &text, &error))
		fail_msg("%s", error.message);
	json = json_parse(buffer_view(&text), path, &error);
	if (!json)
		fail_msg("%s", error.message);
	return json;
}

void assert_ok_at(bool ok, const struct error *error, const char *expression, const char *file, int line)
{
	if (ok)
		return;
	print_error("%s:%d: %s failed: %s: %s\n", file, line, expression, error_code_name(error->code), error->message);
	_fail(file, line);
}

void assert_message_contains_at(const struct error *error, const char *text, const char *file, int line)
{
	if (strstr(error->message, text))
		return;
	print_error("%s:%d: \"%s\" does not contain \"%s\"\n", file, line, error->message, text);
	_fail(file, line);
}

struct buffer unhex(const char *text)
{
	struct buffer bytes = {0};
	size_t size;

	if (strncmp(text, "0x", 2) == 0)
		text += 2;
	size = strlen(text) / 2;
	buffer_reserve(&bytes, size);
	if (!hex_decode(view_of_text(text), bytes.data, size))
		fail_msg("not hex: %s", text);
	bytes.size = size;
	return bytes;
}
