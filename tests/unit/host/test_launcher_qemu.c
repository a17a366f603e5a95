/* SPDX-License-Identifier: Apache-2.0 */
/* With shell scripts in place of qemu and of the vsock's back end; e2e_microvm has the real ones. */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "host_fixture.h"
#include "machine_maker.h"

/* Makes its socket's file, as the real one makes its socket, and stays. */
#define BACKEND                                                                                                                    \
	"#!/bin/sh\nsocket=${2#*socket=}\nsocket=${socket%%,*}\necho $$ >\"${socket%/*}/backend.pid\"\n: >\"$socket\"\nexec "      \
	"sleep 600\n"
#define QEMU "#!/bin/sh\necho \"$@\" >\"$(dirname \"$0\")/machine/arguments\"\nexec sleep 600\n"

struct machine {
	struct launch_options options;
	struct machine_options machine;
	char folder[SETTINGS_PATH_SIZE];
	char qemu[SETTINGS_PATH_SIZE];
	char backend[SETTINGS_PATH_SIZE];
	struct launcher *launcher;
};

static void put(const char *folder, const char *name, const char *text, mode_t mode)
{
	AUTO_FREE char *path = memory_format("%s/%s", folder, name);
	struct error error = {0};

	assert_ok(file_write_atomic(path, view_of_text(text), mode, &error), &error);
}

static void prepare(const struct host_fixture *fixture, struct machine *machine, const char *qemu, const char *backend)
{
	struct error error = {0};

	*machine = (struct machine){.options = fixture_launch_options(fixture)};
	fixture_path(fixture, "machine", machine->folder);
	fixture_path(fixture, "qemu", machine->qemu);
	fixture_path(fixture, "backend", machine->backend);
	assert_ok(folder_make(machine->folder, 0700, &error), &error);
	put(fixture->folder, "qemu", qemu, 0700);
	put(fixture->folder, "backend", backend, 0700);
	maker_image(machine->folder, NULL);
	machine->machine = (struct machine_options){.folder = machine->folder,
						    .qemu = machine->qemu,
						    .vsock_backend = machine->backend,
						    .accelerator = "tcg",
						    .memory_mib = 256};
	machine->options.machine = &machine->machine;
}

static void start(struct machine *machine)
{
	struct error error = {0};

	machine->launcher = launcher_new("qemu", &machine->options, &error);
	assert_ok(machine->launcher != NULL, &error);
	assert_int_equal(machine->launcher->operations->watch_fd(machine->launcher), -1);
	assert_ok(machine->launcher->operations->start(machine->launcher, &error), &error);
}

/* The text of a file in the machine's folder, once it is there. */
static void read_when_there(const struct machine *machine, const char *name, struct buffer *ret_text)
{
	AUTO_FREE char *path = memory_format("%s/%s", machine->folder, name);
	uint64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
	struct error error = {0};

	while (ret_text->size == 0 && clock_monotonic_ms() < deadline_ms) {
		if (!file_read(path, 65536, ret_text, &error))
			(void)usleep(5000);
	}
	assert_true(ret_text->size > 0);
}

static void wait_for_end(struct machine *machine, char *ret_how, size_t size)
{
	struct pollfd ended = {.fd = machine->launcher->operations->watch_fd(machine->launcher), .events = POLLIN};

	assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
	assert_true(machine->launcher->operations->reap(machine->launcher, ret_how, size));
	assert_int_equal(machine->launcher->operations->pid(machine->launcher), 0);
	assert_int_equal(machine->launcher->operations->watch_fd(machine->launcher), -1);
}

static void assert_file(const struct machine *machine, const char *name, const char *expected)
{
	AUTO_BUFFER struct buffer text = {0};

	read_when_there(machine, name, &text);
	assert_string_equal(buffer_text(&text), expected);
}

static void boots_what_is_in_the_folder(void **state)
{
	AUTO_BUFFER struct buffer arguments = {0};
	struct machine machine;
	AUTO_FREE char *expected = NULL;
	char how[256] = "";

	prepare(*state, &machine, QEMU, BACKEND);
	start(&machine);
	read_when_there(&machine, "arguments", &arguments);
	expected = memory_format("-kernel %s/kernel -initrd %s/ramdisk -append console=ttyS0 quiet ensign.parent_cid=2 "
				 "ensign.nsm=vsock:2:9001 reboot=t ",
				 machine.folder, machine.folder);
	assert_non_null(strstr(buffer_text(&arguments), expected));
	assert_file(&machine, MACHINE_KERNEL, MAKER_KERNEL);
	assert_file(&machine, MACHINE_RAMDISK, MAKER_SOFTWARE MAKER_SETTINGS);
	assert_non_null(strstr(buffer_text(&arguments), "accel=tcg"));
	assert_non_null(strstr(buffer_text(&arguments), "-m 256M"));
	/* Its number is told a moment after it began. */
	while (machine.launcher->operations->pid(machine.launcher) <= 0)
		(void)usleep(1000);
	assert_false(machine.launcher->operations->reap(machine.launcher, how, sizeof how));
	assert_null(machine.launcher->operations->weakness(machine.launcher));
	machine.launcher->operations->terminate(machine.launcher);
	wait_for_end(&machine, how, sizeof how);
	assert_string_equal(how, "was told to end");
	launcher_free(machine.launcher);
}

static void answers_the_heartbeat(void **state)
{
	static const struct {
		uint8_t byte;
		bool is_answered;
	} cases[] = {{MACHINE_HEARTBEAT, true}, {0, false}, {MACHINE_HEARTBEAT, true}};
	AUTO_BUFFER struct buffer arguments = {0};
	struct address address = fixture_address(*state, "machine/vsock_9000");
	struct machine machine;
	struct error error = {0};

	prepare(*state, &machine, QEMU, BACKEND);
	start(&machine);
	read_when_there(&machine, "arguments", &arguments);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FD int fd = address_connect(&address, PATIENCE_MS, &error);
		uint8_t answer = 0;

		assert_ok(fd >= 0, &error);
		assert_int_equal(send(fd, &cases[i].byte, 1, MSG_NOSIGNAL), 1);
		assert_int_equal(recv(fd, &answer, 1, 0), cases[i].is_answered);
		assert_int_equal(answer, cases[i].is_answered ? MACHINE_HEARTBEAT : 0);
	}
	/* Ends what runs. */
	launcher_free(machine.launcher);
}

static void says_how_it_ended(void **state)
{
	static const struct {
		const char *qemu;
		const char *backend;
		const char *how;
	} cases[] = {
		{"#!/bin/sh\nexit 3\n", BACKEND, "ended: qemu ended with status 3"},
		{"#!/bin/sh\nkill -11 $$\n", BACKEND, "ended: qemu was killed by signal 11"},
		{"#!/bin/sh\nkill -9 \"$(cat \"$(dirname \"$0\")/machine/backend.pid\")\"\nexec sleep 600\n", BACKEND,
		 "ended: vhost-device-vsock was killed by signal 9"},
		{QEMU, "#!/bin/sh\nexit 1\n", "did not start: "},
		{"#!/nonexistent\n", BACKEND, "did not start: qemu"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct machine machine;
		char how[256] = "";

		prepare(*state, &machine, cases[i].qemu, cases[i].backend);
		start(&machine);
		wait_for_end(&machine, how, sizeof how);
		if (!strstr(how, cases[i].how))
			fail_msg("\"%s\" has no \"%s\"", how, cases[i].how);
		launcher_free(machine.launcher);
	}
}

static void a_damaged_image_is_not_booted(void **state)
{
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_FREE char *path = NULL;
	struct error error = {0};
	struct machine machine;
	char how[256] = "";

	prepare(*state, &machine, QEMU, BACKEND);
	path = memory_format("%s/" MACHINE_IMAGE, machine.folder);
	assert_ok(file_read(path, EIF_MAX_SIZE, &bytes, &error), &error);
	bytes.data[bytes.size - 1] ^= 1;
	maker_write(machine.folder, buffer_view(&bytes));
	start(&machine);
	wait_for_end(&machine, how, sizeof how);
	assert_non_null(strstr(how, "did not start: "));
	assert_non_null(strstr(how, "/image.eif: damaged: its CRC is "));
	launcher_free(machine.launcher);
}

static void starts_again(void **state)
{
	AUTO_BUFFER struct buffer first = {0};
	AUTO_BUFFER struct buffer second = {0};
	struct machine machine;
	AUTO_FREE char *path = NULL;
	struct error error = {0};

	prepare(*state, &machine, QEMU, BACKEND);
	start(&machine);
	read_when_there(&machine, "arguments", &first);
	path = memory_format("%s/arguments", machine.folder);
	assert_int_equal(unlink(path), 0);
	/* The one before it is ended first. */
	assert_ok(machine.launcher->operations->start(machine.launcher, &error), &error);
	read_when_there(&machine, "arguments", &second);
	assert_true(view_equal(buffer_view(&first), buffer_view(&second)));
	launcher_free(machine.launcher);
}

static void assert_refused(const struct launch_options *options, const char *message)
{
	struct error error = {0};

	assert_null(launcher_new("qemu", options, &error));
	assert_message_contains(&error, message);
}

static void missing_and_impossible_things_are_named(void **state)
{
	AUTO_FREE char *long_folder = memory_format("/tmp/%0100d", 0);
	struct error error = {0};
	struct machine machine;
	AUTO_FREE char *image = NULL;

	prepare(*state, &machine, QEMU, BACKEND);
	machine.options.machine = NULL;
	assert_refused(&machine.options, "machine: missing");
	machine.options.machine = &machine.machine;
	machine.machine.folder = long_folder;
	assert_refused(&machine.options, "machine: folder: 105 bytes");
	machine.machine.folder = "/tmp/a,b";
	assert_refused(&machine.options, "comma");
	machine.machine.folder = machine.folder;
	machine.machine.qemu = "/nonexistent/qemu";
	assert_refused(&machine.options, "machine: qemu: /nonexistent/qemu");
	machine.machine.qemu = machine.qemu;
	machine.machine.vsock_backend = "/nonexistent/backend";
	assert_refused(&machine.options, "machine: vsock_backend: /nonexistent/backend");
	machine.machine.vsock_backend = machine.backend;
	machine.launcher = launcher_new("qemu", &machine.options, &error);
	assert_ok(machine.launcher != NULL, &error);
	image = memory_format("%s/" MACHINE_IMAGE, machine.folder);
	assert_int_equal(unlink(image), 0);
	assert_false(machine.launcher->operations->start(machine.launcher, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	assert_message_contains(&error, "/machine/image.eif does not exist");
	launcher_free(machine.launcher);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(boots_what_is_in_the_folder),
		HOST_TEST(answers_the_heartbeat),
		HOST_TEST(says_how_it_ended),
		HOST_TEST(a_damaged_image_is_not_booted),
		HOST_TEST(starts_again),
		HOST_TEST(missing_and_impossible_things_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
