/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/init/pid1.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "enclave/init/boot_parameters.h"
#include "image/machine.h"

#include <linux/vm_sockets.h>

#define STORE_FOLDER "/run/store"

/* As many descriptors as any role may ask for: connections of the frontend. The kernel's own limit for PID 1 is 4096. */
#define DESCRIPTORS_MAX 65536
/* klogctl(): what is printed on the console must be more urgent than this. */
#define SYSLOG_ACTION_CONSOLE_LEVEL 8
#define CONSOLE_LEVEL_EMERGENCIES 1

#define PLAIN (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* Sizes: nothing of ours writes to /tmp; in /run there is an embedded slashing store when the configuration says debug. */
static const struct mount_point {
	const char *path;
	const char *type;
	unsigned long flags;
	const char *options;
} mount_points[] = {
	{"/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755"},
	{"/proc", "proc", PLAIN, NULL},
	{"/sys", "sysfs", PLAIN | MS_RDONLY, NULL},
	{"/tmp", "tmpfs", PLAIN, "mode=1777,size=16m"},
	{"/run", "tmpfs", PLAIN, "mode=0755,size=64m"},
};

bool pid1_is_machine(int argc, char *const *argv)
{
	return getpid() == 1 && argc > 0 && strcmp(argv[0], MACHINE_INIT) == 0;
}

/* A ramdisk need not have the folders, and the kernel may have mounted /dev already. */
static bool mount_all(struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(mount_points); i++) {
		const struct mount_point *point = &mount_points[i];

		if (mkdir(point->path, 0755) != 0 && errno != EEXIST)
			return error_set_errno(error, ERROR_IO, "%s", point->path);
		if (mount(point->type, point->path, point->type, point->flags, point->options) != 0 && errno != EBUSY)
			return error_set_errno(error, ERROR_IO, "cannot mount %s on %s", point->type, point->path);
	}
	return true;
}

/* Nothing is read from the console. Without one (that is possible) lines of the boot are lost, and nothing else. */
static bool open_console(struct error *error)
{
	int null = open("/dev/null", O_RDWR);
	int console;

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return error_set_errno(error, ERROR_IO, "/dev/null");
	console = open("/dev/console", O_WRONLY | O_NOCTTY);
	for (int number = STDOUT_FILENO; number <= STDERR_FILENO; number++) {
		if (dup2(console >= 0 ? console : null, number) < 0)
			return error_set_errno(error, ERROR_IO, "/dev/console");
	}
	if (console > STDERR_FILENO)
		(void)close(console);
	if (null > STDERR_FILENO)
		(void)close(null);
	return true;
}

/* AWS's kernels have the driver of /dev/nsm as a module. It is measured with the software, and nothing can be loaded once init has given up its capabilities. */
static bool load_nsm_module(struct error *error)
{
	AUTO_FD int fd = open(MACHINE_NSM_MODULE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || error_set_errno(error, ERROR_IO, MACHINE_NSM_MODULE);
	return syscall(SYS_finit_module, fd, "", 0) == 0 ||
	       error_set_errno(error, ERROR_IO, "the kernel does not load " MACHINE_NSM_MODULE);
}

static bool read_boot_parameters(struct boot_parameters *ret_parameters, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	return file_read("/proc/cmdline", MACHINE_COMMAND_LINE_MAX_SIZE, &text, error) &&
	       boot_parameters_parse(buffer_view(&text), ret_parameters, error);
}

static struct address vsock_of(uint32_t cid, uint32_t port)
{
	return (struct address){.kind = ADDRESS_VSOCK, .cid = cid, .port = port};
}

static void set_addresses(struct init *init, const struct boot_parameters *parameters)
{
	init->control = vsock_of(VMADDR_CID_ANY, MACHINE_CONTROL_PORT);
	init->signing = vsock_of(VMADDR_CID_ANY, MACHINE_SIGNING_PORT);
	init->heartbeat = vsock_of(parameters->parent_cid, MACHINE_HEARTBEAT_PORT);
	init->nsm_is_device = !parameters->has_simulated_nsm;
	init->nsm = parameters->simulated_nsm;
	/* These live as long as init does. */
	init->kms_relay = memory_format("vsock:%u:%u", parameters->parent_cid, MACHINE_KMS_PORT);
	init->table_relay = memory_format("vsock:%u:%u", parameters->parent_cid, MACHINE_TABLE_PORT);
	init->store_folder = STORE_FOLDER;
}

static bool place_configuration(struct error *error)
{
	int fd = configuration_seal(MACHINE_CONFIGURATION, error);

	if (fd < 0)
		return error_prefix(error, "measured configuration");
	if (fd == CONFIGURATION_FD)
		return true;
	if (dup2(fd, CONFIGURATION_FD) < 0)
		return error_set_errno(error, ERROR_IO, "measured configuration");
	(void)close(fd);
	return true;
}

bool pid1_begin(struct init *init, struct error *error)
{
	const struct rlimit descriptors = {DESCRIPTORS_MAX, DESCRIPTORS_MAX};
	struct boot_parameters parameters = {0};

	if (!mount_all(error) || !open_console(error) || !load_nsm_module(error) || !read_boot_parameters(&parameters, error))
		return false;
	if (setrlimit(RLIMIT_NOFILE, &descriptors) != 0)
		return error_set_errno(error, ERROR_IO, "cannot raise the number of descriptors");
	set_addresses(init, &parameters);
	return folder_make(STORE_FOLDER, 0700, error) && place_configuration(error);
}

bool pid1_check_configuration(const struct configuration *configuration, struct error *error)
{
	if (configuration->is_debug)
		return true;
	if (configuration->slashing_protection && !configuration->slashing.uses_dynamodb)
		return error_set(
			error, ERROR_POLICY,
			"slashing.store: embedded is in this machine's memory and forgotten when it ends; it must be dynamodb "
			"(or debug true, for tests)");
	return true;
}

void pid1_quiet_console(void)
{
	(void)klogctl(SYSLOG_ACTION_CONSOLE_LEVEL, NULL, CONSOLE_LEVEL_EMERGENCIES);
}

void pid1_end(void)
{
	(void)reboot(RB_AUTOBOOT);
	/* Not reached, but for a system that refuses: then the kernel's panic ends it, a little later. */
	_exit(EXIT_FAILURE);
}
