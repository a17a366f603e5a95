/* SPDX-License-Identifier: Apache-2.0 */
#include "host/machine_run.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/process.h"
#include "image/machine_image.h"
#include "net/deadline.h"

#define BACKEND_SOCKET "vhost.sock"
/* The back end binds its socket within milliseconds; this is a machine under full load. */
#define BACKEND_READY_TIMEOUT_MS 5000
#define BACKEND_READY_POLL_MS 5
/* The byte is sent with the connect. */
#define HEARTBEAT_TIMEOUT_MS 2000
#define HEARTBEAT_BACKLOG 4
/* Any from 3 on; each machine has a back end of its own, so that they may all have the same. */
#define GUEST_CID 16
/* At the back end the host is 2: connections to 3, EC2's parent, it drops. */
#define PARENT_CID 2
/* With the back end's default, writes of the guest above 32 KiB stall. */
#define BACKEND_BUFFER_SIZE 32768
#define MACHINE_CPUS 1

struct machine_run {
	struct launch_thread thread;
	const struct machine_options *options;
	atomic_int qemu_pid;
};

/* A child and the descriptor that tells its end. */
struct child {
	const char *name;
	pid_t pid;
	int pidfd;
};

static bool child_start(const char *name, const char *const *argv, struct child *ret_child, struct error *error)
{
	const struct process_spawn_options options = {.path = argv[0], .argv = argv, .die_with_parent = true};
	struct child child = {.name = name, .pidfd = -1};

	if (!process_spawn(&options, &child.pid, error))
		return error_prefix(error, "%s", name);
	child.pidfd = pidfd_open(child.pid, 0);
	*ret_child = child;
	return child.pidfd >= 0 || error_set_errno(error, ERROR_IO, "%s", name);
}

/* Returns its wait status. */
static int child_end(struct child *child)
{
	int status = 0;

	if (child->pid > 0)
		status = process_stop(child->pid, 0);
	if (child->pidfd >= 0)
		(void)close(child->pidfd);
	*child = (struct child){.pidfd = -1};
	return status;
}

static bool child_has_ended(const struct child *child)
{
	struct pollfd polled = {.fd = child->pidfd, .events = POLLIN};

	return poll(&polled, 1, 0) != 0;
}

static void child_done(struct child *child)
{
	(void)child_end(child);
}
#define AUTO_CHILD CLEANUP(child_done)

static void describe_end(const char *name, int status, struct launch_thread *thread)
{
	if (WIFSIGNALED(status))
		launch_thread_set_how(thread, "ended: %s was killed by signal %d", name, WTERMSIG(status));
	else
		launch_thread_set_how(thread, "ended: %s ended with status %d (see " MACHINE_CONSOLE ")", name,
				      WEXITSTATUS(status));
}

static bool start_backend(const struct machine_options *options, struct child *ret_backend, struct error *error)
{
	AUTO_FREE char *machine =
		memory_format("guest-cid=%d,socket=%s/" BACKEND_SOCKET ",uds-path=%s/" MACHINE_VSOCK ",tx-buffer-size=%d",
			      GUEST_CID, options->folder, options->folder, BACKEND_BUFFER_SIZE);
	AUTO_FREE char *socket_path = memory_format("%s/" BACKEND_SOCKET, options->folder);
	AUTO_FREE char *vsock_path = memory_format("%s/" MACHINE_VSOCK, options->folder);
	const char *const argv[] = {options->vsock_backend, "--vm", machine, NULL};
	uint64_t deadline_ms = deadline_after(BACKEND_READY_TIMEOUT_MS);

	/* A stale one would look like one that is ready. */
	(void)unlink(socket_path);
	(void)unlink(vsock_path);
	if (!child_start("vhost-device-vsock", argv, ret_backend, error))
		return false;
	while (!file_exists(socket_path)) {
		if (child_has_ended(ret_backend) || deadline_left_ms(deadline_ms) == 0)
			return error_set(error, ERROR_IO, "%s: made no socket %s", options->vsock_backend, socket_path);
		(void)poll(NULL, 0, BACKEND_READY_POLL_MS);
	}
	return true;
}

/* What is said behind the measured line is of this computer alone: no parent of EC2, no NSM, and an end that qemu understands. */
static char *unpack(const struct machine_options *options, struct error *error)
{
	AUTO_MACHINE_IMAGE struct machine_image image = {0};
	AUTO_BUFFER struct buffer text = {0};

	if (!machine_image_read(options->folder, &image, error) || !machine_image_unpack(&image, options->folder, &text, error))
		return NULL;
	return memory_format("%s ensign.parent_cid=%d ensign.nsm=vsock:%d:%d reboot=t", buffer_text(&text), PARENT_CID, PARENT_CID,
			     MACHINE_NSM_PORT);
}

static bool start_qemu(const struct machine_options *options, const char *command_line, struct child *ret_qemu, struct error *error)
{
	AUTO_FREE char *machine = memory_format("microvm,accel=%s,memory-backend=memory,acpi=off", options->accelerator);
	AUTO_FREE char *memory = memory_format("memory-backend-memfd,id=memory,size=%uM,share=on", options->memory_mib);
	AUTO_FREE char *size = memory_format("%uM", options->memory_mib);
	AUTO_FREE char *cpus = memory_format("%d", MACHINE_CPUS);
	AUTO_FREE char *socket_path = memory_format("socket,id=vsock,path=%s/" BACKEND_SOCKET, options->folder);
	AUTO_FREE char *console = memory_format("file:%s/" MACHINE_CONSOLE, options->folder);
	AUTO_FREE char *kernel = memory_format("%s/" MACHINE_KERNEL, options->folder);
	AUTO_FREE char *ramdisk = memory_format("%s/" MACHINE_RAMDISK, options->folder);
	/* Without cmpxchg16b, which qemu 7.2 gets wrong. */
	const char *const argv[] = {
		options->qemu, "-M",      machine,   "-cpu",     "max,-cx16", "-smp",       cpus,
		"-m",          size,      "-object", memory,     "-display",  "none",       "-nodefaults",
		"-no-reboot",  "-serial", console,   "-chardev", socket_path, "-device",    "vhost-user-vsock-device,chardev=vsock",
		"-kernel",     kernel,    "-initrd", ramdisk,    "-append",   command_line, "-no-user-config",
		NULL};

	return child_start("qemu", argv, ret_qemu, error);
}

/* Nothing depends on it here: what the machine waits for is only an answer. */
static void answer_heartbeat(int listener)
{
	const uint64_t deadline_ms = deadline_after(HEARTBEAT_TIMEOUT_MS);
	AUTO_FD int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	uint8_t byte = 0;
	struct iovec piece = {&byte, 1};
	bool is_answered = fd >= 0 && deadline_read(fd, &byte, 1, deadline_ms, NULL) && byte == MACHINE_HEARTBEAT &&
			   deadline_write(fd, &piece, 1, deadline_ms);

	(void)is_answered;
}

/* Until something ends. */
static void watch(struct machine_run *run, int listener, struct child *qemu, struct child *backend)
{
	struct pollfd polled[] = {
		{run->thread.stop_event, POLLIN, 0}, {qemu->pidfd, POLLIN, 0}, {backend->pidfd, POLLIN, 0}, {listener, POLLIN, 0}};

	for (;;) {
		struct child *ended = NULL;

		if (poll(polled, ARRAY_SIZE(polled), -1) < 0)
			continue;
		if (polled[0].revents) {
			launch_thread_set_how(&run->thread, "was told to end");
			return;
		}
		if (polled[1].revents)
			ended = qemu;
		else if (polled[2].revents)
			ended = backend;
		if (ended) {
			const char *name = ended->name;

			describe_end(name, child_end(ended), &run->thread);
			return;
		}
		if (polled[3].revents)
			answer_heartbeat(listener);
	}
}

static bool run_machine(struct machine_run *run, struct error *error)
{
	AUTO_CHILD struct child backend = {.pidfd = -1};
	AUTO_CHILD struct child qemu = {.pidfd = -1};
	AUTO_FREE char *text = memory_format("hybrid:%s/" MACHINE_VSOCK ":%d", run->options->folder, MACHINE_HEARTBEAT_PORT);
	AUTO_FREE char *command_line = unpack(run->options, error);
	AUTO_FD int listener = -1;
	struct address address;

	if (!command_line || !address_parse(text, &address, error))
		return false;
	listener = address_listen(&address, HEARTBEAT_BACKLOG, error);
	if (listener < 0 || !start_backend(run->options, &backend, error) || !start_qemu(run->options, command_line, &qemu, error))
		return false;
	atomic_store(&run->qemu_pid, qemu.pid);
	watch(run, listener, &qemu, &backend);
	atomic_store(&run->qemu_pid, 0);
	return true;
}

static void run_thread(struct launch_thread *thread)
{
	struct error error = {0};

	if (!run_machine((struct machine_run *)thread, &error))
		launch_thread_set_how(thread, "did not start: %.400s", error.message);
}

struct launch_thread *machine_run_start(const struct machine_options *options, struct error *error)
{
	struct machine_run *run = memory_allocate_zeroed(1, sizeof *run);

	run->options = options;
	run->thread.run = run_thread;
	if (launch_thread_start(&run->thread, error))
		return &run->thread;
	free(run);
	return NULL;
}

pid_t machine_run_pid(const struct launch_thread *thread)
{
	return atomic_load(&((const struct machine_run *)thread)->qemu_pid);
}
