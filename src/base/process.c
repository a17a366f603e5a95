/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"

/* Descriptors are first moved above this number, so that placing one never overwrites another that is still to be placed. */
#define FD_PARKING_FLOOR 64
#define STOP_POLL_US 2000

bool process_harden(struct error *error)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return error_set_errno(error, ERROR_IO, "cannot switch core dumps off");
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		return error_set_errno(error, ERROR_IO, "cannot make the process undumpable");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_set_errno(error, ERROR_IO, "cannot give up new privileges");
	return true;
}

bool process_drop_capabilities(struct error *error)
{
	return process_keep_capabilities(0, error);
}

bool process_keep_capabilities(uint64_t kept, struct error *error)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		sets[i].effective = sets[i].permitted = (uint32_t)(kept >> (32 * i));
	if (syscall(SYS_capset, &header, sets) != 0)
		return error_set_errno(error, ERROR_IO, "cannot give up capabilities");
	return true;
}

size_t process_raise_descriptor_limit(void)
{
	struct rlimit limit;
	struct rlimit raised;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	raised = (struct rlimit){limit.rlim_max, limit.rlim_max};
	return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

/*
 * close_range(2), or the same by hand where the kernel has none (before Linux 5.9, and without CLOSE_RANGE_CLOEXEC before 5.11;
 * the stock kernel of an enclave is 4.14). It must not fail silently: that would leave a child with descriptors it must not have.
 */
static bool hide_descriptors(unsigned first, unsigned last, unsigned flags)
{
	struct rlimit limit;

	if (close_range(first, last, (int)flags) == 0)
		return true;
	if ((errno != ENOSYS && errno != EINVAL) || getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return false;
	for (unsigned fd = first; fd <= last && fd < limit.rlim_cur; fd++) {
		if (flags & CLOSE_RANGE_CLOEXEC)
			(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
		else
			(void)close((int)fd);
	}
	return true;
}

/*
 * Handlers of the parent must not run in the child, and a signal it ignores must not make the child unstoppable. SIGPIPE alone
 * is inherited: those who write to sockets ignore it, and so must the children they make.
 */
static void reset_signals(void)
{
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int number = 1; number < NSIG; number++) {
		/* SIGKILL, SIGSTOP and the library's own refuse. */
		if (number != SIGPIPE)
			(void)sigaction(number, &by_default, NULL);
	}
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* *report_fd always stays a descriptor on which a failure can be told. */
static bool place_descriptors(const struct process_spawn_options *options, int *report_fd, int *ret_executable)
{
	int parked[FD_PARKING_FLOOR];
	int report = fcntl(*report_fd, F_DUPFD_CLOEXEC, FD_PARKING_FLOOR);

	if (report < 0)
		return false;
	*report_fd = report;
	if (!options->path) {
		*ret_executable = fcntl(options->executable_fd, F_DUPFD_CLOEXEC, FD_PARKING_FLOOR);
		if (*ret_executable < 0)
			return false;
	}
	for (size_t i = 0; i < options->fd_count; i++) {
		parked[i] = fcntl(options->fds[i].fd, F_DUPFD_CLOEXEC, FD_PARKING_FLOOR);
		if (parked[i] < 0)
			return false;
	}
	if (!hide_descriptors(3, FD_PARKING_FLOOR - 1, 0))
		return false;
	for (size_t i = 0; i < options->fd_count; i++) {
		if (dup2(parked[i], options->fds[i].number) < 0)
			return false;
	}
	/* Whatever else is open above goes at exec: our own are close-on-exec, a stranger's would leak into the child. */
	return hide_descriptors(FD_PARKING_FLOOR, ~0u, CLOSE_RANGE_CLOEXEC);
}

static bool tie_to_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return false;
	if (getppid() == parent)
		return true;
	/* It died before the signal was asked for. */
	errno = ESRCH;
	return false;
}

/* Runs between fork and exec: only async-signal-safe calls. Reports errno through report_fd when something fails. */
static __attribute__((noreturn)) void child_main(const struct process_spawn_options *options, int report_fd, pid_t parent)
{
	static const char *const empty_environment[] = {NULL};
	const char *const *envp = options->envp ? options->envp : empty_environment;
	int executable = -1;
	int problem;

	reset_signals();
	if (options->new_session)
		(void)setsid();
	if (place_descriptors(options, &report_fd, &executable) && (!options->die_with_parent || tie_to_parent(parent))) {
		if (options->path)
			(void)execve(options->path, (char *const *)options->argv, (char *const *)envp);
		else
			(void)fexecve(executable, (char *const *)options->argv, (char *const *)envp);
	}
	problem = errno;
	(void)!write(report_fd, &problem, sizeof problem);
	_exit(127);
}

bool process_spawn(const struct process_spawn_options *options, pid_t *ret_pid, struct error *error)
{
	const char *name = options->path ? options->path : options->argv[0];
	AUTO_FD int report_read = -1;
	AUTO_FD int report_write = -1;
	pid_t parent = getpid();
	int report[2];
	int problem;
	pid_t pid;

	if (options->fd_count > FD_PARKING_FLOOR)
		return error_set(error, ERROR_BUG, "%s: too many descriptors for a child", name);
	for (size_t i = 0; i < options->fd_count; i++) {
		if (options->fds[i].number < 0 || options->fds[i].number >= FD_PARKING_FLOOR)
			return error_set(error, ERROR_BUG, "%s: no place for a descriptor at %d", name, options->fds[i].number);
	}
	if (pipe2(report, O_CLOEXEC) != 0)
		return error_set_errno(error, ERROR_IO, "cannot start %s", name);
	report_read = report[0];
	report_write = report[1];
	pid = fork();
	if (pid < 0)
		return error_set_errno(error, ERROR_IO, "cannot start %s", name);
	if (pid == 0)
		child_main(options, report_write, parent);
	(void)close(take_fd(&report_write));
	if (fd_read_all(report_read, &problem, sizeof problem)) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		errno = problem;
		return error_set_errno(error, ERROR_IO, "cannot start %s", name);
	}
	*ret_pid = pid;
	return true;
}

int process_stop(pid_t pid, unsigned grace_ms)
{
	uint64_t deadline_ms = clock_monotonic_ms() + grace_ms;
	int status = 0;

	(void)kill(pid, SIGTERM);
	while (clock_monotonic_ms() < deadline_ms) {
		pid_t reaped = waitpid(pid, &status, WNOHANG);

		if (reaped == pid || (reaped < 0 && errno == ECHILD))
			return status;
		(void)usleep(STOP_POLL_US);
	}
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

bool process_alive(pid_t pid)
{
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

char *process_executable_folder(struct error *error)
{
	char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
	char *slash;

	if (size < 0)
		return error_set_errno(error, ERROR_IO, "/proc/self/exe"), NULL;
	path[size] = 0;
	slash = strrchr(path, '/');
	if (!slash)
		return error_set(error, ERROR_IO, "/proc/self/exe: no folder in %s", path), NULL;
	*slash = 0;
	return memory_copy_text(path);
}
