/* SPDX-License-Identifier: Apache-2.0 */
#include "image/elf_file.h"

#include <elf.h>

/* Far more than the kernel or a loader look at. */
#define DYNAMIC_ENTRIES_MAX 4096

/* What is read of the file before its texts can be. */
struct layout {
	struct view bytes;
	Elf64_Ehdr header;
	Elf64_Phdr dynamic; /* p_type is PT_NULL: none */
	Elf64_Phdr interpreter;
	uint64_t text_address, text_size; /* DT_STRTAB, DT_STRSZ */
	struct view texts;
};

/* Copies, since nothing in a file of outside origin need be aligned. */
static bool read_at(struct view bytes, uint64_t offset, void *ret_value, size_t size)
{
	if (offset > bytes.size || size > bytes.size - offset)
		return false;
	memcpy(ret_value, bytes.data + offset, size);
	return true;
}

static bool slice(struct view bytes, uint64_t offset, uint64_t size, struct view *ret_slice)
{
	if (offset > bytes.size || size > bytes.size - offset)
		return false;
	*ret_slice = view_of(bytes.data + offset, (size_t)size);
	return true;
}

static bool header_is_elf64(const Elf64_Ehdr *header)
{
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_ident[EI_DATA] == ELFDATA2LSB;
}

bool elf_is_for(struct view bytes, uint16_t machine)
{
	Elf64_Ehdr header;

	return read_at(bytes, 0, &header, sizeof header) && header_is_elf64(&header) && header.e_machine == machine;
}

bool elf_is_module_for(struct view bytes, uint16_t machine)
{
	Elf64_Ehdr header;

	return elf_is_for(bytes, machine) && read_at(bytes, 0, &header, sizeof header) && header.e_type == ET_REL;
}

static bool read_header(struct layout *layout, struct error *error)
{
	Elf64_Ehdr *header = &layout->header;

	if (!read_at(layout->bytes, 0, header, sizeof *header) || !header_is_elf64(header))
		return error_set(error, ERROR_INPUT, "not a little-endian ELF64 file");
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return error_set(error, ERROR_INPUT, "e_type: %u, neither program nor shared library", header->e_type);
	if (header->e_phentsize != sizeof(Elf64_Phdr))
		return error_set(error, ERROR_INPUT, "e_phentsize: %u, not %zu", header->e_phentsize, sizeof(Elf64_Phdr));
	if (header->e_phnum == 0 || header->e_phnum > ELF_SEGMENTS_MAX)
		return error_set(error, ERROR_INPUT, "e_phnum: %u, not 1 to %d", header->e_phnum, ELF_SEGMENTS_MAX);
	return true;
}

/* read_segments() has looked at all of them, so that none fails any more. */
static Elf64_Phdr segment(const struct layout *layout, size_t index)
{
	Elf64_Phdr header = {.p_type = PT_NULL};

	(void)!read_at(layout->bytes, layout->header.e_phoff + index * sizeof header, &header, sizeof header);
	return header;
}

static bool read_segments(struct layout *layout, size_t *ret_loaded_size, struct error *error)
{
	struct view all;

	if (!slice(layout->bytes, layout->header.e_phoff, (uint64_t)layout->header.e_phnum * sizeof(Elf64_Phdr), &all))
		return error_set(error, ERROR_INPUT, "e_phoff: the program headers lie beyond the end of the file");
	*ret_loaded_size = 0;
	for (size_t i = 0; i < layout->header.e_phnum; i++) {
		const Elf64_Phdr header = segment(layout, i);
		struct view contents;

		if (header.p_type != PT_LOAD && header.p_type != PT_DYNAMIC && header.p_type != PT_INTERP)
			continue;
		if (!slice(layout->bytes, header.p_offset, header.p_filesz, &contents))
			return error_set(error, ERROR_INPUT, "segment %zu: beyond the end of the file", i);
		if (header.p_type == PT_LOAD && header.p_offset + header.p_filesz > *ret_loaded_size)
			*ret_loaded_size = (size_t)(header.p_offset + header.p_filesz);
		if (header.p_type == PT_DYNAMIC)
			layout->dynamic = header;
		if (header.p_type == PT_INTERP)
			layout->interpreter = header;
	}
	return true;
}

static bool read_interpreter(const struct layout *layout, struct elf_file *file, struct error *error)
{
	struct view text;

	if (layout->interpreter.p_type != PT_INTERP)
		return true;
	if (!slice(layout->bytes, layout->interpreter.p_offset, layout->interpreter.p_filesz, &text) || text.size < 2 ||
	    memchr(text.data, 0, text.size) != text.data + text.size - 1)
		return error_set(error, ERROR_INPUT, "PT_INTERP: not one text that ends with NUL");
	file->interpreter = (const char *)text.data;
	return true;
}

static bool dynamic_entry(const struct layout *layout, size_t index, Elf64_Dyn *ret_entry)
{
	const uint64_t count = layout->dynamic.p_filesz / sizeof *ret_entry;

	return layout->dynamic.p_type == PT_DYNAMIC && index < count && index < DYNAMIC_ENTRIES_MAX &&
	       read_at(layout->bytes, layout->dynamic.p_offset + index * sizeof *ret_entry, ret_entry, sizeof *ret_entry) &&
	       ret_entry->d_tag != DT_NULL;
}

/* Where the table of texts lies in the file: the loader knows only its address. */
static bool find_texts(struct layout *layout, struct error *error)
{
	Elf64_Dyn entry;

	for (size_t i = 0; dynamic_entry(layout, i, &entry); i++) {
		if (entry.d_tag == DT_STRTAB)
			layout->text_address = entry.d_un.d_ptr;
		if (entry.d_tag == DT_STRSZ)
			layout->text_size = entry.d_un.d_val;
	}
	for (size_t i = 0; i < layout->header.e_phnum; i++) {
		const Elf64_Phdr header = segment(layout, i);
		struct view loaded;

		if (header.p_type != PT_LOAD || layout->text_address < header.p_vaddr ||
		    !slice(layout->bytes, header.p_offset, header.p_filesz, &loaded) ||
		    !slice(loaded, layout->text_address - header.p_vaddr, layout->text_size, &layout->texts))
			continue;
		if (layout->texts.size == 0 || layout->texts.data[layout->texts.size - 1] != 0)
			break;
		return true;
	}
	return error_set(error, ERROR_INPUT, "DT_STRTAB: no table of texts in a loaded segment");
}

static bool text_at(const struct layout *layout, uint64_t offset, const char *tag, const char **ret_text, struct error *error)
{
	if (offset >= layout->texts.size)
		return error_set(error, ERROR_INPUT, "%s: beyond the end of the table of texts", tag);
	*ret_text = (const char *)layout->texts.data + offset;
	return (*ret_text)[0] != 0 || error_set(error, ERROR_INPUT, "%s: empty", tag);
}

static bool read_dynamic(struct layout *layout, struct elf_file *file, struct error *error)
{
	bool has_rpath = false;
	Elf64_Dyn entry;

	if (layout->dynamic.p_type != PT_DYNAMIC)
		return true;
	if (!find_texts(layout, error))
		return false;
	for (size_t i = 0; dynamic_entry(layout, i, &entry); i++) {
		if (entry.d_tag == DT_NEEDED && file->needed_count == ELF_NEEDED_MAX)
			return error_set(error, ERROR_INPUT, "DT_NEEDED: more than %d", ELF_NEEDED_MAX);
		if (entry.d_tag == DT_NEEDED &&
		    !text_at(layout, entry.d_un.d_val, "DT_NEEDED", &file->needed[file->needed_count++], error))
			return false;
		if (entry.d_tag == DT_RUNPATH && !text_at(layout, entry.d_un.d_val, "DT_RUNPATH", &file->run_path, error))
			return false;
		has_rpath = has_rpath || entry.d_tag == DT_RPATH;
	}
	if (has_rpath && !file->run_path)
		return error_set(error, ERROR_INPUT, "DT_RPATH: not followed; link with -Wl,--enable-new-dtags");
	return true;
}

bool elf_read(struct view bytes, struct elf_file *ret_file, struct error *error)
{
	struct layout layout = {.bytes = bytes};
	struct elf_file file = {0};

	if (!read_header(&layout, error) || !read_segments(&layout, &file.loaded_size, error) ||
	    !read_interpreter(&layout, &file, error) || !read_dynamic(&layout, &file, error))
		return false;
	file.machine = layout.header.e_machine;
	*ret_file = file;
	return true;
}
