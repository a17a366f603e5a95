/* SPDX-License-Identifier: Apache-2.0 */
/* A small system in a folder of its own: programs and libraries that need each other. */
#include "vectors.h"

#include <sys/stat.h>

#include "base/file.h"
#include "elf_maker.h"
#include "image/closure.h"
#include "remove_tree.h"

#define LOADER "/lib64/ld.so"
#define MULTIARCH "/lib/x86_64-linux-gnu"

static char root[] = "/tmp/ensign-closure-XXXXXX";

static int teardown(void **state)
{
	(void)state;
	return remove_tree(root);
}

static int setup(void **state)
{
	static const char *const folders[] = {"/lib64", "/lib",    MULTIARCH, "/usr", "/usr/lib", "/usr/lib/x86_64-linux-gnu",
					      "/opt",   "/opt/own"};
	struct error error = {0};

	(void)state;
	memcpy(root, "/tmp/ensign-closure-XXXXXX", sizeof root);
	if (!mkdtemp(root))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		AUTO_FREE char *path = memory_format("%s%s", root, folders[i]);

		if (!folder_make(path, 0755, &error))
			return -1;
	}
	return 0;
}

static void put(const char *path, const struct elf_recipe *recipe)
{
	AUTO_FREE char *full = memory_format("%s%s", root, path);
	AUTO_BUFFER struct buffer bytes = elf_make(recipe);
	struct error error = {0};

	assert_ok(file_write_atomic(full, buffer_view(&bytes), 0755, &error), &error);
}

static void put_library(const char *path)
{
	put(path, &(struct elf_recipe){0});
}

static bool find(const char *image_path, struct closure *ret_closure, struct error *error)
{
	AUTO_FREE char *program = memory_format("%s/program", root);

	return closure_of_program(program, image_path, root, ret_closure, error);
}

static void assert_paths(const struct closure *closure, const char *const *paths, size_t count)
{
	assert_int_equal(closure->count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(closure->files[i].path, paths[i]);
}

/* Breadth first, each once, the loader not again under its other name; of two libraries of a name the first folder's. */
static void finds_what_the_loader_would(void **state)
{
	static const char *const expected[] = {"/init", LOADER, MULTIARCH "/liba.so", "/usr/lib/libb.so", MULTIARCH "/libc.so"};
	AUTO_CLOSURE struct closure closure = {0};
	struct error error = {0};

	(void)state;
	put("/program", &(struct elf_recipe){.interpreter = LOADER, .needed = {"liba.so", "libb.so"}});
	put(LOADER, &(struct elf_recipe){0});
	put(MULTIARCH "/liba.so", &(struct elf_recipe){.needed = {"libc.so", "ld.so"}});
	put("/usr/lib/libb.so", &(struct elf_recipe){.needed = {"libc.so", "liba.so"}});
	put(MULTIARCH "/libc.so", &(struct elf_recipe){.needed = {"ld.so"}});
	put_library("/usr/lib/libc.so");
	assert_ok(find("/init", &closure, &error), &error);
	assert_paths(&closure, expected, ARRAY_SIZE(expected));
	assert_int_equal(closure.machine, EM_X86_64);
}

static void passes_over_libraries_for_other_machines(void **state)
{
	static const char *const expected[] = {"/init", "/usr/lib/liba.so"};
	AUTO_CLOSURE struct closure closure = {0};
	struct error error = {0};

	(void)state;
	put("/program", &(struct elf_recipe){.needed = {"liba.so"}});
	put(MULTIARCH "/liba.so", &(struct elf_recipe){.machine = EM_AARCH64});
	put_library("/usr/lib/liba.so");
	assert_ok(find("/init", &closure, &error), &error);
	assert_paths(&closure, expected, ARRAY_SIZE(expected));
}

/* $ORIGIN is where the file is in the image, not where it is now. */
static void follows_the_run_path(void **state)
{
	static const char *const expected[] = {"/opt/bin/program", "/opt/own/liba.so", "/opt/own/libb.so", "/usr/lib/libc.so"};
	AUTO_CLOSURE struct closure closure = {0};
	struct error error = {0};

	(void)state;
	put("/program", &(struct elf_recipe){.run_path = "/nowhere:${ORIGIN}/./..//own/", .needed = {"liba.so"}});
	put("/opt/own/liba.so", &(struct elf_recipe){.run_path = "$ORIGIN", .needed = {"libb.so", "libc.so"}});
	put_library("/opt/own/libb.so");
	put_library("/usr/lib/libb.so");
	put_library("/usr/lib/libc.so");
	assert_ok(find("/opt/bin/program", &closure, &error), &error);
	assert_paths(&closure, expected, ARRAY_SIZE(expected));
}

/* As Debian has them: /lib64/ld.so is a link to /lib/…, which means below this root. */
static void symbolic_links_stay_below_the_root(void **state)
{
	AUTO_FREE char *link = memory_format("%s" LOADER, root);
	AUTO_FREE char *outside = memory_format("%s/usr/lib/liba.so", root);
	AUTO_CLOSURE struct closure closure = {0};
	struct error error = {0};

	(void)state;
	put("/program", &(struct elf_recipe){.interpreter = LOADER});
	put_library(MULTIARCH "/the-loader");
	assert_int_equal(symlink(MULTIARCH "/the-loader", link), 0);
	assert_ok(find("/init", &closure, &error), &error);
	assert_int_equal(closure.count, 2);
	assert_string_equal(closure.files[1].path, LOADER);
	closure_done(&closure);

	put("/program", &(struct elf_recipe){.needed = {"liba.so"}});
	assert_int_equal(symlink("../../../../../proc/self/exe", outside), 0);
	assert_false(find("/init", &closure, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
}

static void assert_refused(const struct elf_recipe *program, enum error_code code, const char *message)
{
	AUTO_CLOSURE struct closure closure = {0};
	struct error error = {0};

	put("/program", program);
	assert_false(find("/init", &closure, &error));
	assert_int_equal(error.code, code);
	assert_message_contains(&error, message);
	assert_null(closure.files);
}

static void says_what_is_wrong(void **state)
{
	AUTO_FREE char *broken = memory_format("%s/lib/libbroken.so", root);
	AUTO_FREE char *folder = memory_format("%s/lib/libfolder.so", root);
	AUTO_BUFFER struct buffer bytes = elf_make(&(struct elf_recipe){.needed = {"liba.so"}});
	struct error error = {0};

	(void)state;
	assert_ok(folder_make(folder, 0755, &error), &error);
	assert_ok(file_write_atomic(broken, view_of(bytes.data, bytes.size - 1), 0755, &error), &error);
	assert_refused(&(struct elf_recipe){.needed = {"liba.so"}}, ERROR_NOT_FOUND, "/init needs liba.so: liba.so: in none");
	assert_refused(&(struct elf_recipe){.needed = {"/lib/liba.so"}}, ERROR_INPUT, "a path, not a name");
	assert_refused(&(struct elf_recipe){.needed = {"../liba.so"}}, ERROR_INPUT, "a path, not a name");
	assert_refused(&(struct elf_recipe){.needed = {"libfolder.so"}}, ERROR_INPUT, "/lib/libfolder.so: not a regular file");
	assert_refused(&(struct elf_recipe){.needed = {"libbroken.so"}}, ERROR_INPUT, "/lib/libbroken.so: segment");
	assert_refused(&(struct elf_recipe){.run_path = "lib", .needed = {"liba.so"}}, ERROR_INPUT, "not an absolute path");
	assert_refused(&(struct elf_recipe){.run_path = "/lib:", .needed = {"liba.so"}}, ERROR_INPUT, "not an absolute path");
	assert_refused(&(struct elf_recipe){.run_path = "/lib/$PLATFORM", .needed = {"liba.so"}}, ERROR_INPUT, "$PLATFORM");
	assert_refused(&(struct elf_recipe){.run_path = "$LIB", .needed = {"liba.so"}}, ERROR_INPUT, "$LIB");
	assert_refused(&(struct elf_recipe){.run_path = "$ORIGINAL", .needed = {"liba.so"}}, ERROR_INPUT, "$ORIGINAL");
	assert_refused(&(struct elf_recipe){.interpreter = "ld.so"}, ERROR_INPUT, "PT_INTERP: not an absolute path");
	assert_refused(&(struct elf_recipe){.interpreter = "/lib/ld.so"}, ERROR_NOT_FOUND, "PT_INTERP: /lib/ld.so");
	assert_refused(&(struct elf_recipe){.machine = EM_RISCV}, ERROR_INPUT, "e_machine: 243");
}

static void needs_a_program_and_a_root(void **state)
{
	AUTO_CLOSURE struct closure closure = {0};
	struct error error = {0};

	(void)state;
	assert_false(closure_of_program("/nonexistent/program", "/init", "/", &closure, &error));
	assert_message_contains(&error, "/nonexistent/program");
	assert_false(closure_of_program("/proc/self/exe", "/init", "/nonexistent", &closure, &error));
	assert_message_contains(&error, "/nonexistent");
	assert_false(closure_of_program("/dev/null", "/init", "/", &closure, &error));
	assert_message_contains(&error, "/dev/null: not a little-endian ELF64");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_what_the_loader_would, setup, teardown),
		cmocka_unit_test_setup_teardown(passes_over_libraries_for_other_machines, setup, teardown),
		cmocka_unit_test_setup_teardown(follows_the_run_path, setup, teardown),
		cmocka_unit_test_setup_teardown(symbolic_links_stay_below_the_root, setup, teardown),
		cmocka_unit_test_setup_teardown(says_what_is_wrong, setup, teardown),
		cmocka_unit_test(needs_a_program_and_a_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
