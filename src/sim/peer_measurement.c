/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/peer_measurement.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/file.h"

/* Linux 6.5; not in every libc's headers yet. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define PROC_PATH_SIZE 64
#define PROC_STAT_MAX_SIZE 4096
/* /proc/PID/stat: the start time is the 22nd word; the 2nd, the name in parentheses, may contain anything. */
#define STAT_START_TIME_AFTER_NAME 20
#define ALL_WRITE_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static void proc_path(pid_t pid, const char *name, char ret_path[PROC_PATH_SIZE])
{
	(void)snprintf(ret_path, PROC_PATH_SIZE, "/proc/%d/%s", (int)pid, name);
}

static bool read_start_time(pid_t pid, uint64_t *ret_ticks, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	char path[PROC_PATH_SIZE];
	const char *word;
	size_t size;

	proc_path(pid, "stat", path);
	if (!file_read(path, PROC_STAT_MAX_SIZE, &text, error))
		return false;
	word = strrchr(buffer_text(&text), ')');
	for (int i = 0; word && i < STAT_START_TIME_AFTER_NAME; i++) {
		word = strchr(word, ' ');
		word = word ? word + 1 : NULL;
	}
	size = word ? strspn(word, "0123456789") : 0;
	if (size == 0 || !u64_parse(view_of(word, size), ret_ticks))
		return error_set(error, ERROR_IO, "%s: no start time", path);
	return true;
}

/* A descriptor for the process: while it says that the process lives, nobody else has its number. */
static int peer_pidfd(int socket_fd, pid_t pid, struct error *error)
{
	int pidfd = -1;
	socklen_t size = sizeof pidfd;

	if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
		return pidfd;
	/* Older kernels: by number, a moment after it connected. Any other failure says that the process is gone already. */
	pidfd = errno == ENOPROTOOPT ? pidfd_open(pid, 0) : -1;
	if (pidfd < 0)
		(void)error_set_errno(error, ERROR_IO, "process %d", (int)pid);
	return pidfd;
}

static int open_in_proc(pid_t pid, const char *name, struct error *error)
{
	char path[PROC_PATH_SIZE];
	int fd;

	proc_path(pid, name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == EACCES)
		(void)error_set_errno(error, ERROR_IO, "%s (is the process undumpable already?)", path);
	if (fd < 0 && errno != EACCES)
		(void)error_set_errno(error, ERROR_IO, "%s", path);
	return fd;
}

static bool check_sealed(int configuration_fd, struct error *error)
{
	int seals = fcntl(configuration_fd, F_GET_SEALS);

	if (seals < 0 || (seals & ALL_WRITE_SEALS) != ALL_WRITE_SEALS)
		return error_set(error, ERROR_POLICY, "descriptor %d is not a memfd with all write seals", PEER_CONFIGURATION_FD);
	return true;
}

/* Still the same process, alive, and it has not executed another program since `program_fd` was opened. */
static bool check_unchanged(const struct peer_process *process, int pidfd, int program_fd, struct error *error)
{
	struct pollfd exited = {.fd = pidfd, .events = POLLIN};
	struct stat measured;
	struct stat running;
	char path[PROC_PATH_SIZE];
	uint64_t ticks = 0;

	proc_path(process->pid, "exe", path);
	if (!read_start_time(process->pid, &ticks, error))
		return false;
	if (fstat(program_fd, &measured) != 0 || stat(path, &running) != 0)
		return error_set_errno(error, ERROR_IO, "%s", path);
	if (ticks != process->start_time_ticks || measured.st_dev != running.st_dev || measured.st_ino != running.st_ino)
		return error_set(error, ERROR_POLICY, "it became another program while it was measured");
	/* Last: up to here the number in the paths was its own. */
	if (poll(&exited, 1, 0) != 0)
		return error_set(error, ERROR_POLICY, "it ended while it was measured");
	return true;
}

static bool measure(int socket_fd, struct peer_process *process, struct measurement *ret_measurement, struct error *error)
{
	AUTO_FD int pidfd = peer_pidfd(socket_fd, process->pid, error);
	AUTO_FD int program = -1;
	AUTO_FD int configuration = -1;
	char name[PROC_PATH_SIZE];

	if (pidfd < 0 || !read_start_time(process->pid, &process->start_time_ticks, error))
		return false;
	program = open_in_proc(process->pid, "exe", error);
	if (program < 0)
		return false;
	(void)snprintf(name, sizeof name, "fd/%d", PEER_CONFIGURATION_FD);
	configuration = open_in_proc(process->pid, name, error);
	if (configuration < 0)
		return false;
	return check_sealed(configuration, error) && measurement_of_process_image(program, configuration, ret_measurement, error) &&
	       check_unchanged(process, pidfd, program, error);
}

static bool find_peer(int socket_fd, struct peer_process *ret_process, struct error *error)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;

	if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
		return error_set_errno(error, ERROR_IO, "who is the client?");
	/* 0: it lives in a pid namespace that is not below ours. */
	if (credentials.pid <= 0)
		return error_set(error, ERROR_POLICY, "the client's process cannot be seen from here");
	*ret_process = (struct peer_process){.pid = credentials.pid};
	return true;
}

bool peer_identify(int socket_fd, struct peer_process *ret_process, struct error *error)
{
	struct peer_process process;

	if (!find_peer(socket_fd, &process, error) || !read_start_time(process.pid, &process.start_time_ticks, error))
		return false;
	*ret_process = process;
	return true;
}

bool peer_measure(int socket_fd, struct peer_process *ret_process, struct measurement *ret_measurement, struct error *error)
{
	struct peer_process process;
	struct measurement measurement;

	if (!find_peer(socket_fd, &process, error))
		return false;
	if (!measure(socket_fd, &process, &measurement, error))
		return error_prefix(error, "client %d cannot be measured", (int)process.pid);
	*ret_process = process;
	*ret_measurement = measurement;
	return true;
}
