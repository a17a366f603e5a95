/* SPDX-License-Identifier: Apache-2.0 */
/* Files: bounded reads, atomic writes, folders. Errors name the path. */
#pragma once

#include <sys/types.h>

#include "base/bytes.h"
#include "base/secret.h"

/* The whole file, at most max_size bytes (ERROR_INPUT when larger), appended to ret_bytes. */
MUST_USE bool file_read(const char *path, size_t max_size, struct buffer *ret_bytes, struct error *error);
/* From an open descriptor, from its beginning (pread), without moving its offset. `what` names it in errors. */
MUST_USE bool file_read_fd(int fd, const char *what, size_t max_size, struct buffer *ret_bytes, struct error *error);
/* The same into protected memory, with no copy elsewhere. */
MUST_USE bool file_read_secret(const char *path, size_t max_size, struct secret *ret_secret, struct error *error);
/* Write to a temporary file beside it, fsync, rename, fsync the folder: readers see the old or the new contents, whole. */
MUST_USE bool file_write_atomic(const char *path, struct view bytes, mode_t mode, struct error *error);
MUST_USE bool file_exists(const char *path);
/* Make one folder; one that exists already is fine (its mode is left alone). */
MUST_USE bool folder_make(const char *path, mode_t mode, struct error *error);
/* Read or write all of `size` bytes on a blocking descriptor; retry EINTR. False with errno set (0: end of file). */
MUST_USE bool fd_read_all(int fd, void *bytes, size_t size);
MUST_USE bool fd_write_all(int fd, const void *bytes, size_t size);
