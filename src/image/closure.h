/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The closure of a program: the program, its dynamic loader, and every shared library that the loader will map, each under the path at which
 * the loader of the image will look for it.
 *
 * Nothing is run and this machine's CPU is not asked, so that the answer depends only on the files: libraries are searched for as ld.so(8)
 * does without cache and environment, in the DT_RUNPATH of who needs them and then in the folders below. The variants for newer CPUs
 * (glibc-hwcaps) are passed over, and so is all that ld.so.conf adds: libraries of /usr/local are not of the distribution.
 *
 * What a library loads by itself while it runs (dlopen) is not in it.
 */
#pragma once

#include "image/elf_file.h"

/* libcrypto, the largest, has 5 MB. */
#define CLOSURE_FILE_MAX_SIZE (64u << 20)
/* About 40 today. */
#define CLOSURE_FILES_MAX 256

struct closure_file {
	char *path; /* absolute, in the image */
	struct buffer contents;
};

struct closure {
	struct closure_file *files; /* [0] the program, then in the order in which the loader maps them */
	size_t count;
	uint16_t machine; /* EM_X86_64 or EM_AARCH64 */
};

void closure_done(struct closure *closure);
#define AUTO_CLOSURE CLEANUP(closure_done)

/*
 * program_file is where the program is now, image_path where it will be; $ORIGIN means the latter's folder. Libraries are taken from below
 * `root`, "/" for this machine's own; symbolic links cannot lead out of it. ERROR_INPUT or ERROR_NOT_FOUND name the file and who needs it.
 */
MUST_USE bool closure_of_program(const char *program_file, const char *image_path, const char *root, struct closure *ret_closure,
				 struct error *error);
