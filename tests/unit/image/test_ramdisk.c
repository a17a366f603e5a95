/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <zlib.h>

#include "image/ramdisk.h"

static struct closure small_closure(void)
{
	static const char *const paths[] = {MACHINE_INIT, "/lib64/ld.so", "/lib/libc.so"};
	struct closure closure = {
		.files = (struct closure_file *)memory_allocate_zeroed(ARRAY_SIZE(paths), sizeof(struct closure_file)),
		.count = ARRAY_SIZE(paths),
	};

	for (size_t i = 0; i < closure.count; i++) {
		closure.files[i].path = memory_copy_text(paths[i]);
		buffer_append_text(&closure.files[i].contents, paths[i]);
	}
	return closure;
}

static void inflate_all(struct view gzip, struct buffer *ret_bytes)
{
	z_stream stream = {.next_in = (z_const Bytef *)gzip.data, .avail_in = (uInt)gzip.size};

	buffer_reserve(ret_bytes, 1u << 20);
	stream.next_out = ret_bytes->data;
	stream.avail_out = 1u << 20;
	assert_int_equal(inflateInit2(&stream, 16 + 15), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	ret_bytes->size = stream.total_out;
	/* What is behind are zeros, up to the next 4 bytes. */
	assert_true(stream.avail_in < 4);
	for (size_t i = 0; i < stream.avail_in; i++)
		assert_int_equal(stream.next_in[i], 0);
	(void)inflateEnd(&stream);
}

static bool contains(const struct buffer *bytes, const char *text)
{
	return memmem(bytes->data, bytes->size, text, strlen(text) + 1) != NULL;
}

static void software_is_the_closure_and_mount_points(void **state)
{
	static const char *const names[] = {"init", "lib64/ld.so", "lib/libc.so", "lib", "lib64",
					    "dev",  "proc",        "run",         "sys", "tmp"};
	AUTO_CLOSURE struct closure closure = small_closure();
	AUTO_BUFFER struct buffer plain = {0};
	struct error error = {0};
	size_t entries = 0;

	(void)state;
	assert_ok(ramdisk_write_software(&closure, view_of(NULL, 0), false, &plain, &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_true(contains(&plain, names[i]));
	for (size_t i = 0; i + 6 <= plain.size; i++)
		entries += memcmp(plain.data + i, "070701", 6) == 0;
	assert_int_equal(entries, ARRAY_SIZE(names) + 1); /* and the end */
}

static void compressed_is_the_same(void **state)
{
	AUTO_CLOSURE struct closure closure = small_closure();
	AUTO_BUFFER struct buffer plain = {0};
	AUTO_BUFFER struct buffer gzip = {0};
	AUTO_BUFFER struct buffer inflated = {0};
	struct error error = {0};

	(void)state;
	assert_ok(ramdisk_write_software(&closure, view_of(NULL, 0), false, &plain, &error), &error);
	assert_ok(ramdisk_write_software(&closure, view_of(NULL, 0), true, &gzip, &error), &error);
	assert_true(gzip.size < plain.size);
	assert_int_equal(gzip.size % 4, 0);
	assert_memory_equal(gzip.data, "\x1f\x8b\x08\0\0\0\0\0", 8); /* no name, no time */
	inflate_all(buffer_view(&gzip), &inflated);
	assert_true(view_equal(buffer_view(&inflated), buffer_view(&plain)));
}

static void settings_are_two_files_at_most(void **state)
{
	AUTO_BUFFER struct buffer alone = {0};
	AUTO_BUFFER struct buffer both = {0};
	struct error error = {0};

	(void)state;
	assert_ok(ramdisk_write_settings(view_of_text("{}"), (struct view){0}, false, &alone, &error), &error);
	assert_true(contains(&alone, "etc/ensign/enclave.json"));
	assert_false(contains(&alone, "etc/ssl"));
	assert_ok(ramdisk_write_settings(view_of_text("{}"), view_of_text("PEM"), false, &both, &error), &error);
	assert_true(contains(&both, "etc/ensign/enclave.json"));
	assert_true(contains(&both, "etc/ssl/certs/ca-certificates.crt"));
}

/* The closure says where its files go, and it came out of files of outside origin. */
static void refuses_a_library_over_a_mount_point(void **state)
{
	AUTO_CLOSURE struct closure closure = small_closure();
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};

	(void)state;
	free(closure.files[2].path);
	closure.files[2].path = memory_copy_text("/dev");
	assert_false(ramdisk_write_software(&closure, view_of(NULL, 0), true, &bytes, &error));
	assert_message_contains(&error, "/dev: there twice");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(software_is_the_closure_and_mount_points),
		cmocka_unit_test(compressed_is_the_same),
		cmocka_unit_test(settings_are_two_files_at_most),
		cmocka_unit_test(refuses_a_library_over_a_mount_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
