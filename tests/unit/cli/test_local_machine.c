/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_machine.h"
#include "vectors.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

static char work[] = "/tmp/ensign-local-machine-XXXXXX";

static int group_setup(void **state)
{
	(void)state;
	return mkdtemp(work) ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	return rmdir(work);
}

static void choices_are_remembered(void **state)
{
	struct local_settings settings;
	struct error error = {0};

	(void)state;
	local_settings_default(&settings);
	assert_false(local_settings_is_machine(&settings));
	assert_ok(local_machine_merge(&(struct machine_choice){.launcher = "qemu"}, &settings, &error), &error);
	assert_true(local_settings_is_machine(&settings));
	assert_ok(local_machine_merge(&(struct machine_choice){.kernel = "/proc/self/../version"}, &settings, &error), &error);
	assert_string_equal(settings.kernel, "/proc/version");
	assert_ok(local_machine_merge(&(struct machine_choice){0}, &settings, &error), &error);
	assert_true(local_settings_is_machine(&settings));
	assert_string_equal(settings.kernel, "/proc/version");
	assert_ok(local_machine_merge(&(struct machine_choice){.kernel = "default"}, &settings, &error), &error);
	assert_string_equal(settings.kernel, "");
	assert_ok(local_machine_merge(&(struct machine_choice){.launcher = "process"}, &settings, &error), &error);
	assert_false(local_settings_is_machine(&settings));
}

static void wrong_choices_are_named(void **state)
{
	static const struct {
		struct machine_choice choice;
		const char *message;
	} cases[] = {
		{{.launcher = "docker"}, "--launcher: process or qemu, not docker"},
		{{.kernel = "default"}, "--kernel: only with --launcher qemu"},
		{{.launcher = "qemu", .kernel = "/nonexistent"}, "--kernel: /nonexistent does not exist"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct local_settings settings;
		struct error error = {0};

		local_settings_default(&settings);
		assert_false(local_machine_merge(&cases[i].choice, &settings, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
	}
}

static void it_forgets_what_is_in_its_memory(void **state)
{
	static const struct {
		const char *launcher;
		bool slashing_protection, uses_dynamodb, forgets;
	} cases[] = {
		{"qemu", true, false, true},
		{"qemu", true, true, false},
		{"qemu", false, false, false},
		{"process", true, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct local_settings settings = {.slashing_protection = cases[i].slashing_protection,
						  .slashing.uses_dynamodb = cases[i].uses_dynamodb};

		(void)snprintf(settings.launcher, sizeof settings.launcher, "%s", cases[i].launcher);
		assert_int_equal(local_machine_forgets(&settings), cases[i].forgets);
	}
}

static void control_is_a_port_of_the_machine(void **state)
{
	AUTO_LOCAL_FOLDER struct local_folder folder = {0};
	struct local_settings settings = {.launcher = LOCAL_LAUNCHER_PROCESS};
	AUTO_FREE char *process = NULL;
	AUTO_FREE char *machine = NULL;
	struct error error = {0};

	(void)state;
	assert_ok(local_folder_init("/nonexistent/signer", &folder, &error), &error);
	process = local_control_address(&folder, &settings);
	assert_string_equal(process, "unix:/nonexistent/signer/run/control.sock");
	(void)snprintf(settings.launcher, sizeof settings.launcher, "%s", LOCAL_LAUNCHER_QEMU);
	machine = local_control_address(&folder, &settings);
	assert_string_equal(machine, "hybrid:/nonexistent/signer/machine/vsock:5000");
}

/* Only absolute folders of $PATH count: the host has another working folder. */
static void programs_are_found(void **state)
{
	static const char *const names[] = {"qemu-system-x86_64", "vhost-device-vsock"};
	AUTO_LOCAL_FOLDER struct local_folder folder = {0};
	AUTO_FREE char *path = memory_format(":.:/nonexistent:%s:", work);
	AUTO_FREE char *expected = memory_format("%s/%s", work, names[0]);
	AUTO_JSON json_t *machine = NULL;
	struct error error = {0};

	(void)state;
	assert_ok(local_folder_init("/nonexistent/signer", &folder, &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_FREE char *program = memory_format("%s/%s", work, names[i]);

		assert_ok(file_write_atomic(program, view_of_text("#!/bin/sh\n"), 0700, &error), &error);
	}
	assert_int_equal(setenv("PATH", path, 1), 0);
	machine = local_machine_json(&folder, &error);
	assert_ok(machine != NULL, &error);
	assert_string_equal(json_string_value(json_object_get(machine, "qemu")), expected);
	assert_string_equal(json_string_value(json_object_get(machine, "folder")), "/nonexistent/signer/machine");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_FREE char *program = memory_format("%s/%s", work, names[i]);
		AUTO_JSON json_t *none = NULL;

		assert_int_equal(unlink(program), 0);
		none = local_machine_json(&folder, &error);
		assert_null(none);
		assert_int_equal(error.code, ERROR_NOT_FOUND);
		assert_message_contains(&error, "qemu-system-x86_64 is not in $PATH");
		assert_message_contains(&error, "scripts/get-microvm");
	}
}

/* Refused before anything is changed. */
static void what_cannot_be_a_machine_is_refused(void **state)
{
	AUTO_FREE char *long_path = memory_format("/nonexistent/%080d", 0);
	const struct {
		const char *folder, *message;
	} cases[] = {{"/nonexistent/a,b", "a comma or a colon"}, {long_path, "is too long for its machine's sockets, by 11 bytes"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_LOCAL_FOLDER struct local_folder folder = {0};
		struct local_settings settings;
		struct error error = {0};

		local_settings_default(&settings);
		assert_ok(local_folder_init(cases[i].folder, &folder, &error), &error);
		assert_ok(local_machine_check(&folder, &settings, &error), &error); /* a process has no such limits here */
		assert_ok(local_machine_merge(&(struct machine_choice){.launcher = "qemu"}, &settings, &error), &error);
		assert_false(local_machine_check(&folder, &settings, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choices_are_remembered),
		cmocka_unit_test(wrong_choices_are_named),
		cmocka_unit_test(it_forgets_what_is_in_its_memory),
		cmocka_unit_test(control_is_a_port_of_the_machine),
		cmocka_unit_test(programs_are_found),
		cmocka_unit_test(what_cannot_be_a_machine_is_refused),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
