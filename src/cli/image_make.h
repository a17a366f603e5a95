/* SPDX-License-Identifier: Apache-2.0 */
/* Making an enclave image (EIF) of a kernel, the enclave program with its libraries, and a measured configuration: docs/image.md. */
#pragma once

#include "image/kernel.h"

/* Below the folder of `ensign` itself: linked without debug data. */
#define IMAGE_DEFAULT_PROGRAM "image/ensign-enclave"

/* Paths, but for cmdline, name, version and build_time. NULL, where it may be: the default of docs/image.md. */
struct image_inputs {
	const char *kernel;     /* may be NULL: the project's own (cli/kernel_file.h) */
	const char *nsm_module; /* may be NULL: none */
	const char *config;
	const char *program;   /* may be NULL */
	const char *cmdline;   /* may be NULL */
	const char *ca_bundle; /* may be NULL: none */
	const char *metadata;  /* may be NULL: none */
	const char *name, *version;
	const char *build_time; /* may be NULL */
	const char *root;       /* may be NULL: that of the release (cli/release.h), or / */
	bool uncompressed;
};

/* What went into it, for people; sizes as they are in the image. */
struct image_summary {
	size_t size;
	size_t kernel_size;
	size_t library_count;
	size_t software_size;
	size_t settings_size;
	size_t program_size;  /* before it is compressed */
	size_t unloaded_size; /* of that: behind the last loaded byte; debug data, if it is much */
	char kernel_version[KERNEL_VERSION_SIZE];
};

/* Appended. ERROR_INPUT names the option; ERROR_NOT_FOUND: there is no kernel, and how to get one. */
MUST_USE bool image_make(const struct image_inputs *inputs, struct buffer *ret_bytes, struct image_summary *ret_summary,
			 struct error *error);
