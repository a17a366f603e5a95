/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_daemon.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"

#define PID_FILE_MAX_SIZE 32
#define POLL_US 10000
#define KILL_TIMEOUT_MS 2000
/* Where the daemon finds its locked pid file; it never looks, it only has to keep it open. */
#define PID_FILE_NUMBER 9
/* Enough for any command line that is one of ours. */
#define COMMAND_LINE_MAX_SIZE 65536

static bool lock_is_held(const char *pid_file)
{
	AUTO_FD int fd = open(pid_file, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

bool local_daemon_running(const char *pid_file, pid_t *ret_pid)
{
	AUTO_BUFFER struct buffer text = {0};
	struct error ignored;
	uint64_t pid = 0;

	if (!lock_is_held(pid_file) || !file_read(pid_file, PID_FILE_MAX_SIZE, &text, &ignored))
		return false;
	while (text.size && text.data[text.size - 1] == '\n')
		text.size--;
	if (!u64_parse(buffer_view(&text), &pid) || pid < 2 || pid > INT32_MAX)
		return false;
	if (ret_pid)
		*ret_pid = (pid_t)pid;
	return true;
}

/* What a daemon may inherit; credentials and proxies of the user's shell are none of its business. */
static const char *const passed_variables[] = {
	"PATH", "HOME", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS",
};

#define ENVIRONMENT_CAPACITY (ARRAY_SIZE(passed_variables) + 1)

static void make_environment(const char *ret_environment[ENVIRONMENT_CAPACITY])
{
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(passed_variables); i++) {
		const char *value = getenv(passed_variables[i]);

		if (value)
			ret_environment[used++] = memory_format("%s=%s", passed_variables[i], value);
	}
	ret_environment[used] = NULL;
}

static void free_environment(const char *environment[ENVIRONMENT_CAPACITY])
{
	for (size_t i = 0; environment[i]; i++)
		free((void *)(uintptr_t)environment[i]);
}

static int open_locked_pid_file(const char *path, struct error *error)
{
	AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_set_errno(error, ERROR_IO, "%s", path), -1;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return error_set_errno(error, ERROR_IO, "%s: held by a running process", path), -1;
	return take_fd(&fd);
}

static bool write_pid(int fd, const char *path, pid_t pid, struct error *error)
{
	char text[PID_FILE_MAX_SIZE];
	int size = snprintf(text, sizeof text, "%d\n", (int)pid);

	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)size, 0) != size)
		return error_set_errno(error, ERROR_IO, "%s", path);
	return true;
}

bool local_daemon_start(const struct local_daemon *daemon, pid_t *ret_pid, struct error *error)
{
	const char *environment[ENVIRONMENT_CAPACITY] = {NULL};
	AUTO_FD int pid_fd = open_locked_pid_file(daemon->pid_file, error);
	AUTO_FD int null_fd = -1;
	AUTO_FD int log_fd = -1;
	pid_t pid;
	bool done;

	if (pid_fd < 0)
		return false;
	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	log_fd = open(daemon->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (null_fd < 0 || log_fd < 0)
		return error_set_errno(error, ERROR_IO, "%s", daemon->log_file);
	const struct process_fd fds[] = {{null_fd, 0}, {log_fd, 1}, {log_fd, 2}, {pid_fd, PID_FILE_NUMBER}};
	const struct process_spawn_options options = {
		.path = daemon->program,
		.argv = daemon->argv,
		.envp = environment,
		.fds = fds,
		.fd_count = ARRAY_SIZE(fds),
		.new_session = true,
	};

	make_environment(environment);
	done = process_spawn(&options, &pid, error);
	free_environment(environment);
	if (!done)
		return false;
	if (!write_pid(pid_fd, daemon->pid_file, pid, error)) {
		(void)process_stop(pid, KILL_TIMEOUT_MS);
		return false;
	}
	*ret_pid = pid;
	return true;
}

/* Reaps it too when it is a child of this command. */
static bool wait_until_released(const char *pid_file, pid_t pid, unsigned timeout_ms)
{
	uint64_t deadline_ms = clock_monotonic_ms() + timeout_ms;

	while (lock_is_held(pid_file)) {
		(void)waitpid(pid, NULL, WNOHANG);
		if (clock_monotonic_ms() > deadline_ms)
			return false;
		(void)usleep(POLL_US);
	}
	(void)waitpid(pid, NULL, WNOHANG);
	return true;
}

bool local_daemon_stop(const char *pid_file, unsigned grace_ms, bool *ret_killed, struct error *error)
{
	AUTO_FD int handle = -1;
	pid_t pid;

	if (ret_killed)
		*ret_killed = false;
	if (!local_daemon_running(pid_file, &pid)) {
		(void)unlink(pid_file);
		return true;
	}
	handle = (int)syscall(SYS_pidfd_open, pid, 0);
	/* Look again now that the process is pinned: the number may have changed hands before. */
	if (handle < 0 || !lock_is_held(pid_file)) {
		if (!wait_until_released(pid_file, pid, KILL_TIMEOUT_MS))
			return error_set(error, ERROR_IO, "%s: held, but process %d is not there", pid_file, (int)pid);
		(void)unlink(pid_file);
		return true;
	}
	if (syscall(SYS_pidfd_send_signal, handle, SIGTERM, NULL, 0) != 0 && errno != ESRCH)
		return error_set_errno(error, ERROR_IO, "cannot stop process %d (%s)", (int)pid, pid_file);
	if (!wait_until_released(pid_file, pid, grace_ms)) {
		if (ret_killed)
			*ret_killed = true;
		(void)syscall(SYS_pidfd_send_signal, handle, SIGKILL, NULL, 0);
		if (!wait_until_released(pid_file, pid, KILL_TIMEOUT_MS))
			return error_set(error, ERROR_IO, "process %d (%s) does not end", (int)pid, pid_file);
	}
	(void)unlink(pid_file);
	return true;
}

static bool has_argument(pid_t pid, const char *argument)
{
	AUTO_FREE char *path = memory_format("/proc/%d/cmdline", (int)pid);
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *line = (char *)memory_allocate(COMMAND_LINE_MAX_SIZE + 1);
	ssize_t size = fd < 0 ? -1 : read(fd, line, COMMAND_LINE_MAX_SIZE);

	if (size <= 0)
		return false;
	line[size] = 0;
	for (const char *word = line; word < line + size; word += strlen(word) + 1) {
		if (strcmp(word, argument) == 0)
			return true;
	}
	return false;
}

static size_t signal_all(const char *argument, int signal_number)
{
	DIR *proc = opendir("/proc");
	size_t count = 0;

	if (!proc)
		return 0;
	for (struct dirent *entry = readdir(proc); entry; entry = readdir(proc)) {
		AUTO_FD int handle = -1;
		uint64_t pid;

		if (!u64_parse(view_of_text(entry->d_name), &pid) || pid > INT32_MAX || (pid_t)pid == getpid())
			continue;
		handle = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
		if (handle < 0 || !has_argument((pid_t)pid, argument))
			continue;
		if (syscall(SYS_pidfd_send_signal, handle, signal_number, NULL, 0) == 0)
			count++;
	}
	(void)closedir(proc);
	return count;
}

size_t local_daemon_sweep(const char *argument, unsigned grace_ms)
{
	uint64_t deadline_ms = clock_monotonic_ms() + grace_ms;
	size_t found = signal_all(argument, SIGTERM);

	if (found == 0)
		return 0;
	while (clock_monotonic_ms() < deadline_ms) {
		if (signal_all(argument, 0) == 0)
			return found;
		(void)usleep(POLL_US);
	}
	(void)signal_all(argument, SIGKILL);
	return found;
}
