/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "base/file.h"
#include "host/machine_run.h"
#include "image/machine.h"

struct launcher_qemu {
	struct launcher launcher;
	const struct machine_options *options;
	struct machine_run *run; /* NULL: none */
};

static const struct launcher_qemu *qemu_of(const struct launcher *launcher)
{
	return (const struct launcher_qemu *)launcher;
}

static int qemu_watch_fd(const struct launcher *launcher)
{
	const struct machine_run *run = qemu_of(launcher)->run;

	return run ? machine_run_watch_fd(run) : -1;
}

static pid_t qemu_pid(const struct launcher *launcher)
{
	const struct machine_run *run = qemu_of(launcher)->run;

	return run ? machine_run_pid(run) : 0;
}

/* There is nothing in it to be told, and nothing that it would have to save. */
static void qemu_kill(struct launcher *launcher)
{
	struct launcher_qemu *qemu = (struct launcher_qemu *)launcher;

	if (qemu->run)
		machine_run_stop(qemu->run);
}

static bool qemu_reap(struct launcher *launcher, char *ret_how, size_t size)
{
	struct launcher_qemu *qemu = (struct launcher_qemu *)launcher;
	struct pollfd ended = {.fd = qemu_watch_fd(launcher), .events = POLLIN};

	if (!qemu->run) {
		(void)snprintf(ret_how, size, "was not started");
		return true;
	}
	if (poll(&ended, 1, 0) <= 0)
		return false;
	machine_run_free(qemu->run, ret_how, size);
	qemu->run = NULL;
	return true;
}

static const char *qemu_weakness(const struct launcher *launcher)
{
	(void)launcher;
	return NULL;
}

static void end_at_once(struct launcher_qemu *qemu)
{
	if (!qemu->run)
		return;
	machine_run_stop(qemu->run);
	machine_run_free(qemu->run, NULL, 0);
	qemu->run = NULL;
}

static bool qemu_start(struct launcher *launcher, struct error *error)
{
	struct launcher_qemu *qemu = (struct launcher_qemu *)launcher;
	AUTO_FREE char *image = memory_format("%s/" MACHINE_IMAGE, qemu->options->folder);

	end_at_once(qemu);
	if (!file_exists(image))
		return error_set(error, ERROR_NOT_FOUND, "machine: folder: %s does not exist", image);
	qemu->run = machine_run_start(qemu->options, error);
	return qemu->run != NULL;
}

static void qemu_free(struct launcher *launcher)
{
	end_at_once((struct launcher_qemu *)launcher);
	free(launcher);
}

static const struct launcher_operations operations = {
	.start = qemu_start,
	.watch_fd = qemu_watch_fd,
	.pid = qemu_pid,
	.terminate = qemu_kill,
	.kill = qemu_kill,
	.reap = qemu_reap,
	.weakness = qemu_weakness,
	.free = qemu_free,
};

static bool check_options(const struct machine_options *machine, struct error *error)
{
	if (!machine)
		return error_set(error, ERROR_INPUT, "machine: missing; the qemu launcher needs it");
	if (strlen(machine->folder) > MACHINE_FOLDER_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "machine: folder: %zu bytes, at most %zu fit into a socket's path",
				 strlen(machine->folder), (size_t)MACHINE_FOLDER_MAX_SIZE);
	/* Both are put between commas and colons. */
	if (strpbrk(machine->folder, ",:"))
		return error_set(error, ERROR_INPUT, "machine: folder: has a comma or a colon, which qemu takes for its own");
	if (!file_exists(machine->qemu))
		return error_set(error, ERROR_NOT_FOUND, "machine: qemu: %s does not exist", machine->qemu);
	if (!file_exists(machine->vsock_backend))
		return error_set(error, ERROR_NOT_FOUND, "machine: vsock_backend: %s does not exist", machine->vsock_backend);
	return true;
}

struct launcher *launcher_qemu_new(const struct launch_options *options, struct error *error)
{
	struct launcher_qemu *qemu;

	if (!check_options(options->machine, error))
		return NULL;
	qemu = memory_allocate_zeroed(1, sizeof *qemu);
	qemu->launcher.operations = &operations;
	qemu->options = options->machine;
	return &qemu->launcher;
}
