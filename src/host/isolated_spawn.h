/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a program behind as many namespaces as this user may make, as process 1 of its own process namespace. base/process.h
 * starts ordinary children.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

struct isolated_spawn_options {
	const char *path;
	const char *const *argv; /* NULL-terminated; the environment is empty */
	int fd;                  /* the child's descriptor 3; 0 is /dev/null, 1 and 2 are inherited, everything else is closed */
};

struct isolated_child {
	pid_t pid; /* as this process sees it */
	int pidfd; /* readable once it has ended */
	size_t level;
};

/*
 * *level is where to begin in the list of isolations, 0 for the best; the first that works is used, and found in the child.
 * The child leads a session and a process group of its own and is killed when the calling thread ends.
 * ERROR_IO when the program cannot be executed.
 */
MUST_USE bool isolated_spawn(const struct isolated_spawn_options *options, size_t level, struct isolated_child *ret_child,
			     struct error *error);

/* What a level lacks, for the log; NULL for none. */
const char *isolated_spawn_weakness(size_t level);
/* True when all descendants end with the child. */
bool isolated_spawn_owns_descendants(size_t level);
