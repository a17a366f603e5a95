/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading of an ELF64 file what the dynamic loader goes by: which loader, which libraries, looked for where (System V gABI chapter 5;
 * elf(5)). Only little-endian files; nothing is run, and every offset is checked before it is followed.
 */
#pragma once

#include "base/bytes.h"

/* libcurl has about 25, the most of all that we need. */
#define ELF_NEEDED_MAX 128
/* Linux takes at most 64 KiB of program headers, which is as many. */
#define ELF_SEGMENTS_MAX 1024

/* Texts borrow from the file's bytes. */
struct elf_file {
	uint16_t machine;                   /* EM_X86_64, EM_AARCH64, … */
	const char *interpreter;            /* PT_INTERP; NULL: none */
	const char *run_path;               /* DT_RUNPATH; NULL: none */
	const char *needed[ELF_NEEDED_MAX]; /* DT_NEEDED, in order */
	size_t needed_count;
	size_t loaded_size; /* what lies behind this offset is never loaded: debug data, section headers */
};

/* Whether it is an ELF64 file for this machine at all, as the loader asks before it takes a library. */
bool elf_is_for(struct view bytes, uint16_t machine);
/* The same of a kernel module, which is relocatable (ET_REL). */
bool elf_is_module_for(struct view bytes, uint16_t machine);
/*
 * ERROR_INPUT says what is malformed. DT_RPATH without DT_RUNPATH is refused: what it means depends on who loads the file.
 */
MUST_USE bool elf_read(struct view bytes, struct elf_file *ret_file, struct error *error);
