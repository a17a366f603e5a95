/* SPDX-License-Identifier: Apache-2.0 */
/* Small ELF64 files with just what a loader reads: for tests of what goes by them. */
#pragma once

#include <elf.h>

#include "base/bytes.h"

#define ELF_MAKER_NEEDED_MAX 8

struct elf_recipe {
	uint16_t machine;        /* 0: EM_X86_64 */
	const char *interpreter; /* NULL: none */
	const char *run_path;
	const char *rpath;
	const char *needed[ELF_MAKER_NEEDED_MAX]; /* up to the first NULL */
};

/* Where things are in what comes out. */
#define ELF_MAKER_SEGMENTS 3 /* PT_LOAD, PT_INTERP or PT_NULL, PT_DYNAMIC */
#define ELF_MAKER_SEGMENT_AT(index) (sizeof(Elf64_Ehdr) + (index) * sizeof(Elf64_Phdr))
/* The whole file is loaded there. */
#define ELF_MAKER_BASE 0x10000u

static inline Elf64_Xword elf_maker_text(struct buffer *texts, const char *text)
{
	size_t offset = texts->size;

	buffer_append(texts, view_of(text, strlen(text) + 1));
	return offset;
}

static inline void elf_maker_entry(struct buffer *entries, Elf64_Sxword tag, Elf64_Xword value)
{
	const Elf64_Dyn entry = {.d_tag = tag, .d_un.d_val = value};

	buffer_append(entries, view_of(&entry, sizeof entry));
}

static inline struct buffer elf_make(const struct elf_recipe *recipe)
{
	const size_t interpreter_size = recipe->interpreter ? strlen(recipe->interpreter) + 1 : 0;
	const size_t interpreter_at = ELF_MAKER_SEGMENT_AT(ELF_MAKER_SEGMENTS);
	const size_t texts_at = interpreter_at + interpreter_size;
	AUTO_BUFFER struct buffer texts = {0};
	AUTO_BUFFER struct buffer entries = {0};
	struct buffer file = {0};
	Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_DYN,
		.e_machine = recipe->machine ? recipe->machine : EM_X86_64,
		.e_phoff = sizeof header,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = ELF_MAKER_SEGMENTS,
	};
	Elf64_Phdr segments[ELF_MAKER_SEGMENTS] = {
		{.p_type = PT_LOAD, .p_vaddr = ELF_MAKER_BASE},
		{.p_type = recipe->interpreter ? PT_INTERP : PT_NULL, .p_offset = interpreter_at, .p_filesz = interpreter_size},
		{.p_type = PT_DYNAMIC},
	};

	(void)elf_maker_text(&texts, "");
	for (size_t i = 0; i < ELF_MAKER_NEEDED_MAX && recipe->needed[i]; i++)
		elf_maker_entry(&entries, DT_NEEDED, elf_maker_text(&texts, recipe->needed[i]));
	if (recipe->run_path)
		elf_maker_entry(&entries, DT_RUNPATH, elf_maker_text(&texts, recipe->run_path));
	if (recipe->rpath)
		elf_maker_entry(&entries, DT_RPATH, elf_maker_text(&texts, recipe->rpath));
	elf_maker_entry(&entries, DT_STRTAB, ELF_MAKER_BASE + texts_at);
	elf_maker_entry(&entries, DT_STRSZ, texts.size);
	elf_maker_entry(&entries, DT_NULL, 0);
	segments[2].p_offset = texts_at + texts.size;
	segments[2].p_filesz = entries.size;
	segments[0].p_filesz = segments[2].p_offset + entries.size;
	buffer_append(&file, view_of(&header, sizeof header));
	buffer_append(&file, view_of(segments, sizeof segments));
	buffer_append(&file, view_of(recipe->interpreter, interpreter_size));
	buffer_append(&file, buffer_view(&texts));
	buffer_append(&file, buffer_view(&entries));
	return file;
}
