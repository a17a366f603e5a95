/* SPDX-License-Identifier: Apache-2.0 */
#include "image/cpio.h"

#include <sys/stat.h>

#define FOLDER_PERMISSIONS 0755u
#define TRAILER_NAME "TRAILER!!!"
#define ALIGNMENT 4u

void cpio_done(struct cpio *cpio)
{
	if (!cpio)
		return;
	for (size_t i = 0; i < cpio->count; i++) {
		free(cpio->entries[i].path);
		buffer_done(&cpio->entries[i].contents);
	}
	free(cpio->entries);
	*cpio = (struct cpio){0};
}

static bool is_plain_name(const char *name, size_t size)
{
	if (size == 0 || (size == 1 && name[0] == '.') || (size == 2 && name[0] == '.' && name[1] == '.'))
		return false;
	return true;
}

/* Each name between slashes is one that means itself, so that no two paths are one file. */
static bool check_path(const char *path, struct error *error)
{
	if (path[0] != '/' || strlen(path) > CPIO_PATH_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "%.200s: not an absolute path of at most %d bytes", path, CPIO_PATH_MAX_SIZE);
	for (const char *name = path + 1;;) {
		size_t size = strcspn(name, "/");

		if (!is_plain_name(name, size))
			return error_set(error, ERROR_INPUT, "%.200s: a path with an empty name, \".\" or \"..\" in it", path);
		if (name[size] == 0)
			return true;
		name += size + 1;
	}
}

static struct cpio_entry *find(const struct cpio *cpio, const char *name, size_t size)
{
	for (size_t i = 0; i < cpio->count; i++) {
		if (strlen(cpio->entries[i].path) == size && memcmp(cpio->entries[i].path, name, size) == 0)
			return &cpio->entries[i];
	}
	return NULL;
}

static struct cpio_entry *append(struct cpio *cpio, const char *name, size_t size, uint32_t mode)
{
	struct cpio_entry *grown = (struct cpio_entry *)realloc(cpio->entries, (cpio->count + 1) * sizeof *grown);

	if (!grown)
		abort();
	cpio->entries = grown;
	cpio->entries[cpio->count] = (struct cpio_entry){.path = memory_format("%.*s", (int)size, name), .mode = mode};
	return &cpio->entries[cpio->count++];
}

/* The folders above a path, from the top. */
static bool add_parents(struct cpio *cpio, const char *path, struct error *error)
{
	const char *names = path + 1;

	for (const char *slash = strchr(names, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t size = (size_t)(slash - names);
		const struct cpio_entry *entry = find(cpio, names, size);

		if (entry && !S_ISDIR(entry->mode))
			return error_set(error, ERROR_INPUT, "%.200s: /%.200s is a file", path, entry->path);
		if (!entry)
			(void)append(cpio, names, size, S_IFDIR | FOLDER_PERMISSIONS);
	}
	return true;
}

bool cpio_add_file(struct cpio *cpio, const char *path, uint32_t permissions, struct view contents, struct error *error)
{
	if (!check_path(path, error))
		return false;
	if (find(cpio, path + 1, strlen(path + 1)))
		return error_set(error, ERROR_INPUT, "%.200s: there twice", path);
	if (contents.size > CPIO_FILE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "%.200s: larger than %u bytes", path, CPIO_FILE_MAX_SIZE);
	if (!add_parents(cpio, path, error))
		return false;
	buffer_append(&append(cpio, path + 1, strlen(path + 1), S_IFREG | (permissions & CPIO_PERMISSIONS_MASK))->contents,
		      contents);
	return true;
}

bool cpio_add_folder(struct cpio *cpio, const char *path, uint32_t permissions, struct error *error)
{
	const uint32_t mode = S_IFDIR | (permissions & CPIO_PERMISSIONS_MASK);
	const struct cpio_entry *entry;

	if (!check_path(path, error))
		return false;
	entry = find(cpio, path + 1, strlen(path + 1));
	if (entry)
		return entry->mode == mode ||
		       error_set(error, ERROR_INPUT, "%.200s: there already, as something else than a folder of mode %o", path,
				 (unsigned)(permissions & CPIO_PERMISSIONS_MASK));
	if (!add_parents(cpio, path, error))
		return false;
	(void)append(cpio, path + 1, strlen(path + 1), mode);
	return true;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct cpio_entry *)a)->path, ((const struct cpio_entry *)b)->path);
}

static void pad(struct buffer *bytes, size_t start)
{
	while ((bytes->size - start) % ALIGNMENT != 0)
		buffer_append_byte(bytes, 0);
}

static void write_entry(const char *name, uint32_t inode, uint32_t mode, struct view contents, size_t start,
			struct buffer *ret_bytes)
{
	const uint32_t links = S_ISDIR(mode) ? 2 : 1;
	const uint32_t fields[] = {
		inode,
		mode,
		0,
		0, /* uid, gid */
		links,
		0, /* mtime */
		(uint32_t)contents.size,
		0,
		0,
		0,
		0, /* devices: of the file system, of the file */
		(uint32_t)strlen(name) + 1,
		0 /* check: not in this format */
	};

	buffer_append_text(ret_bytes, "070701");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		buffer_append_format(ret_bytes, "%08x", fields[i]);
	buffer_append(ret_bytes, view_of(name, strlen(name) + 1));
	pad(ret_bytes, start);
	buffer_append(ret_bytes, contents);
	pad(ret_bytes, start);
}

void cpio_write(struct cpio *cpio, struct buffer *ret_bytes)
{
	const size_t start = ret_bytes->size;

	/* A folder sorts before what is in it, for its name is the beginning of theirs. */
	if (cpio->count > 0)
		qsort(cpio->entries, cpio->count, sizeof *cpio->entries, compare);
	for (size_t i = 0; i < cpio->count; i++) {
		const struct cpio_entry *entry = &cpio->entries[i];

		write_entry(entry->path, (uint32_t)i + 1, entry->mode, buffer_view(&entry->contents), start, ret_bytes);
	}
	write_entry(TRAILER_NAME, 0, 0, (struct view){0}, start, ret_bytes);
}
