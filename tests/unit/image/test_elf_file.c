/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "base/file.h"
#include "elf_maker.h"
#include "image/elf_file.h"

static const struct elf_recipe usual = {
	.interpreter = "/lib64/ld.so",
	.run_path = "$ORIGIN/lib",
	.needed = {"libone.so.1", "libtwo.so"},
};

static void reads_what_the_loader_reads(void **state)
{
	AUTO_BUFFER struct buffer bytes = elf_make(&usual);
	struct elf_file file;
	struct error error = {0};

	(void)state;
	assert_true(elf_is_for(buffer_view(&bytes), EM_X86_64));
	assert_false(elf_is_for(buffer_view(&bytes), EM_AARCH64));
	assert_false(elf_is_for(view_of(bytes.data, sizeof(Elf64_Ehdr) - 1), EM_X86_64));
	buffer_append_text(&bytes, "debug data");
	assert_ok(elf_read(buffer_view(&bytes), &file, &error), &error);
	assert_int_equal(file.machine, EM_X86_64);
	assert_string_equal(file.interpreter, "/lib64/ld.so");
	assert_string_equal(file.run_path, "$ORIGIN/lib");
	assert_int_equal(file.needed_count, 2);
	assert_string_equal(file.needed[0], "libone.so.1");
	assert_string_equal(file.needed[1], "libtwo.so");
	assert_int_equal(file.loaded_size, bytes.size - strlen("debug data"));
}

static void reads_a_real_program(void **state)
{
	AUTO_BUFFER struct buffer bytes = {0};
	struct elf_file file;
	struct error error = {0};
	bool has_libc = false;

	(void)state;
	assert_ok(file_read("/proc/self/exe", 64u << 20, &bytes, &error), &error);
	assert_ok(elf_read(buffer_view(&bytes), &file, &error), &error);
	assert_non_null(file.interpreter);
	for (size_t i = 0; i < file.needed_count; i++)
		has_libc = has_libc || strcmp(file.needed[i], "libc.so.6") == 0;
	assert_true(has_libc);
}

/* A static program needs nothing. */
static void needs_no_dynamic_segment(void **state)
{
	AUTO_BUFFER struct buffer bytes = elf_make(&(struct elf_recipe){0});
	struct elf_file file;
	struct error error = {0};

	(void)state;
	bytes.data[ELF_MAKER_SEGMENT_AT(2)] = PT_NULL;
	assert_ok(elf_read(buffer_view(&bytes), &file, &error), &error);
	assert_null(file.interpreter);
	assert_int_equal(file.needed_count, 0);
}

static void assert_refused(struct view bytes, const char *message)
{
	struct elf_file file = {.machine = 7};
	struct error error = {0};

	assert_false(elf_read(bytes, &file, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, message);
	assert_int_equal(file.machine, 7);
}

/* Each as 8 bytes put over the good file. */
static void refuses_what_is_malformed(void **state)
{
	static const struct {
		size_t at;
		uint8_t size;
		uint64_t value;
		const char *message;
	} cases[] = {
		{0, 1, 'x', "not a little-endian ELF64"},
		{EI_CLASS, 1, ELFCLASS32, "not a little-endian ELF64"},
		{EI_DATA, 1, ELFDATA2MSB, "not a little-endian ELF64"},
		{offsetof(Elf64_Ehdr, e_type), 2, ET_REL, "e_type: 1"},
		{offsetof(Elf64_Ehdr, e_phentsize), 2, 32, "e_phentsize: 32"},
		{offsetof(Elf64_Ehdr, e_phnum), 2, 0, "e_phnum: 0"},
		{offsetof(Elf64_Ehdr, e_phnum), 2, UINT16_MAX, "e_phnum: 65535"},
		{offsetof(Elf64_Ehdr, e_phoff), 8, UINT64_MAX, "e_phoff"},
		{offsetof(Elf64_Ehdr, e_phoff), 8, UINT64_MAX - 100, "e_phoff"},
		{ELF_MAKER_SEGMENT_AT(0) + offsetof(Elf64_Phdr, p_offset), 8, UINT64_MAX - 3, "segment 0: beyond"},
		{ELF_MAKER_SEGMENT_AT(0) + offsetof(Elf64_Phdr, p_filesz), 8, UINT64_MAX, "segment 0: beyond"},
		{ELF_MAKER_SEGMENT_AT(1) + offsetof(Elf64_Phdr, p_filesz), 8, 5, "PT_INTERP"},
		{ELF_MAKER_SEGMENT_AT(1) + offsetof(Elf64_Phdr, p_filesz), 8, 0, "PT_INTERP"},
		{ELF_MAKER_SEGMENT_AT(1) + offsetof(Elf64_Phdr, p_filesz), 8, 20, "PT_INTERP"},
		{ELF_MAKER_SEGMENT_AT(2) + offsetof(Elf64_Phdr, p_offset), 8, 1u << 20, "segment 2: beyond"},
		{ELF_MAKER_SEGMENT_AT(2) + offsetof(Elf64_Phdr, p_filesz), 8, 16, "DT_STRTAB"}, /* only the first entry */
		{ELF_MAKER_SEGMENT_AT(0) + offsetof(Elf64_Phdr, p_vaddr), 8, UINT64_MAX, "DT_STRTAB"},
		{ELF_MAKER_SEGMENT_AT(0) + offsetof(Elf64_Phdr, p_vaddr), 8, 0, "DT_STRTAB"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUFFER struct buffer bytes = elf_make(&usual);

		memcpy(bytes.data + cases[i].at, &cases[i].value, cases[i].size); /* little endian, as the file is */
		assert_refused(buffer_view(&bytes), cases[i].message);
	}
}

static void refuses_bad_entries(void **state)
{
	static const struct elf_recipe with_rpath = {.rpath = "/opt/lib"}, with_both = {.rpath = "/opt/lib", .run_path = "/lib"},
				       empty = {.needed = {""}};
	AUTO_BUFFER struct buffer old = elf_make(&with_rpath);
	AUTO_BUFFER struct buffer both = elf_make(&with_both);
	AUTO_BUFFER struct buffer nameless = elf_make(&empty);
	AUTO_BUFFER struct buffer bytes = elf_make(&usual);
	const uint64_t beyond = 1000;
	struct elf_file file;
	struct error error = {0};
	Elf64_Phdr dynamic;

	(void)state;
	assert_refused(buffer_view(&old), "DT_RPATH");
	assert_ok(elf_read(buffer_view(&both), &file, &error), &error); /* the loader ignores DT_RPATH then */
	assert_refused(buffer_view(&nameless), "DT_NEEDED: empty");
	memcpy(&dynamic, bytes.data + ELF_MAKER_SEGMENT_AT(2), sizeof dynamic);
	memcpy(bytes.data + dynamic.p_offset + 8, &beyond, sizeof beyond);
	assert_refused(buffer_view(&bytes), "DT_NEEDED: beyond");
}

static void refuses_every_shorter_file(void **state)
{
	AUTO_BUFFER struct buffer bytes = elf_make(&usual);

	(void)state;
	for (size_t size = 0; size < bytes.size; size++)
		assert_refused(view_of(bytes.data, size), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_loader_reads), cmocka_unit_test(reads_a_real_program),
		cmocka_unit_test(needs_no_dynamic_segment),    cmocka_unit_test(refuses_what_is_malformed),
		cmocka_unit_test(refuses_bad_entries),         cmocka_unit_test(refuses_every_shorter_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
