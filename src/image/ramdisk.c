/* SPDX-License-Identifier: Apache-2.0 */
#include "image/ramdisk.h"

#include <zlib.h>

#include "image/cpio.h"

#define PROGRAM_PERMISSIONS 0755u
#define FILE_PERMISSIONS 0644u
/* A gzip header, whose time zlib leaves at 0 and which names no file; and zlib's largest window. */
#define GZIP_WINDOW_BITS (16 + 15)
/* zlib's defaults; the highest level takes three times as long for half a percent. */
#define COMPRESSION_LEVEL 6
#define GZIP_MEMORY_LEVEL 8
#define ALIGNMENT 4

static const struct {
	const char *path;
	uint32_t permissions;
} mount_points[] = {
	{"/dev", 0755}, {"/proc", 0755}, {"/run", 0755}, {"/sys", 0755}, {"/tmp", 01777},
};

static bool append_gzip(struct view bytes, struct buffer *ret_gzip, struct error *error)
{
	z_stream stream = {.next_in = (z_const Bytef *)bytes.data, .avail_in = (uInt)bytes.size};
	uLong bound;
	int result;

	if (bytes.size > UINT32_MAX ||
	    deflateInit2(&stream, COMPRESSION_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return error_set(error, ERROR_IO, "ramdisk: cannot be compressed");
	bound = deflateBound(&stream, (uLong)bytes.size);
	buffer_reserve(ret_gzip, bound);
	stream.next_out = ret_gzip->data + ret_gzip->size;
	stream.avail_out = (uInt)bound;
	result = deflate(&stream, Z_FINISH);
	ret_gzip->size += stream.total_out;
	(void)deflateEnd(&stream);
	return result == Z_STREAM_END || error_set(error, ERROR_IO, "ramdisk: cannot be compressed");
}

static bool append(struct cpio *cpio, bool compressed, struct buffer *ret_ramdisk, struct error *error)
{
	const size_t start = ret_ramdisk->size;
	AUTO_BUFFER struct buffer archive = {0};

	cpio_write(cpio, &archive);
	if (!compressed) {
		buffer_append(ret_ramdisk, buffer_view(&archive));
		return true;
	}
	if (!append_gzip(buffer_view(&archive), ret_ramdisk, error))
		return false;
	/* Linux passes over zeros between archives, and wants one that is not compressed at a multiple of 4. */
	while ((ret_ramdisk->size - start) % ALIGNMENT != 0)
		buffer_append_byte(ret_ramdisk, 0);
	return true;
}

bool ramdisk_write_software(const struct closure *closure, struct view nsm_module, bool compressed, struct buffer *ret_ramdisk,
			    struct error *error)
{
	AUTO_CPIO struct cpio cpio = {0};

	for (size_t i = 0; i < ARRAY_SIZE(mount_points); i++) {
		if (!cpio_add_folder(&cpio, mount_points[i].path, mount_points[i].permissions, error))
			return false;
	}
	/* The loader need not be executable, but it is everywhere else. */
	for (size_t i = 0; i < closure->count; i++) {
		if (!cpio_add_file(&cpio, closure->files[i].path, PROGRAM_PERMISSIONS, buffer_view(&closure->files[i].contents),
				   error))
			return false;
	}
	if (nsm_module.size > 0 && !cpio_add_file(&cpio, MACHINE_NSM_MODULE, FILE_PERMISSIONS, nsm_module, error))
		return false;
	return append(&cpio, compressed, ret_ramdisk, error);
}

bool ramdisk_write_settings(struct view configuration, struct view ca_bundle, bool compressed, struct buffer *ret_ramdisk,
			    struct error *error)
{
	AUTO_CPIO struct cpio cpio = {0};

	if (!cpio_add_file(&cpio, MACHINE_CONFIGURATION, FILE_PERMISSIONS, configuration, error))
		return false;
	if (ca_bundle.size > 0 && !cpio_add_file(&cpio, RAMDISK_CA_BUNDLE_PATH, FILE_PERMISSIONS, ca_bundle, error))
		return false;
	return append(&cpio, compressed, ret_ramdisk, error);
}
