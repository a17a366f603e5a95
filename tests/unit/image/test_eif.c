/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "image/eif.h"

/* kernel, cmdline, metadata, ramdisk, in this order; its CRC was computed with Python's zlib. */
#define KERNEL_AT 548u
#define CMDLINE_AT (KERNEL_AT + 12 + 6)
#define METADATA_AT (CMDLINE_AT + 12 + 3)
#define RAMDISK_AT (METADATA_AT + 12 + 2)
#define FILE_SIZE (RAMDISK_AT + 12 + 4)
#define CRC 0x83f2544c

static struct eif example(void)
{
	struct eif eif = eif_new(false);
	struct error error = {0};

	assert_ok(eif_add(&eif, EIF_SECTION_KERNEL, view_of_text("kernel"), &error), &error);
	assert_ok(eif_add(&eif, EIF_SECTION_CMDLINE, view_of_text("cmd"), &error), &error);
	assert_ok(eif_add(&eif, EIF_SECTION_METADATA, view_of_text("{}"), &error), &error);
	assert_ok(eif_add(&eif, EIF_SECTION_RAMDISK, view_of_text("boot"), &error), &error);
	return eif;
}

static struct buffer example_file(void)
{
	const struct eif eif = example();
	struct buffer bytes = {0};
	struct error error = {0};

	assert_ok(eif_write(&eif, &bytes, &error), &error);
	return bytes;
}

static void writes_known_bytes(void **state)
{
	static const uint8_t start[] = {'.', 'e', 'i', 'f', 0, 4, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0,
					0,   0,   0,   0,   0, 2, 0, 0, 0, 4, 0, 0, 0,    0, 0, 0, 2, 0x24};
	AUTO_BUFFER struct buffer bytes = example_file();
	struct eif eif;
	struct error error = {0};

	(void)state;
	assert_int_equal(bytes.size, FILE_SIZE);
	assert_memory_equal(bytes.data, start, sizeof start);
	assert_int_equal(load_be32(bytes.data + 0x220), CRC);
	assert_memory_equal(bytes.data + KERNEL_AT, "\0\1\0\0\0\0\0\0\0\0\0\6kernel\0\2", 20);
	assert_ok(eif_read(buffer_view(&bytes), &eif, &error), &error);
	assert_int_equal(eif.crc, CRC);
	assert_int_equal(eif.computed_crc, CRC);
	assert_false(eif.is_aarch64);
	assert_int_equal(eif.section_count, 4);
	assert_true(view_equal_text(eif_find(&eif, EIF_SECTION_RAMDISK)->data, "boot"));
	assert_null(eif_find(&eif, EIF_SECTION_SIGNATURE));
}

/* What others wrote is written again as it was: other versions, other defaults, another order. */
static void round_trip(void **state)
{
	struct eif eif = {.version = 3, .is_aarch64 = true, .default_memory = 5, .default_cpus = 0};
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_BUFFER struct buffer again = {0};
	struct eif read;
	struct error error = {0};

	(void)state;
	assert_ok(eif_add(&eif, EIF_SECTION_CMDLINE, view_of_text(""), &error), &error);
	assert_ok(eif_add(&eif, EIF_SECTION_KERNEL, view_of_text("k"), &error), &error);
	for (int i = 0; i < EIF_SECTIONS_MAX - 2; i++)
		assert_ok(eif_add(&eif, EIF_SECTION_RAMDISK, view_of_text("r"), &error), &error);
	assert_false(eif_add(&eif, EIF_SECTION_RAMDISK, view_of_text("r"), &error));
	buffer_append_text(&bytes, "before");
	assert_ok(eif_write(&eif, &bytes, &error), &error);
	assert_ok(eif_read(view_of(bytes.data + 6, bytes.size - 6), &read, &error), &error);
	assert_true(read.is_aarch64);
	assert_int_equal(read.version, 3);
	assert_int_equal(read.default_memory, 5);
	assert_int_equal(read.section_count, EIF_SECTIONS_MAX);
	assert_ok(eif_write(&read, &again, &error), &error);
	assert_true(view_equal(buffer_view(&again), view_of(bytes.data + 6, bytes.size - 6)));
}

static void takes_sections_out(void **state)
{
	struct eif eif = example();

	(void)state;
	eif_remove(&eif, EIF_SECTION_SIGNATURE);
	assert_int_equal(eif.section_count, 4);
	eif_remove(&eif, EIF_SECTION_CMDLINE);
	assert_int_equal(eif.section_count, 3);
	assert_int_equal(eif.sections[1].type, EIF_SECTION_METADATA);
	assert_int_equal(eif.sections[2].type, EIF_SECTION_RAMDISK);
}

static void assert_refused(struct view bytes, const char *message)
{
	struct eif eif = {.version = 99};
	struct error error = {0};

	assert_false(eif_read(bytes, &eif, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, message);
	assert_int_equal(eif.version, 99);
}

/* One byte of the good file changed. */
static void refuses_what_is_malformed(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *message;
	} cases[] = {
		{0x000, 'E', "magic"},
		{0x005, 1, "version: 1"},
		{0x005, 5, "version: 5"},
		{0x007, 2, "flags: 0x0002"},
		{0x019, 1, "reserved"},
		{0x01b, 33, "num_sections: 33"},
		{0x01b, 3, "section_offsets[3]: not zero"},
		{0x01b, 5, "section_offsets[4]"},
		{0x01c, 1, "section_offsets[0]"},
		{0x023, 0x25, "section_offsets[0]"},
		{0x11c, 0xff, "section_sizes[0]: beyond"},
		{0x123, 7, "section 0: size 6, but 7"},
		{0x13b, 5, "section_sizes[3]: beyond"},
		{0x21b, 1, "section_offsets[31]: not zero"},
		{0x21f, 1, "reserved"},
		{KERNEL_AT + 1, 0, "section 0: type 0"},
		{KERNEL_AT + 1, 6, "section 0: type 6"},
		{KERNEL_AT, 1, "section 0: type 257"},
		{KERNEL_AT + 3, 1, "section 0: flags"},
		{KERNEL_AT + 11, 5, "section 0: size 5, but 6"},
		{KERNEL_AT + 1, EIF_SECTION_METADATA, "metadata: there twice"},
		{KERNEL_AT + 1, EIF_SECTION_RAMDISK, "ramdisk: before the kernel"},
		{CMDLINE_AT + 1, EIF_SECTION_KERNEL, "kernel: there twice"},
		{CMDLINE_AT + 1, EIF_SECTION_RAMDISK, "cmdline: missing"},
		{CMDLINE_AT + 1, EIF_SECTION_SIGNATURE, "cmdline: missing"},
		{CMDLINE_AT + 12, 0, "cmdline: byte 0 is 0x00"},
		{CMDLINE_AT + 14, '\n', "cmdline: byte 2 is 0x0a"},
		{METADATA_AT + 1, EIF_SECTION_CMDLINE, "cmdline: there twice"},
		{METADATA_AT + 1, EIF_SECTION_RAMDISK, "metadata: missing"},
		{RAMDISK_AT + 1, EIF_SECTION_SIGNATURE, "ramdisk: missing"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUFFER struct buffer bytes = example_file();

		bytes.data[cases[i].at] = cases[i].value;
		assert_refused(buffer_view(&bytes), cases[i].message);
	}
}

static void refuses_every_other_size(void **state)
{
	AUTO_BUFFER struct buffer bytes = example_file();

	(void)state;
	for (size_t size = 0; size < bytes.size; size++)
		assert_refused(view_of(bytes.data, size), "");
	buffer_append_byte(&bytes, 0);
	assert_refused(buffer_view(&bytes), "1 bytes behind the last section");
}

/* Every byte but the CRC's own goes into it. */
static void crc_sees_every_byte(void **state)
{
	AUTO_BUFFER struct buffer bytes = example_file();
	struct eif eif;
	struct error error = {0};
	size_t read = 0;

	(void)state;
	for (size_t i = 0; i < bytes.size; i++) {
		bytes.data[i] ^= 1;
		if (eif_read(buffer_view(&bytes), &eif, &error)) {
			assert_true(eif.crc != eif.computed_crc);
			read++;
		}
		bytes.data[i] ^= 1;
	}
	assert_true(read > 16); /* the defaults, the CRC, the contents */
}

static void writes_only_what_it_would_read(void **state)
{
	AUTO_FREE char *cmdline = memory_format("%0*d", MACHINE_COMMAND_LINE_MAX_SIZE + 1, 0);
	struct eif eif = example();
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};

	(void)state;
	eif.sections[1].data = view_of_text(cmdline);
	assert_false(eif_write(&eif, &bytes, &error));
	assert_message_contains(&error, "cmdline: larger than 2048 bytes");
	assert_int_equal(bytes.size, 0);
	eif.sections[1].data = view_of(cmdline, MACHINE_COMMAND_LINE_MAX_SIZE);
	assert_ok(eif_write(&eif, &bytes, &error), &error);
	eif = example();
	eif.sections[3].data = (struct view){0};
	assert_false(eif_write(&eif, &bytes, &error));
	assert_message_contains(&error, "ramdisk: empty");
	assert_string_equal(eif_section_name(EIF_SECTION_CMDLINE), "cmdline");
	assert_null(eif_section_name(EIF_SECTION_INVALID));
	assert_null(eif_section_name(6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_known_bytes),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(takes_sections_out),
		cmocka_unit_test(refuses_what_is_malformed),
		cmocka_unit_test(refuses_every_other_size),
		cmocka_unit_test(crc_sees_every_byte),
		cmocka_unit_test(writes_only_what_it_would_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
