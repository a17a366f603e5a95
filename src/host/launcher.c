/* SPDX-License-Identifier: Apache-2.0 */
#include "host/launcher.h"

static const struct kind {
	const char *name;
	struct launcher *(*create)(const struct launch_options *options, struct error *error);
} kinds[] = {
	{"process", launcher_process_new},
	{"qemu", launcher_qemu_new},
	{"nitro", launcher_nitro_new},
};

struct launcher *launcher_new(const char *name, const struct launch_options *options, struct error *error)
{
	AUTO_BUFFER struct buffer names = {0};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].create(options, error);
		buffer_append_format(&names, " %s", kinds[i].name);
	}
	return error_set(error, ERROR_INPUT, "launcher: %.32s is not one of:%s", name, buffer_text(&names)), NULL;
}

void launcher_free(struct launcher *launcher)
{
	if (launcher)
		launcher->operations->free(launcher);
}
