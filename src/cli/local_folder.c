/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "image/machine.h"

/* `local status` holds no lock; another `up` or `down` takes seconds. Wait as long as a person is patient. */
#define LOCK_TIMEOUT_MS 2000
#define LOCK_POLL_US 20000

static const struct folder_entry {
	size_t offset;
	const char *name;
} folder_entries[] = {
	{offsetof(struct local_folder, lock), "lock"},
	{offsetof(struct local_folder, settings), "local.json"},
	{offsetof(struct local_folder, policy), "policy.json"},
	{offsetof(struct local_folder, clients), "clients.json"},
	{offsetof(struct local_folder, known_clients), "known-clients"},
	{offsetof(struct local_folder, ca), "ca.pem"},
	{offsetof(struct local_folder, image), "image"},
	{offsetof(struct local_folder, enclave), "image/ensign-enclave"},
	{offsetof(struct local_folder, configuration), "image/enclave.json"},
	{offsetof(struct local_folder, machine), "machine"},
	{offsetof(struct local_folder, console), "machine/" MACHINE_CONSOLE},
	{offsetof(struct local_folder, tables), "tables.sqlite"},
	{offsetof(struct local_folder, host_config), "host.json"},
	{offsetof(struct local_folder, sim), "sim"},
	{offsetof(struct local_folder, endpoints), "sim/endpoints.json"},
	{offsetof(struct local_folder, table_ca), "table-ca.pem"},
	{offsetof(struct local_folder, fresh_keys), "fresh-keys"},
	{offsetof(struct local_folder, tls_births), "tls-births"},
	{offsetof(struct local_folder, run), "run"},
	{offsetof(struct local_folder, control), "run/control.sock"},
	{offsetof(struct local_folder, status), "run/status.json"},
	{offsetof(struct local_folder, store), "store"},
	{offsetof(struct local_folder, log), "log"},
	{offsetof(struct local_folder, sim_log), "log/sim.log"},
	{offsetof(struct local_folder, host_log), "log/host.log"},
	{offsetof(struct local_folder, sim_pid), "sim.pid"},
	{offsetof(struct local_folder, host_pid), "host.pid"},
};

static char **entry_of(struct local_folder *folder, size_t offset)
{
	return (char **)(void *)((char *)folder + offset);
}

void local_folder_done(struct local_folder *folder)
{
	if (!folder)
		return;
	free(folder->path);
	free(folder->option);
	for (size_t i = 0; i < ARRAY_SIZE(folder_entries); i++)
		free(*entry_of(folder, folder_entries[i].offset));
	*folder = (struct local_folder){0};
}

static char *default_path(struct error *error)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	/* The XDG base directory specification: a path that is not absolute is to be ignored. */
	if (state && state[0] == '/')
		return memory_format("%s/ensign/local", state);
	if (home && home[0] == '/')
		return memory_format("%s/.local/state/ensign/local", home);
	return error_set(error, ERROR_INPUT, "no folder: give --dir, or set HOME or XDG_STATE_HOME"), NULL;
}

static char *absolute_path(const char *path, struct error *error)
{
	char working[PATH_MAX];
	AUTO_FREE char *real = realpath(path, NULL);
	size_t size = strlen(path);

	if (real)
		return memory_copy_text(real);
	while (size > 1 && path[size - 1] == '/')
		size--;
	if (path[0] == '/')
		return memory_format("%.*s", (int)size, path);
	if (!getcwd(working, sizeof working))
		return error_set_errno(error, ERROR_IO, "working folder"), NULL;
	return memory_format("%s/%.*s", working, (int)size, path);
}

bool local_folder_init(const char *path, struct local_folder *ret_folder, struct error *error)
{
	AUTO_LOCAL_FOLDER struct local_folder folder = {0};
	AUTO_FREE char *wanted = NULL;

	if (path && path[0] == 0)
		return error_set(error, ERROR_INPUT, "--dir: empty");
	wanted = path ? memory_copy_text(path) : default_path(error);
	if (!wanted)
		return false;
	folder.path = absolute_path(wanted, error);
	if (!folder.path)
		return false;
	folder.option = path ? memory_format(" --dir %s", path) : memory_copy_text("");
	for (size_t i = 0; i < ARRAY_SIZE(folder_entries); i++)
		*entry_of(&folder, folder_entries[i].offset) = memory_format("%s/%s", folder.path, folder_entries[i].name);
	*ret_folder = folder;
	folder = (struct local_folder){0};
	return true;
}

/* Like mkdir -p, for the folders above. */
static bool make_parents(const char *path, struct error *error)
{
	AUTO_FREE char *partial = memory_copy_text(path);

	for (char *slash = strchr(partial + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (!file_exists(partial) && !folder_make(partial, 0700, error))
			return false;
		*slash = '/';
	}
	return true;
}

bool local_folder_missing(const struct local_folder *folder, struct error *error)
{
	return error_set(error, ERROR_NOT_FOUND, "there is no local signer in %s; ensign local up%s makes one", folder->path,
			 folder->option);
}

bool local_folder_make(const struct local_folder *folder, struct error *error)
{
	const char *const folders[] = {folder->path, folder->image, folder->sim, folder->run, folder->store, folder->log};

	if (!make_parents(folder->path, error))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		if (!folder_make(folders[i], 0700, error))
			return false;
	}
	return true;
}

int local_folder_lock(const struct local_folder *folder, struct error *error)
{
	uint64_t deadline_ms = clock_monotonic_ms() + LOCK_TIMEOUT_MS;
	AUTO_FD int fd = open(folder->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_set_errno(error, ERROR_IO, "%s", folder->lock), -1;
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_set_errno(error, ERROR_IO, "%s", folder->lock), -1;
		if (clock_monotonic_ms() > deadline_ms)
			return error_set(error, ERROR_IO, "another ensign command is at work on %s", folder->path), -1;
		(void)usleep(LOCK_POLL_US);
	}
	return take_fd(&fd);
}
