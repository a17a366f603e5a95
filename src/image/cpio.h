/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing cpio archives in the "new ASCII" format (newc, 070701), which Linux unpacks into its first file system
 * (Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 * Equal contents give equal bytes, whoever adds them in whatever order and wherever: entries are sorted by name, owner and group are 0, the
 * time is 0, inode numbers count from 1. Only files and folders; Linux needs nothing else of us.
 */
#pragma once

#include "base/bytes.h"

/* Linux passes over names that are longer than its PATH_MAX, without a word. */
#define CPIO_PATH_MAX_SIZE 4095
/* The format has 32 bits; half of that is far above any file of an image. */
#define CPIO_FILE_MAX_SIZE (1u << 31)
/* The permission bits and the sticky one. */
#define CPIO_PERMISSIONS_MASK 01777u

struct cpio_entry {
	char *path; /* without a slash in front */
	uint32_t mode;
	struct buffer contents;
};

/* {0} is an empty archive. */
struct cpio {
	struct cpio_entry *entries;
	size_t count;
};

void cpio_done(struct cpio *cpio);
#define AUTO_CPIO CLEANUP(cpio_done)

/*
 * Add a file, with a copy of its bytes. `path` is absolute: "/usr/lib/x". Folders above it are added with mode 0755 where they are not there
 * yet. ERROR_INPUT names a path that is not plain (no "//", ".", ".."), or that is there already.
 */
MUST_USE bool cpio_add_file(struct cpio *cpio, const char *path, uint32_t permissions, struct view contents, struct error *error);
/* Add a folder. One that is there already is fine when it has these permissions. */
MUST_USE bool cpio_add_folder(struct cpio *cpio, const char *path, uint32_t permissions, struct error *error);
/* The archive, appended; a multiple of 4 bytes, so that another can follow. Sorts the entries. */
void cpio_write(struct cpio *cpio, struct buffer *ret_bytes);
