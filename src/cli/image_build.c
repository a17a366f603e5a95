/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/image_file.h"
#include "cli/image_make.h"

static const struct command_help help = {
	.usage = "ensign image build --config JSON --out FILE [--kernel K] [--program P] [--cmdline TEXT] [--ca-bundle PEM] "
		 "[options]",
	.description = "Makes an enclave image (EIF) of a kernel, the enclave program with the shared libraries that it needs, and "
		       "the measured\n"
		       "configuration; prints its measurements as `nitro-cli build-enclave` does. Nothing else is in it: no shell, "
		       "no container.\n"
		       "The same inputs give the same bytes on any machine; libraries are taken from this one (or from --root), so "
		       "build where their\n"
		       "packages are pinned. Nobody's name, host or time gets into the image.\n"
		       "\n"
		       "  ensign image build --config enclave.json --out ensign.eif\n"
		       "\n"
		       "The configuration is written in its canonical form, so its layout does not matter (docs/image.md).",
};

#define IMAGE_MODE 0644
/* What lies behind the last loaded byte of a program without debug data: section headers and names. */
#define UNLOADED_MAX_SIZE (64u << 10)

static void report(const char *path, const struct image_summary *summary)
{
	(void)fprintf(stderr, "%s: %zu bytes: kernel %s %zu, program and %zu libraries %zu, configuration %zu\n", path,
		      summary->size, summary->kernel_version, summary->kernel_size, summary->library_count, summary->software_size,
		      summary->settings_size);
	if (summary->unloaded_size > UNLOADED_MAX_SIZE)
		(void)fprintf(stderr,
			      "note: %zu of %zu bytes of the program are debug data; image/ensign-enclave of the build has none\n",
			      summary->unloaded_size, summary->program_size);
}

static bool build(const struct image_inputs *inputs, const char *out, struct image_file *ret_file, struct error *error)
{
	AUTO_BUFFER struct buffer bytes = {0};
	struct image_summary summary;

	if (!image_make(inputs, &bytes, &summary, error) || !file_write_atomic(out, buffer_view(&bytes), IMAGE_MODE, error))
		return false;
	report(out, &summary);
	return image_file_take(&bytes, ret_file, error);
}

int image_build_main(int argc, char **argv)
{
	AUTO_IMAGE_FILE struct image_file file = {0};
	AUTO_JSON json_t *object = NULL;
	const char *out = NULL;
	struct image_inputs inputs = {.name = "ensign", .version = version_text()};
	const struct option options[] = {
		{"kernel", OPTION_TEXT, &inputs.kernel, "K",
		 "bzImage (x86-64) or Image (AArch64); default the project's own, which scripts/get-kernel builds"},
		{"nsm-module", OPTION_TEXT, &inputs.nsm_module, "KO",
		 "nsm.ko, for a kernel that has the NSM's driver as a module (AWS's)"},
		{"config", OPTION_TEXT, &inputs.config, "JSON", "the measured configuration"},
		{"out", OPTION_TEXT, &out, "FILE", "the image"},
		{"program", OPTION_TEXT, &inputs.program, "P",
		 "ensign-enclave; default " IMAGE_DEFAULT_PROGRAM " beside this program"},
		{"cmdline", OPTION_TEXT, &inputs.cmdline, "TEXT", "the kernel's command line; default that of nitro-cli"},
		{"ca-bundle", OPTION_TEXT, &inputs.ca_bundle, "PEM",
		 "a CA bundle for the image; default none: the configuration has what KMS needs"},
		{"name", OPTION_TEXT, &inputs.name, "NAME", "ImageName; default ensign"},
		{"image-version", OPTION_TEXT, &inputs.version, "V", "ImageVersion; default this program's"},
		{"metadata", OPTION_TEXT, &inputs.metadata, "JSON",
		 "a file with an object of your own for the metadata, up to 4096 bytes"},
		{"build-time", OPTION_TEXT, &inputs.build_time, "TIME",
		 "BuildTime, as 2026-11-23T00:39:22Z; default SOURCE_DATE_EPOCH, or 1970"},
		{"root", OPTION_TEXT, &inputs.root, "DIR",
		 "take the libraries from the system in this folder; default root/ of the release, else /"},
		{"uncompressed", OPTION_FLAG, &inputs.uncompressed, NULL, "for a kernel without CONFIG_RD_GZIP; twice as large"},
	};
	struct error error = {0};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	if (!inputs.config || !out) {
		(void)error_set(&error, ERROR_INPUT, "--%s: missing", inputs.config ? "out" : "config");
		return command_fail(&error, "usage: %s", help.usage);
	}
	if (!build(&inputs, out, &file, &error))
		return command_fail(&error, NULL);
	object = json_pack("{s:o}", "Measurements", image_file_measurements(&file));
	command_print_json_pretty(object);
	return EXIT_CODE_OK;
}
