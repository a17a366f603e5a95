/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image_make.h"

#include <elf.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "base/version.h"
#include "cli/kernel_file.h"
#include "cli/release.h"
#include "crypto/certificate_file.h"
#include "image/configuration.h"
#include "image/eif.h"
#include "image/eif_metadata.h"
#include "image/ramdisk.h"

/* A public bundle has 220 KiB. */
#define CA_BUNDLE_MAX_SIZE (4u << 20)
/* AWS's has 20 KB. */
#define NSM_MODULE_MAX_SIZE (1u << 20)

/* nitro-cli's own, by machine; but for AArch64's root=/dev/ram0, with which a kernel without block devices panics instead of running /init. */
static const char cmdline_x86[] =
	"reboot=k panic=30 pci=off nomodules console=ttyS0 i8042.noaux i8042.nomux i8042.nopnp i8042.dumbkbd random.trust_cpu=on";
static const char cmdline_arm[] = "reboot=k panic=30 pci=off nomodules console=ttyS0 random.trust_cpu=on";

/* Contents of the sections, until the image is written. */
struct parts {
	struct closure closure;
	struct buffer kernel, software, settings, metadata;
	char kernel_version[KERNEL_VERSION_SIZE];
};

static void parts_done(struct parts *parts)
{
	closure_done(&parts->closure);
	buffer_done(&parts->kernel);
	buffer_done(&parts->software);
	buffer_done(&parts->settings);
	buffer_done(&parts->metadata);
}

/* Files of the command line: one that is missing is the caller's mistake. */
static bool read_input(const char *option, const char *path, size_t max_size, struct buffer *ret_bytes, struct error *error)
{
	if (file_read(path, max_size, ret_bytes, error))
		return true;
	error->code = ERROR_INPUT;
	return error_prefix(error, "%s", option);
}

static bool read_kernel(const struct image_inputs *inputs, struct parts *parts, struct error *error)
{
	AUTO_FREE char *found = inputs->kernel ? NULL : kernel_file_find(error);
	const char *path = inputs->kernel ? inputs->kernel : found;
	AUTO_BUFFER struct buffer kernel = {0};

	if (!path || !read_input("--kernel", path, KERNEL_MAX_SIZE, &kernel, error))
		return false;
	return kernel_prepare(buffer_view(&kernel), parts->closure.machine == EM_AARCH64, &parts->kernel, parts->kernel_version,
			      error) ||
	       error_prefix(error, "--kernel %s", path);
}

static bool write_software(const struct image_inputs *inputs, struct parts *parts, struct error *error)
{
	AUTO_BUFFER struct buffer module = {0};

	if (inputs->nsm_module) {
		if (!read_input("--nsm-module", inputs->nsm_module, NSM_MODULE_MAX_SIZE, &module, error))
			return false;
		if (!elf_is_module_for(buffer_view(&module), parts->closure.machine))
			return error_set(error, ERROR_INPUT,
					 "--nsm-module %s: not a kernel module of the program's machine, uncompressed",
					 inputs->nsm_module);
	}
	return ramdisk_write_software(&parts->closure, buffer_view(&module), !inputs->uncompressed, &parts->software, error);
}

static bool write_settings(const struct image_inputs *inputs, struct parts *parts, struct error *error)
{
	AUTO_CONFIGURATION struct configuration configuration = {0};
	AUTO_BUFFER struct buffer text = {0};
	AUTO_BUFFER struct buffer canonical = {0};
	AUTO_BUFFER struct buffer ca_bundle = {0};

	if (!read_input("--config", inputs->config, CONFIGURATION_MAX_SIZE, &text, error))
		return false;
	if (!configuration_parse(buffer_view(&text), &configuration, error))
		return error_prefix(error, "--config %s", inputs->config);
	configuration_write(&configuration, &canonical);
	if (inputs->ca_bundle && !certificate_bundle_read(inputs->ca_bundle, CA_BUNDLE_MAX_SIZE, &ca_bundle, error))
		return error_prefix(error, "--ca-bundle");
	return ramdisk_write_settings(buffer_view(&canonical), buffer_view(&ca_bundle), !inputs->uncompressed, &parts->settings,
				      error);
}

/* --build-time, else SOURCE_DATE_EPOCH (reproducible-builds.org), else the beginning of 1970. */
static bool read_build_time(const struct image_inputs *inputs, uint64_t *ret_ms, struct error *error)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	uint64_t seconds;

	if (inputs->build_time)
		return clock_parse(inputs->build_time, ret_ms) ||
		       error_set(error, ERROR_INPUT, "--build-time: %s: not of the form 2026-11-23T00:39:22Z", inputs->build_time);
	*ret_ms = 0;
	if (!epoch || epoch[0] == 0)
		return true;
	if (!u64_parse(view_of_text(epoch), &seconds) || seconds > UINT32_MAX)
		return error_set(error, ERROR_INPUT, "SOURCE_DATE_EPOCH: %s: not seconds since 1970", epoch);
	*ret_ms = seconds * 1000;
	return true;
}

static bool write_metadata(const struct image_inputs *inputs, struct parts *parts, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *custom = NULL;
	struct eif_metadata metadata = {
		.image_name = inputs->name,
		.image_version = inputs->version,
		.build_tool_version = version_text(),
		.operating_system = "Linux",
		.kernel_version = parts->kernel_version,
	};

	if (!read_build_time(inputs, &metadata.build_time_ms, error))
		return false;
	if (inputs->metadata) {
		if (!read_input("--metadata", inputs->metadata, EIF_METADATA_CUSTOM_MAX_SIZE, &text, error))
			return false;
		custom = json_parse_object(buffer_view(&text), inputs->metadata, error);
		if (!custom)
			return error_prefix(error, "--metadata");
	}
	metadata.custom = custom;
	return eif_metadata_write(&metadata, &parts->metadata, error);
}

static bool make_parts(const struct image_inputs *inputs, struct parts *parts, struct error *error)
{
	AUTO_FREE char *folder = inputs->program ? NULL : process_executable_folder(error);
	AUTO_FREE char *program = folder ? memory_format("%s/%s", folder, IMAGE_DEFAULT_PROGRAM) : NULL;
	AUTO_FREE char *release = inputs->root ? NULL : release_root();
	const char *root = inputs->root ? inputs->root : release ? release : "/";

	if (!inputs->program && !program)
		return false;
	if (!closure_of_program(inputs->program ? inputs->program : program, MACHINE_INIT, root, &parts->closure, error))
		return error->code = ERROR_INPUT, error_prefix(error, "--program");
	return read_kernel(inputs, parts, error) && write_software(inputs, parts, error) && write_settings(inputs, parts, error) &&
	       write_metadata(inputs, parts, error);
}

static bool assemble(const struct image_inputs *inputs, const struct parts *parts, struct buffer *ret_bytes, struct error *error)
{
	const bool is_aarch64 = parts->closure.machine == EM_AARCH64;
	const char *cmdline = inputs->cmdline ? inputs->cmdline : is_aarch64 ? cmdline_arm : cmdline_x86;
	struct eif eif = eif_new(is_aarch64);

	/* nitro-cli's order. */
	return eif_add(&eif, EIF_SECTION_KERNEL, buffer_view(&parts->kernel), error) &&
	       eif_add(&eif, EIF_SECTION_CMDLINE, view_of_text(cmdline), error) &&
	       eif_add(&eif, EIF_SECTION_METADATA, buffer_view(&parts->metadata), error) &&
	       eif_add(&eif, EIF_SECTION_RAMDISK, buffer_view(&parts->software), error) &&
	       eif_add(&eif, EIF_SECTION_RAMDISK, buffer_view(&parts->settings), error) && eif_write(&eif, ret_bytes, error);
}

static void summarize(size_t size, const struct parts *parts, struct image_summary *ret_summary)
{
	const struct buffer *program = &parts->closure.files[0].contents;
	struct elf_file file;

	*ret_summary = (struct image_summary){
		.size = size,
		.kernel_size = parts->kernel.size,
		.library_count = parts->closure.count - 1,
		.software_size = parts->software.size,
		.settings_size = parts->settings.size,
		.program_size = program->size,
		.unloaded_size = elf_read(buffer_view(program), &file, NULL) ? program->size - file.loaded_size : 0,
	};
	(void)snprintf(ret_summary->kernel_version, sizeof ret_summary->kernel_version, "%s", parts->kernel_version);
}

bool image_make(const struct image_inputs *inputs, struct buffer *ret_bytes, struct image_summary *ret_summary, struct error *error)
{
	CLEANUP(parts_done) struct parts parts = {0};
	const size_t start = ret_bytes->size;

	if (!make_parts(inputs, &parts, error) || !assemble(inputs, &parts, ret_bytes, error))
		return false;
	summarize(ret_bytes->size - start, &parts, ret_summary);
	return true;
}
