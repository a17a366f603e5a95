/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "host/machine_run.h"
#include "image/machine.h"

struct launcher_qemu {
	struct threaded_launcher threaded;
	const struct machine_options *options;
};

static pid_t qemu_pid(const struct launcher *launcher)
{
	const struct launch_thread *thread = ((const struct launcher_qemu *)launcher)->threaded.thread;

	return thread ? machine_run_pid(thread) : 0;
}

static const char *qemu_weakness(const struct launcher *launcher)
{
	(void)launcher;
	return NULL;
}

static bool qemu_start(struct launcher *launcher, struct error *error)
{
	struct launcher_qemu *qemu = (struct launcher_qemu *)launcher;
	AUTO_FREE char *image = memory_format("%s/" MACHINE_IMAGE, qemu->options->folder);

	threaded_launcher_end(&qemu->threaded);
	if (!file_exists(image))
		return error_set(error, ERROR_NOT_FOUND, "machine: folder: %s does not exist", image);
	qemu->threaded.thread = machine_run_start(qemu->options, error);
	return qemu->threaded.thread != NULL;
}

static const struct launcher_operations operations = {
	.start = qemu_start,
	.watch_fd = threaded_launcher_watch_fd,
	.pid = qemu_pid,
	.terminate = threaded_launcher_kill,
	.kill = threaded_launcher_kill,
	.reap = threaded_launcher_reap,
	.weakness = qemu_weakness,
	.free = threaded_launcher_free,
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
	qemu->threaded.launcher.operations = &operations;
	qemu->options = options->machine;
	return &qemu->threaded.launcher;
}
