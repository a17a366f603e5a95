/* SPDX-License-Identifier: Apache-2.0 */
#include "host/isolated_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/sched.h>

#include "base/file.h"

/* The child's own descriptors wait above this number until 0 to 3 are in place. */
#define FD_PARKING_FLOOR 16
#define CHILD_FD 3

#define SEPARATE_ALL (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

/*
 * Best first. An unprivileged user needs a user namespace for the others. Containers often forbid a new /proc or namespaces
 * altogether; the enclave's own seccomp filters hold in any case, and on EC2 the wall is Nitro's.
 */
static const struct level {
	uint64_t namespaces;
	bool own_proc;
	const char *weakness;
} levels[] = {
	{SEPARATE_ALL, true, NULL},
	{SEPARATE_ALL | CLONE_NEWUSER, true, NULL},
	{SEPARATE_ALL, false, "other processes are visible in /proc (mounting a new one is not permitted)"},
	{SEPARATE_ALL | CLONE_NEWUSER, false, "other processes are visible in /proc (mounting a new one is not permitted)"},
	{0, false, "no namespaces (not permitted): network and processes of this machine are in reach"},
};

enum stage { STAGE_ISOLATE, STAGE_EXECUTE };

struct report {
	enum stage stage;
	int problem;
};

/* Everything that the child needs, made before it exists: between clone and exec only system calls are safe. */
struct preparation {
	const struct isolated_spawn_options *options;
	const struct level *level;
	int null_fd;
	int report_fd;
	char uid_map[64];
	char gid_map[64];
};

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t put;

	if (fd < 0)
		return false;
	put = write(fd, text, strlen(text));
	(void)close(fd);
	return put == (ssize_t)strlen(text);
}

/*
 * The user stays who it is; exec then drops the capabilities that the new namespace gave. /proc/self belongs to root in an
 * undumpable process, which would forbid the writing; exec makes the enclave dumpable in any case.
 */
static bool map_user(const struct preparation *preparation)
{
	if (!(preparation->level->namespaces & CLONE_NEWUSER))
		return true;
	return prctl(PR_SET_DUMPABLE, 1) == 0 && write_file("/proc/self/setgroups", "deny") &&
	       write_file("/proc/self/uid_map", preparation->uid_map) && write_file("/proc/self/gid_map", preparation->gid_map);
}

static bool mount_proc(const struct preparation *preparation)
{
	if (!preparation->level->own_proc)
		return true;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

/* The parent may have died before the request was made: then nobody reads the report any more. */
static bool die_with_parent(int report_fd)
{
	struct pollfd reader = {.fd = report_fd};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return false;
	return poll(&reader, 1, 0) >= 0 && !(reader.revents & POLLERR);
}

static bool place_descriptors(int null_fd, int fd)
{
	if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(fd, CHILD_FD) < 0)
		return false;
	return close_range(CHILD_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC) == 0;
}

static void reset_signals(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* Handlers go at exec, but what is ignored stays ignored. */
	(void)signal(SIGPIPE, SIG_DFL);
}

static __attribute__((noreturn)) void fail(int report_fd, enum stage stage)
{
	struct report report = {.stage = stage, .problem = errno};

	(void)!write(report_fd, &report, sizeof report);
	_exit(127);
}

static __attribute__((noreturn)) void child_main(const struct preparation *preparation)
{
	static char *const no_environment[] = {NULL};
	int report_fd = fcntl(preparation->report_fd, F_DUPFD_CLOEXEC, FD_PARKING_FLOOR);
	int null_fd = fcntl(preparation->null_fd, F_DUPFD_CLOEXEC, FD_PARKING_FLOOR);
	int fd = fcntl(preparation->options->fd, F_DUPFD_CLOEXEC, FD_PARKING_FLOOR);

	if (report_fd < 0 || null_fd < 0 || fd < 0)
		fail(preparation->report_fd, STAGE_EXECUTE);
	reset_signals();
	(void)setsid();
	if (!map_user(preparation) || !mount_proc(preparation))
		fail(report_fd, STAGE_ISOLATE);
	if (!die_with_parent(report_fd) || !place_descriptors(null_fd, fd))
		fail(report_fd, STAGE_EXECUTE);
	(void)execve(preparation->options->path, (char *const *)preparation->options->argv, no_environment);
	fail(report_fd, STAGE_EXECUTE);
}

/* Container filters that know nothing of clone3 refuse it with ENOSYS; without namespaces an ordinary fork does. */
static pid_t clone_child(const struct level *level)
{
	struct clone_args arguments = {.flags = level->namespaces, .exit_signal = SIGCHLD};

	if (!level->namespaces)
		return fork();
	return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

/* False with *ret_report when the child could not be isolated or executed. */
static bool try_level(struct preparation *preparation, struct isolated_child *ret_child, struct report *ret_report)
{
	AUTO_FD int report_read = -1;
	AUTO_FD int report_write = -1;
	int report[2];
	pid_t pid;

	*ret_report = (struct report){.stage = STAGE_EXECUTE};
	if (pipe2(report, O_CLOEXEC) != 0) {
		ret_report->problem = errno;
		return false;
	}
	report_read = report[0];
	report_write = preparation->report_fd = report[1];
	pid = clone_child(preparation->level);
	if (pid == 0)
		child_main(preparation);
	if (pid < 0) {
		*ret_report = (struct report){.stage = STAGE_ISOLATE, .problem = errno};
		return false;
	}
	(void)close(take_fd(&report_write));
	if (!fd_read_all(report_read, ret_report, sizeof *ret_report)) {
		ret_child->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		ret_child->pid = pid;
		if (ret_child->pidfd >= 0)
			return true;
		*ret_report = (struct report){.stage = STAGE_EXECUTE, .problem = errno};
		(void)kill(pid, SIGKILL);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return false;
}

bool isolated_spawn(const struct isolated_spawn_options *options, size_t level, struct isolated_child *ret_child,
		    struct error *error)
{
	AUTO_FD int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct preparation preparation = {.options = options, .null_fd = null_fd};
	struct report report = {.stage = STAGE_EXECUTE};

	if (null_fd < 0)
		return error_set_errno(error, ERROR_IO, "/dev/null");
	(void)snprintf(preparation.uid_map, sizeof preparation.uid_map, "%u %u 1\n", geteuid(), geteuid());
	(void)snprintf(preparation.gid_map, sizeof preparation.gid_map, "%u %u 1\n", getegid(), getegid());
	for (; level < ARRAY_SIZE(levels); level++) {
		struct isolated_child child = {.level = level};

		preparation.level = &levels[level];
		if (try_level(&preparation, &child, &report)) {
			*ret_child = child;
			return true;
		}
		if (report.stage == STAGE_EXECUTE)
			break;
	}
	errno = report.problem;
	return error_set_errno(error, ERROR_IO, "cannot start %s", options->path);
}

const char *isolated_spawn_weakness(size_t level)
{
	return levels[level].weakness;
}

bool isolated_spawn_owns_descendants(size_t level)
{
	return (levels[level].namespaces & CLONE_NEWPID) != 0;
}
