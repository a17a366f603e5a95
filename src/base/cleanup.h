/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scoped cleanup (GNU `cleanup` attribute): a variable declared with CLEANUP(f) is handed to f when it leaves scope, on
 * every path. Used instead of goto ladders. To give a thing away, move it out and leave the empty value behind.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

/* AUTO_FD int fd = -1; is closed at the end of the scope. */
#define AUTO_FD CLEANUP(cleanup_fd)
/* AUTO_FREE char *text = …; not for secrets: those live in struct secret. */
#define AUTO_FREE CLEANUP(cleanup_free)
#define AUTO_FILE CLEANUP(cleanup_file)

/* Move a descriptor out of a scoped variable. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
