/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "image/cpio.h"

static void add(struct cpio *cpio, const char *path, const char *contents)
{
	struct error error = {0};

	assert_ok(cpio_add_file(cpio, path, 0644, view_of_text(contents), &error), &error);
}

/* By hand from the format's description. */
static void writes_known_bytes(void **state)
{
	static const char expected[] =
		"070701"
		"00000001000041ed000000000000000000000002000000000000000000000000000000000000000000000000"
		"0000000200000000"
		"d\0"
		"070701"
		"00000002000081a4000000000000000000000001000000000000000500000000000000000000000000000000"
		"0000000400000000"
		"d/f\0\0\0"
		"hello\0\0\0"
		"070701"
		"00000000000000000000000000000000000000010000000000000000000000000000000000000000000000000000000b"
		"00000000"
		"TRAILER!!!\0\0\0\0";
	AUTO_CPIO struct cpio cpio = {0};
	AUTO_BUFFER struct buffer bytes = {0};

	(void)state;
	add(&cpio, "/d/f", "hello");
	cpio_write(&cpio, &bytes);
	assert_int_equal(bytes.size, sizeof expected - 1);
	assert_memory_equal(bytes.data, expected, bytes.size);
}

static void order_of_adding_means_nothing(void **state)
{
	static const char *const paths[] = {"/b/x", "/b-c", "/b/a/y", "/a", "/b.d/z"};
	AUTO_CPIO struct cpio one = {0};
	AUTO_CPIO struct cpio other = {0};
	AUTO_BUFFER struct buffer bytes_of_one = {0};
	AUTO_BUFFER struct buffer bytes_of_other = {0};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		add(&one, paths[i], paths[i]);
		add(&other, paths[ARRAY_SIZE(paths) - 1 - i], paths[ARRAY_SIZE(paths) - 1 - i]);
	}
	assert_ok(cpio_add_folder(&one, "/tmp", 01777, &error) && cpio_add_folder(&one, "/tmp", 01777, &error), &error);
	assert_ok(cpio_add_folder(&other, "/tmp", 01777, &error), &error);
	buffer_append_text(&bytes_of_other, "abc"); /* what is there already is not the archive's business */
	cpio_write(&one, &bytes_of_one);
	cpio_write(&other, &bytes_of_other);
	assert_int_equal(bytes_of_one.size % 4, 0);
	assert_true(view_equal(buffer_view(&bytes_of_one), view_of(bytes_of_other.data + 3, bytes_of_other.size - 3)));
	/* Folders before what is in them. */
	assert_string_equal(one.entries[0].path, "a");
	assert_string_equal(one.entries[1].path, "b");
	assert_string_equal(one.entries[2].path, "b-c");
	assert_string_equal(one.entries[3].path, "b.d");
	assert_string_equal(one.entries[4].path, "b.d/z");
	assert_string_equal(one.entries[5].path, "b/a");
	assert_string_equal(one.entries[8].path, "tmp");
}

static void assert_refused(bool done, struct error *error, const char *message)
{
	assert_false(done);
	assert_int_equal(error->code, ERROR_INPUT);
	assert_message_contains(error, message);
}

static void refuses_what_is_ambiguous(void **state)
{
	static const char *const bad[] = {"", "/", "a", "//a", "/a/", "/a//b", "/./a", "/a/..", "/../a", "/a/."};
	AUTO_FREE char *longest = memory_format("/%0*d", CPIO_PATH_MAX_SIZE, 0);
	AUTO_CPIO struct cpio cpio = {0};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_refused(cpio_add_file(&cpio, bad[i], 0644, (struct view){0}, &error), &error, "path");
	assert_refused(cpio_add_file(&cpio, longest, 0644, (struct view){0}, &error), &error, "4095");
	assert_int_equal(cpio.count, 0);
	add(&cpio, "/a/file", "x");
	assert_refused(cpio_add_file(&cpio, "/a/file", 0644, view_of_text("x"), &error), &error, "/a/file: there twice");
	assert_refused(cpio_add_file(&cpio, "/a", 0644, view_of_text("x"), &error), &error, "/a: there twice");
	assert_refused(cpio_add_file(&cpio, "/a/file/below", 0644, view_of_text("x"), &error), &error, "/a/file is a file");
	assert_refused(cpio_add_folder(&cpio, "/a/file", 0755, &error), &error, "/a/file: there already");
	assert_refused(cpio_add_folder(&cpio, "/a", 0700, &error), &error, "/a: there already");
	assert_int_equal(cpio.count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_known_bytes),
		cmocka_unit_test(order_of_adding_means_nothing),
		cmocka_unit_test(refuses_what_is_ambiguous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
