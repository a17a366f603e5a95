/* SPDX-License-Identifier: Apache-2.0 */
/* A small image in a machine's folder; nothing boots it. */
#pragma once

#include "base/file.h"
#include "image/machine_image.h"
#include "vectors.h"

#define MAKER_KERNEL "a kernel"
#define MAKER_COMMAND_LINE "console=ttyS0 quiet"
#define MAKER_SOFTWARE "the software"
#define MAKER_SETTINGS "the settings"

static inline void maker_write(const char *folder, struct view bytes)
{
	AUTO_FREE char *path = memory_format("%s/" MACHINE_IMAGE, folder);
	struct error error = {0};

	assert_ok(file_write_atomic(path, bytes, 0600, &error), &error);
}

/* `signature` NULL: it is not signed. */
static inline void maker_image(const char *folder, const struct view *signature)
{
	struct eif eif = eif_new(false);
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};
	bool ok = eif_add(&eif, EIF_SECTION_KERNEL, view_of_text(MAKER_KERNEL), &error) &&
		  eif_add(&eif, EIF_SECTION_CMDLINE, view_of_text(MAKER_COMMAND_LINE), &error) &&
		  eif_add(&eif, EIF_SECTION_METADATA, view_of_text("{}"), &error) &&
		  eif_add(&eif, EIF_SECTION_RAMDISK, view_of_text(MAKER_SOFTWARE), &error) &&
		  eif_add(&eif, EIF_SECTION_RAMDISK, view_of_text(MAKER_SETTINGS), &error) &&
		  (!signature || eif_add(&eif, EIF_SECTION_SIGNATURE, *signature, &error)) && eif_write(&eif, &bytes, &error);

	assert_ok(ok, &error);
	maker_write(folder, buffer_view(&bytes));
}
