/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/file.h"
#include "host/isolated_spawn.h"
#include "host/launcher.h"
#include "image/configuration.h"

struct launcher_process {
	struct launcher launcher;
	const struct launch_options *options;
	struct isolated_child child; /* pid 0: none */
	size_t level;                /* of isolation, where the next start begins: what was refused once is not tried again */
};

static const struct launcher_process *process_of(const struct launcher *launcher)
{
	return (const struct launcher_process *)launcher;
}

/* Stale sockets of an enclave that died would look like one that refuses connections. */
static void remove_socket(const struct address *address)
{
	if (address->kind == ADDRESS_UNIX)
		(void)unlink(address->path);
}

static int process_watch_fd(const struct launcher *launcher)
{
	return process_of(launcher)->child.pidfd;
}

static pid_t process_pid(const struct launcher *launcher)
{
	return process_of(launcher)->child.pid;
}

static void process_terminate(struct launcher *launcher)
{
	if (process_pid(launcher) > 0)
		(void)kill(process_pid(launcher), SIGTERM);
}

static void process_kill(struct launcher *launcher)
{
	pid_t pid = process_pid(launcher);

	if (pid <= 0)
		return;
	(void)kill(pid, SIGKILL);
	/* Without a process namespace its children are in its process group. */
	(void)kill(-pid, SIGKILL);
}

static void describe_end(const siginfo_t *end, char *ret_how, size_t size)
{
	if (end->si_code == CLD_EXITED)
		(void)snprintf(ret_how, size, "ended with status %d", end->si_status);
	if (end->si_code != CLD_EXITED)
		(void)snprintf(ret_how, size, "was killed by signal %d (%s)", end->si_status, sigdescr_np(end->si_status));
}

static bool process_reap(struct launcher *launcher, char *ret_how, size_t size)
{
	struct launcher_process *process = (struct launcher_process *)launcher;
	siginfo_t end = {0};

	if (process->child.pid <= 0) {
		(void)snprintf(ret_how, size, "was not started");
		return true;
	}
	if (waitid(P_PID, (id_t)process->child.pid, &end, WEXITED | WNOHANG | WNOWAIT) != 0 || end.si_pid == 0)
		return false;
	/* While the leader is a zombie its number cannot be another group's. */
	if (!isolated_spawn_owns_descendants(process->child.level))
		(void)kill(-process->child.pid, SIGKILL);
	(void)waitpid(process->child.pid, NULL, 0);
	describe_end(&end, ret_how, size);
	(void)close(process->child.pidfd);
	process->child = (struct isolated_child){.pidfd = -1};
	remove_socket(&process->options->control);
	remove_socket(&process->options->signing);
	return true;
}

static const char *process_weakness(const struct launcher *launcher)
{
	return isolated_spawn_weakness(process_of(launcher)->level);
}

/* Waits, but not for long: nothing survives SIGKILL. */
static void end_at_once(struct launcher *launcher)
{
	siginfo_t end;
	char how[64];

	if (process_pid(launcher) <= 0)
		return;
	process_kill(launcher);
	while (waitid(P_PID, (id_t)process_pid(launcher), &end, WEXITED | WNOWAIT) != 0 && errno == EINTR)
		;
	(void)process_reap(launcher, how, sizeof how);
}

static bool process_start(struct launcher *launcher, struct error *error)
{
	struct launcher_process *process = (struct launcher_process *)launcher;
	const struct launch_options *options = process->options;
	char control[ADDRESS_TEXT_SIZE], signing[ADDRESS_TEXT_SIZE], kms[ADDRESS_TEXT_SIZE], nsm[ADDRESS_TEXT_SIZE];
	char table[ADDRESS_TEXT_SIZE] = "";
	const char *argv[16] = {"ensign-enclave", "--control", control,   "--signing",          signing, "--kms", kms,
				"--nsm",          nsm,         "--store", options->store_folder};
	size_t count = 11;
	struct isolated_spawn_options spawn = {.path = options->program, .argv = argv};
	/* Nobody can change what the simulator measures and the enclave reads, not even this program. */
	AUTO_FD int fd = configuration_seal(options->configuration, error);

	if (fd < 0)
		return false;
	end_at_once(launcher);
	address_format(&options->control, control);
	address_format(&options->signing, signing);
	address_format(&options->kms, kms);
	if (options->has_table) {
		address_format(&options->table, table);
		argv[count++] = "--table";
		argv[count++] = table;
	}
	if (options->log_format) {
		argv[count++] = "--log-format";
		argv[count++] = options->log_format;
	}
	address_format(&options->nsm, nsm);
	remove_socket(&options->control);
	remove_socket(&options->signing);
	spawn.fd = fd;
	if (!isolated_spawn(&spawn, process->level, &process->child, error))
		return false;
	process->level = process->child.level;
	return true;
}

static void process_free(struct launcher *launcher)
{
	end_at_once(launcher);
	free(launcher);
}

static const struct launcher_operations operations = {
	.start = process_start,
	.watch_fd = process_watch_fd,
	.pid = process_pid,
	.terminate = process_terminate,
	.kill = process_kill,
	.reap = process_reap,
	.weakness = process_weakness,
	.free = process_free,
};

struct launcher *launcher_process_new(const struct launch_options *options, struct error *error)
{
	struct launcher_process *process;

	if (!file_exists(options->program))
		return error_set(error, ERROR_NOT_FOUND, "program: %s does not exist", options->program), NULL;
	if (!file_exists(options->configuration))
		return error_set(error, ERROR_NOT_FOUND, "configuration: %s does not exist", options->configuration), NULL;
	process = memory_allocate_zeroed(1, sizeof *process);
	process->launcher.operations = &operations;
	process->options = options;
	process->child.pidfd = -1;
	return &process->launcher;
}
