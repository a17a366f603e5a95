/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "cli/certificate_file.h"
#include "cli/commands.h"
#include "cli/image_file.h"
#include "image/configuration.h"
#include "image/eif_metadata.h"
#include "image/kernel.h"
#include "image/ramdisk.h"

static const struct command_help help = {
	.usage =
		"ensign image build --kernel K --config JSON --out FILE [--program P] [--cmdline TEXT] [--ca-bundle PEM] [options]",
	.description = "Makes an enclave image (EIF) of a kernel, the enclave program with the shared libraries that it needs, and "
		       "the measured\n"
		       "configuration; prints its measurements as `nitro-cli build-enclave` does. Nothing else is in it: no shell, "
		       "no container.\n"
		       "The same inputs give the same bytes on any machine; libraries are taken from this one (or from --root), so "
		       "build where their\n"
		       "packages are pinned. Nobody's name, host or time gets into the image.\n"
		       "\n"
		       "  ensign image build --kernel bzImage --config enclave.json --out ensign.eif\n"
		       "\n"
		       "The configuration is written in its canonical form, so its layout does not matter (docs/image.md).",
};

#define IMAGE_MODE 0644
/* A public bundle has 220 KiB. */
#define CA_BUNDLE_MAX_SIZE (4u << 20)
/* AWS's has 20 KB. */
#define NSM_MODULE_MAX_SIZE (1u << 20)
/* Below the folder of `ensign` itself: linked without debug data. */
#define DEFAULT_PROGRAM "image/ensign-enclave"
/* What lies behind the last loaded byte of a program without debug data: section headers and names. */
#define UNLOADED_MAX_SIZE (64u << 10)

/* nitro-cli's own, by machine; but for AArch64's root=/dev/ram0, with which a kernel without block devices panics instead of running /init. */
static const char cmdline_x86[] =
	"reboot=k panic=30 pci=off nomodules console=ttyS0 i8042.noaux i8042.nomux i8042.nopnp i8042.dumbkbd random.trust_cpu=on";
static const char cmdline_arm[] = "reboot=k panic=30 pci=off nomodules console=ttyS0 random.trust_cpu=on";

struct inputs {
	const char *kernel, *nsm_module, *cmdline, *config, *program, *ca_bundle, *metadata, *name, *version, *build_time, *root,
		*out;
	bool uncompressed;
};

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

static bool read_kernel(const struct inputs *inputs, struct parts *parts, struct error *error)
{
	AUTO_BUFFER struct buffer kernel = {0};

	if (!read_input("--kernel", inputs->kernel, KERNEL_MAX_SIZE, &kernel, error))
		return false;
	return kernel_prepare(buffer_view(&kernel), parts->closure.machine == EM_AARCH64, &parts->kernel, parts->kernel_version,
			      error) ||
	       error_prefix(error, "--kernel %s", inputs->kernel);
}

static bool write_software(const struct inputs *inputs, struct parts *parts, struct error *error)
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

static bool write_settings(const struct inputs *inputs, struct parts *parts, struct error *error)
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
static bool read_build_time(const struct inputs *inputs, uint64_t *ret_ms, struct error *error)
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

static bool write_metadata(const struct inputs *inputs, struct parts *parts, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *custom = NULL;
	struct eif_metadata metadata = {
		.image_name = inputs->name,
		.image_version = inputs->version,
		.build_tool_version = ENSIGN_VERSION,
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

static bool make_parts(const struct inputs *inputs, struct parts *parts, struct error *error)
{
	AUTO_FREE char *folder = inputs->program ? NULL : process_executable_folder(error);
	AUTO_FREE char *program = folder ? memory_format("%s/%s", folder, DEFAULT_PROGRAM) : NULL;

	if (!inputs->program && !program)
		return false;
	if (!closure_of_program(inputs->program ? inputs->program : program, MACHINE_INIT, inputs->root, &parts->closure, error))
		return error->code = ERROR_INPUT, error_prefix(error, "--program");
	return read_kernel(inputs, parts, error) && write_software(inputs, parts, error) && write_settings(inputs, parts, error) &&
	       write_metadata(inputs, parts, error);
}

static bool assemble(const struct inputs *inputs, const struct parts *parts, struct buffer *ret_bytes, struct error *error)
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

static void report(const char *path, size_t size, const struct parts *parts)
{
	const struct closure_file *program = &parts->closure.files[0];
	struct elf_file file;

	(void)fprintf(stderr, "%s: %zu bytes: kernel %s %zu, program and %zu libraries %zu, configuration %zu\n", path, size,
		      parts->kernel_version, parts->kernel.size, parts->closure.count - 1, parts->software.size,
		      parts->settings.size);
	if (elf_read(buffer_view(&program->contents), &file, NULL) && program->contents.size - file.loaded_size > UNLOADED_MAX_SIZE)
		(void)fprintf(stderr,
			      "note: %zu of %zu bytes of the program are debug data; image/ensign-enclave of the build has none\n",
			      program->contents.size - file.loaded_size, program->contents.size);
}

static bool build(const struct inputs *inputs, struct image_file *ret_file, struct error *error)
{
	CLEANUP(parts_done) struct parts parts = {0};
	AUTO_BUFFER struct buffer bytes = {0};

	if (!make_parts(inputs, &parts, error) || !assemble(inputs, &parts, &bytes, error) ||
	    !file_write_atomic(inputs->out, buffer_view(&bytes), IMAGE_MODE, error))
		return false;
	report(inputs->out, bytes.size, &parts);
	return image_file_take(&bytes, ret_file, error);
}

int image_build_main(int argc, char **argv)
{
	AUTO_IMAGE_FILE struct image_file file = {0};
	AUTO_JSON json_t *object = NULL;
	struct inputs inputs = {.name = "ensign", .version = ENSIGN_VERSION, .root = "/"};
	const struct option options[] = {
		{"kernel", OPTION_TEXT, &inputs.kernel, "K", "bzImage (x86-64) or Image (AArch64)"},
		{"nsm-module", OPTION_TEXT, &inputs.nsm_module, "KO",
		 "nsm.ko, for a kernel that has the NSM's driver as a module (AWS's)"},
		{"config", OPTION_TEXT, &inputs.config, "JSON", "the measured configuration"},
		{"out", OPTION_TEXT, &inputs.out, "FILE", "the image"},
		{"program", OPTION_TEXT, &inputs.program, "P", "ensign-enclave; default " DEFAULT_PROGRAM " beside this program"},
		{"cmdline", OPTION_TEXT, &inputs.cmdline, "TEXT", "the kernel's command line; default that of nitro-cli"},
		{"ca-bundle", OPTION_TEXT, &inputs.ca_bundle, "PEM",
		 "a CA bundle for the image; default none: the configuration has what KMS needs"},
		{"name", OPTION_TEXT, &inputs.name, "NAME", "ImageName; default ensign"},
		{"image-version", OPTION_TEXT, &inputs.version, "V", "ImageVersion; default this program's"},
		{"metadata", OPTION_TEXT, &inputs.metadata, "JSON",
		 "a file with an object of your own for the metadata, up to 4096 bytes"},
		{"build-time", OPTION_TEXT, &inputs.build_time, "TIME",
		 "BuildTime, as 2026-11-23T00:39:22Z; default SOURCE_DATE_EPOCH, or 1970"},
		{"root", OPTION_TEXT, &inputs.root, "DIR", "take the libraries from the system in this folder; default /"},
		{"uncompressed", OPTION_FLAG, &inputs.uncompressed, NULL, "for a kernel without CONFIG_RD_GZIP; twice as large"},
	};
	struct error error = {0};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	if (!inputs.kernel || !inputs.config || !inputs.out) {
		(void)error_set(&error, ERROR_INPUT, "--%s: missing",
				!inputs.kernel   ? "kernel"
				: !inputs.config ? "config"
						 : "out");
		return command_fail(&error, "usage: %s", help.usage);
	}
	if (!build(&inputs, &file, &error))
		return command_fail(&error, NULL);
	object = json_pack("{s:o}", "Measurements", image_file_measurements(&file));
	command_print_json_pretty(object);
	return EXIT_CODE_OK;
}
