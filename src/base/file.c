/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Read in pieces of this size: large enough that a syscall costs nothing beside the copy. */
#define READ_CHUNK_SIZE 65536

bool fd_read_all(int fd, void *bytes, size_t size)
{
	uint8_t *next = (uint8_t *)bytes;

	while (size > 0) {
		ssize_t got = read(fd, next, size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			if (got == 0)
				errno = 0;
			return false;
		}
		next += got;
		size -= (size_t)got;
	}
	return true;
}

bool fd_write_all(int fd, const void *bytes, size_t size)
{
	const uint8_t *next = (const uint8_t *)bytes;

	while (size > 0) {
		ssize_t put = write(fd, next, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		next += put;
		size -= (size_t)put;
	}
	return true;
}

bool file_read_fd(int fd, const char *what, size_t max_size, struct buffer *ret_bytes, struct error *error)
{
	size_t start = ret_bytes->size;

	for (;;) {
		size_t used = ret_bytes->size - start;
		ssize_t got;

		buffer_reserve(ret_bytes, READ_CHUNK_SIZE);
		got = pread(fd, ret_bytes->data + ret_bytes->size, READ_CHUNK_SIZE, (off_t)used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			ret_bytes->size = start;
			return error_set_errno(error, ERROR_IO, "%s: read failed", what);
		}
		if (got == 0)
			return true;
		if ((size_t)got > max_size - used) {
			ret_bytes->size = start;
			return error_set(error, ERROR_INPUT, "%s: larger than %zu bytes", what, max_size);
		}
		ret_bytes->size += (size_t)got;
	}
}

bool file_read(const char *path, size_t max_size, struct buffer *ret_bytes, struct error *error)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%s", path);
	return file_read_fd(fd, path, max_size, ret_bytes, error);
}

bool file_read_secret(const char *path, size_t max_size, struct secret *ret_secret, struct error *error)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO_SECRET struct secret secret = {0};
	struct stat status;

	if (fd < 0)
		return error_set_errno(error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%s", path);
	if (fstat(fd, &status) != 0)
		return error_set_errno(error, ERROR_IO, "%s", path);
	if (!S_ISREG(status.st_mode))
		return error_set(error, ERROR_INPUT, "%s: not a regular file", path);
	if ((size_t)status.st_size > max_size)
		return error_set(error, ERROR_INPUT, "%s: larger than %zu bytes", path, max_size);
	if (!secret_init(&secret, (size_t)status.st_size, error))
		return error_prefix(error, "%s", path);
	if (!fd_read_all(fd, secret.data, secret.size)) {
		if (errno == 0)
			return error_set(error, ERROR_IO, "%s: became shorter while it was read", path);
		return error_set_errno(error, ERROR_IO, "%s: read failed", path);
	}
	*ret_secret = secret;
	secret = (struct secret){0};
	return true;
}

/* Make the rename itself durable. Best effort: some file systems do not let a folder be synced. */
static void sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *folder = slash ? memory_format("%.*s", (int)(slash - path + 1), path) : memory_copy_text(".");
	AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)fsync(fd);
}

bool file_write_atomic(const char *path, struct view bytes, mode_t mode, struct error *error)
{
	AUTO_FREE char *temporary = memory_format("%s.new.%d", path, (int)getpid());
	AUTO_FD int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return error_set_errno(error, ERROR_IO, "%s", temporary);
	/* The mode first: a temporary file left behind by a crash may be readable by others. */
	if (fchmod(fd, mode) != 0 || !fd_write_all(fd, bytes.data, bytes.size) || fsync(fd) != 0 || rename(temporary, path) != 0) {
		(void)error_set_errno(error, ERROR_IO, "%s: write failed", path);
		(void)unlink(temporary);
		return false;
	}
	sync_folder_of(path);
	return true;
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool folder_make(const char *path, mode_t mode, struct error *error)
{
	struct stat status;

	if (mkdir(path, mode) == 0)
		return true;
	if (errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		return true;
	return error_set_errno(error, ERROR_IO, "cannot make the folder %s", path);
}
