/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/release.h"

#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/process.h"

/* From RELEASE/bin, where the program is. */
#define ROOT "../root"
#define LOADER "lib64/ld-linux-x86-64.so.2"

char *release_root(void)
{
	struct error ignored = {0};
	AUTO_FREE char *programs = process_executable_folder(&ignored);
	AUTO_FREE char *loader = programs ? memory_format("%s/" ROOT "/" LOADER, programs) : NULL;
	AUTO_FREE char *root = programs ? memory_format("%s/" ROOT, programs) : NULL;

	return loader && file_exists(loader) ? realpath(root, NULL) : NULL;
}

bool release_link_root(const char *folder, struct error *error)
{
	AUTO_FREE char *root = release_root();
	AUTO_FREE char *link = memory_format("%s/root", folder);
	AUTO_FREE char *new_link = memory_format("%s.new", link);

	if (!root)
		return true;
	/* In one step: a program may be starting. */
	(void)unlink(new_link);
	if (symlink(root, new_link) != 0 || rename(new_link, link) != 0)
		return error_set_errno(error, ERROR_IO, "%s", link);
	return true;
}
