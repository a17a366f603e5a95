/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_machine.h"

#include <unistd.h>

#include "base/file.h"
#include "base/version.h"
#include "cli/checkout.h"
#include "cli/histories.h"
#include "cli/image_make.h"
#include "cli/kernel_file.h"
#include "image/machine_image.h"

#define QEMU "qemu-system-x86_64"
#define BACKEND "vhost-device-vsock"
/* Where scripts/get-microvm puts both. */
#define CHECKOUT_PROGRAMS ".deps/microvm/bin"
/* A thousand keys are opened with it; qemu takes half as much again. */
#define MEMORY_MIB 256
#define IMAGE_MODE 0600

bool local_machine_merge(const struct machine_choice *choice, struct local_settings *settings, struct error *error)
{
	const char *kernel = choice->kernel;
	AUTO_FREE char *path = NULL;

	if (choice->launcher) {
		if (strcmp(choice->launcher, LOCAL_LAUNCHER_PROCESS) != 0 && strcmp(choice->launcher, LOCAL_LAUNCHER_QEMU) != 0)
			return error_set(error, ERROR_INPUT, "--launcher: process or qemu, not %s", choice->launcher);
		(void)snprintf(settings->launcher, sizeof settings->launcher, "%s", choice->launcher);
	}
	if (!kernel)
		return true;
	if (!local_settings_is_machine(settings))
		return error_set(error, ERROR_INPUT, "--kernel: only with --launcher qemu; a process has none");
	settings->kernel[0] = 0;
	if (strcmp(kernel, LOCAL_KERNEL_DEFAULT) == 0)
		return true;
	path = realpath(kernel, NULL);
	if (!path || strlen(path) >= sizeof settings->kernel)
		return error_set(error, ERROR_INPUT, "--kernel: %s %s", kernel, path ? "is too long a path" : "does not exist");
	memcpy(settings->kernel, path, strlen(path) + 1);
	return true;
}

bool local_machine_forgets(const struct local_settings *settings)
{
	return local_settings_is_machine(settings) && settings->slashing_protection && !settings->slashing.uses_dynamodb;
}

/* ---- programs ---- */

static char *find_in_path(const char *name)
{
	const char *folders = getenv("PATH");

	while (folders && *folders) {
		size_t size = strcspn(folders, ":");
		AUTO_FREE char *path = memory_format("%.*s/%s", (int)size, folders, name);

		/* What is relative would be another one in the host. */
		if (path[0] == '/' && size > 0 && access(path, X_OK) == 0)
			return memory_copy_text(path);
		folders += size + (folders[size] == ':');
	}
	return NULL;
}

static char *find_program(const char *name, struct error *error)
{
	AUTO_FREE char *in_path = find_in_path(name);
	AUTO_FREE char *checkout = checkout_folder();
	AUTO_FREE char *fetched = checkout ? memory_format("%s/" CHECKOUT_PROGRAMS "/%s", checkout, name) : NULL;

	if (in_path)
		return memory_copy_text(in_path);
	if (fetched && access(fetched, X_OK) == 0)
		return memory_copy_text(fetched);
	return error_set(error, ERROR_NOT_FOUND, "--launcher qemu: %s is not in $PATH%s%s; scripts/get-microvm gets it", name,
			 fetched ? ", nor is there " : "", fetched ? fetched : ""),
	       NULL;
}

json_t *local_machine_json(const struct local_folder *folder, struct error *error)
{
	AUTO_FREE char *qemu = find_program(QEMU, error);
	AUTO_FREE char *backend = qemu ? find_program(BACKEND, error) : NULL;

	return backend ? json_pack("{s:s, s:s, s:s, s:i}", "folder", folder->machine, "qemu", qemu, "vsock_backend", backend,
				   "memory_mib", MEMORY_MIB)
		       : NULL;
}

/* ---- its store ---- */

/* After every restart it would let keys begin that have signed. */
static bool check_no_quiet_period(const struct local_settings *settings, struct error *error)
{
	return settings->slashing.quiet_period_s == 0 ||
	       error_set(error, ERROR_INPUT,
			 "--quiet-period: not with --launcher qemu and histories in the machine's memory, which a restart forgets; "
			 "with --slashing-table it is");
}

static bool check_no_store(const struct local_folder *folder, struct error *error)
{
	AUTO_HISTORY_SOURCE struct history_source *source = NULL;
	AUTO_HISTORIES struct histories histories = {0};

	if (!file_exists(folder->store))
		return true;
	source = history_source_open(&(struct history_place){.store = folder->store}, error);
	if (!source || !history_source_read(source, NULL, 0, &histories, error))
		return false;
	if (histories.count == 0)
		return true;
	return error_set(error, ERROR_INPUT,
			 "--launcher qemu: %s has the histories of %zu keys, which a machine cannot see; keep histories in a table "
			 "(--slashing-table), or make another signer (--dir)",
			 folder->store, histories.count);
}

bool local_machine_check(const struct local_folder *folder, const struct local_settings *settings, struct error *error)
{
	AUTO_FREE char *kernel = NULL;
	AUTO_JSON json_t *machine = NULL;

	if (!local_settings_is_machine(settings))
		return true;
	if (strpbrk(folder->machine, ",:"))
		return error_set(error, ERROR_INPUT, "--dir: %s has a comma or a colon, which qemu takes for its own",
				 folder->path);
	if (strlen(folder->machine) > MACHINE_FOLDER_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "--dir: %s is too long for its machine's sockets, by %zu bytes", folder->path,
				 strlen(folder->machine) - MACHINE_FOLDER_MAX_SIZE);
	machine = local_machine_json(folder, error);
	if (!machine)
		return false;
	kernel = settings->kernel[0] ? memory_copy_text(settings->kernel) : kernel_file_find(error);
	return kernel &&
	       (!local_machine_forgets(settings) || (check_no_quiet_period(settings, error) && check_no_store(folder, error)));
}

bool local_machine_count_without(const struct local_folder *folder, json_t *keys, size_t *ret_count, struct error *error)
{
	AUTO_HISTORY_SOURCE struct history_source *source =
		history_source_open(&(struct history_place){.dir = folder->path}, error);
	AUTO_HISTORIES struct histories histories = {0};
	size_t count = 0, index;
	json_t *key;

	if (!source || !history_source_read(source, NULL, 0, &histories, error))
		return false;
	json_array_foreach(keys, index, key) count += !histories_find(&histories, json_string_value(key) + strlen("0x"));
	*ret_count = count;
	return true;
}

char *local_control_address(const struct local_folder *folder, const struct local_settings *settings)
{
	if (local_settings_is_machine(settings))
		return memory_format("hybrid:%s/" MACHINE_VSOCK ":%d", folder->machine, MACHINE_CONTROL_PORT);
	return memory_format("unix:%s", folder->control);
}

/* ---- its image ---- */

bool local_machine_measure(const struct local_folder *folder, struct measurement *ret_measurement, struct error *error)
{
	AUTO_MACHINE_IMAGE struct machine_image image = {0};

	return machine_image_read(folder->machine, &image, error) && eif_measure(&image.eif, ret_measurement, error);
}

bool local_machine_image(const struct local_setup *setup, struct measurement *ret_measurement, struct error *error)
{
	const struct image_inputs inputs = {
		.kernel = setup->settings->kernel[0] ? setup->settings->kernel : NULL,
		.config = setup->folder->configuration,
		.name = "ensign",
		.version = version_text(),
	};
	AUTO_FREE char *path = memory_format("%s/" MACHINE_IMAGE, setup->folder->machine);
	AUTO_BUFFER struct buffer bytes = {0};
	struct image_summary summary;

	return folder_make(setup->folder->machine, 0700, error) && image_make(&inputs, &bytes, &summary, error) &&
	       file_write_atomic(path, buffer_view(&bytes), IMAGE_MODE, error) &&
	       local_machine_measure(setup->folder, ret_measurement, error);
}
