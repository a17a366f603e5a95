/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: hardening this one, starting and stopping others. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/*
 * For every process that may hold a secret: no core dump (RLIMIT_CORE 0), not traceable and not dumpable by others of the
 * same user (PR_SET_DUMPABLE 0), no new privileges by exec. Called first thing in main().
 */
MUST_USE bool process_harden(struct error *error);

/* Give up every capability, for good (PR_SET_NO_NEW_PRIVS is on): what root may do, this process may not. */
MUST_USE bool process_drop_capabilities(struct error *error);
/* All but those of a set (bit n: capability n of linux/capability.h). */
MUST_USE bool process_keep_capabilities(uint64_t kept, struct error *error);

/* As many descriptors as the system gives (RLIMIT_NOFILE: soft to hard); returns how many that is. Children inherit it. */
size_t process_raise_descriptor_limit(void);

/* A descriptor that the child shall find under a given number. */
struct process_fd {
	int fd;
	int number; /* 0 to 63 in the child */
};

struct process_spawn_options {
	const char *path;             /* executable; NULL: exec `executable_fd` instead */
	int executable_fd;            /* used when path is NULL */
	const char *const *argv;      /* NULL-terminated; never a secret */
	const char *const *envp;      /* NULL-terminated; NULL means an empty environment */
	const struct process_fd *fds; /* everything not listed is closed in the child, except 0, 1, 2 unless listed */
	size_t fd_count;
	bool new_session;     /* setsid: survives the terminal, is its own process group */
	bool die_with_parent; /* SIGKILL when the parent's thread ends */
};

/*
 * Start a child, with no signal blocked, handled or (but for SIGPIPE) ignored. *ret_pid is set on success; the caller reaps
 * it. Failures up to exec are reported here (ERROR_IO).
 */
MUST_USE bool process_spawn(const struct process_spawn_options *options, pid_t *ret_pid, struct error *error);

/* SIGTERM, wait up to grace_ms, SIGKILL, reap. For children of this process. Returns the wait status. */
int process_stop(pid_t pid, unsigned grace_ms);

/* True when a process of this number exists (it may be somebody else's). */
bool process_alive(pid_t pid);

/* Folder of this executable, absolute, no slash at the end; for finding sibling programs. Caller frees; NULL on failure. */
MUST_USE char *process_executable_folder(struct error *error);
