/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "image/kernel.h"

#define SIZE 2048

static void make_x86(uint8_t kernel[SIZE], const char *version)
{
	memset(kernel, 0, SIZE);
	memcpy(kernel + 0x1fe, "\x55\xaa", 2);
	memcpy(kernel + 0x202, "HdrS", 4);
	kernel[0x20f] = 0x04; /* at 0x200 + 0x400 */
	kernel[0x211] = 0x01;
	memcpy(kernel + 0x600, version, strlen(version));
}

static void takes_a_bzimage_as_it_is(void **state)
{
	AUTO_BUFFER struct buffer prepared = {0};
	char version[KERNEL_VERSION_SIZE];
	struct error error = {0};
	uint8_t kernel[SIZE];

	(void)state;
	make_x86(kernel, "6.12.48-ensign (builder@host) #1");
	assert_ok(kernel_prepare(view_of(kernel, SIZE), false, &prepared, version, &error), &error);
	assert_true(view_equal(buffer_view(&prepared), view_of(kernel, SIZE)));
	assert_string_equal(version, "6.12.48-ensign");
}

/* The version is decoration: what does not make sense is unknown. */
static void versions_that_are_none(void **state)
{
	char version[KERNEL_VERSION_SIZE];
	struct error error = {0};
	uint8_t kernel[SIZE];

	(void)state;
	for (int i = 0; i < 4; i++) {
		AUTO_BUFFER struct buffer prepared = {0};

		make_x86(kernel, i == 0 ? "" : "6.12");
		if (i == 1)
			kernel[0x20f] = 0; /* none */
		if (i == 2)
			kernel[0x20f] = 0xff; /* beyond the end */
		if (i == 3)
			memset(kernel + 0x600, 'v', SIZE - 0x600); /* too long */
		assert_ok(kernel_prepare(view_of(kernel, SIZE), false, &prepared, version, &error), &error);
		assert_string_equal(version, "unknown");
	}
}

static void patches_the_text_offset_of_arm(void **state)
{
	AUTO_BUFFER struct buffer prepared = {0};
	char version[KERNEL_VERSION_SIZE];
	struct error error = {0};
	uint8_t kernel[SIZE] = {0};

	(void)state;
	memcpy(kernel + 56, "ARM\x64", 4);
	buffer_append_text(&prepared, "abc");
	assert_ok(kernel_prepare(view_of(kernel, SIZE), true, &prepared, version, &error), &error);
	assert_int_equal(prepared.size, 3 + SIZE);
	memcpy(kernel + 8, "\0\0\x20\0\0\0\0\0", 8);
	assert_memory_equal(prepared.data + 3, kernel, SIZE);
}

static void assert_refused(const uint8_t *kernel, size_t size, bool is_aarch64, const char *message)
{
	AUTO_BUFFER struct buffer prepared = {0};
	char version[KERNEL_VERSION_SIZE];
	struct error error = {0};

	assert_false(kernel_prepare(view_of(kernel, size), is_aarch64, &prepared, version, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, message);
	assert_int_equal(prepared.size, 0);
}

static void refuses_what_would_not_boot(void **state)
{
	uint8_t kernel[SIZE];

	(void)state;
	make_x86(kernel, "6.12");
	assert_refused(kernel, SIZE, true, "not a raw Image");
	assert_refused(kernel, 0x22f, false, "not a bzImage");
	assert_refused(kernel, 0, false, "not a bzImage");
	assert_refused(kernel, 0, true, "not a raw Image");
	kernel[0x211] = 0;
	assert_refused(kernel, SIZE, false, "not a bzImage"); /* a zImage */
	make_x86(kernel, "6.12");
	kernel[0x1ff] = 0;
	assert_refused(kernel, SIZE, false, "not a bzImage");
	make_x86(kernel, "6.12");
	kernel[0x202] = 'h';
	assert_refused(kernel, SIZE, false, "not a bzImage");
	memcpy(kernel,
	       "\x7f"
	       "ELF",
	       4);
	assert_refused(kernel, SIZE, false, "arch/x86/boot/bzImage");
	assert_refused(kernel, SIZE, true, "arch/arm64/boot/Image");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_bzimage_as_it_is),
		cmocka_unit_test(versions_that_are_none),
		cmocka_unit_test(patches_the_text_offset_of_arm),
		cmocka_unit_test(refuses_what_would_not_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
