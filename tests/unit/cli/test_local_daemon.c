/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_daemon.h"
#include "vectors.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"

#define PID_FILE "test_local_daemon.pid"
#define LOG_FILE "test_local_daemon.out"

static pid_t start(const char *command)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	const struct local_daemon daemon = {"/bin/sh", argv, PID_FILE, LOG_FILE};
	struct error error = {0};
	pid_t pid = 0;

	assert_ok(local_daemon_start(&daemon, &pid, &error), &error);
	return pid;
}

static int clean(void **state)
{
	(void)state;
	(void)unlink(PID_FILE);
	(void)unlink(LOG_FILE);
	return 0;
}

static void runs_until_stopped(void **state)
{
	struct error error = {0};
	pid_t pid = start("exec sleep 60");
	pid_t found = 0;
	bool killed = true;

	(void)state;
	assert_true(local_daemon_running(PID_FILE, &found));
	assert_int_equal(found, pid);
	assert_ok(local_daemon_stop(PID_FILE, 5000, &killed, &error), &error);
	assert_false(killed);
	assert_false(local_daemon_running(PID_FILE, NULL));
	assert_false(process_alive(pid));
	assert_false(file_exists(PID_FILE));
	assert_ok(local_daemon_stop(PID_FILE, 5000, &killed, &error), &error);
}

static void one_that_ignores_sigterm_is_killed(void **state)
{
	struct error error = {0};
	pid_t pid = start("trap '' TERM; echo ready; while :; do sleep 0.05; done");
	bool killed = false;

	(void)state;
	for (int i = 0; i < 500; i++) {
		AUTO_BUFFER struct buffer log = {0};

		assert_ok(file_read(LOG_FILE, 4096, &log, &error), &error);
		if (log.size)
			break;
		(void)usleep(10000);
	}
	assert_ok(local_daemon_stop(PID_FILE, 200, &killed, &error), &error);
	assert_true(killed);
	assert_false(process_alive(pid));
}

static void second_start_is_refused(void **state)
{
	const char *const argv[] = {"sh", "-c", "exec sleep 60", NULL};
	const struct local_daemon daemon = {"/bin/sh", argv, PID_FILE, LOG_FILE};
	struct error error = {0};
	pid_t pid = start("exec sleep 60");
	pid_t second;

	(void)state;
	assert_false(local_daemon_start(&daemon, &second, &error));
	assert_int_equal(error.code, ERROR_IO);
	assert_true(process_alive(pid));
	assert_ok(local_daemon_stop(PID_FILE, 5000, NULL, &error), &error);
}

/* The number in a stale file may be anybody's by now. */
static void stranger_is_left_alone(void **state)
{
	char text[32];
	struct error error = {0};
	pid_t stranger = fork();

	(void)state;
	if (stranger == 0) {
		(void)pause();
		_exit(0);
	}
	(void)snprintf(text, sizeof text, "%d\n", (int)stranger);
	assert_ok(file_write_atomic(PID_FILE, view_of_text(text), 0600, &error), &error);
	assert_false(local_daemon_running(PID_FILE, NULL));
	assert_ok(local_daemon_stop(PID_FILE, 1000, NULL, &error), &error);
	assert_true(process_alive(stranger));
	(void)kill(stranger, SIGKILL);
	(void)waitpid(stranger, NULL, 0);
}

static void missing_program_is_an_error(void **state)
{
	const char *const argv[] = {"nothing", NULL};
	const struct local_daemon daemon = {"/nonexistent/nothing", argv, PID_FILE, LOG_FILE};
	struct error error = {0};
	pid_t pid;

	(void)state;
	assert_false(local_daemon_start(&daemon, &pid, &error));
	assert_message_contains(&error, "/nonexistent/nothing");
	assert_false(local_daemon_running(PID_FILE, NULL));
}

static void sweep_finds_by_argument(void **state)
{
	/* One process that stays, whatever else is among its arguments; a shell's child would have them too for a moment. */
	const char *const argv[] = {"tail", "-f", "/dev/null", "unix:/a folder of its own/control.sock", NULL};
	const struct local_daemon daemon = {"/usr/bin/tail", argv, PID_FILE, LOG_FILE};
	struct error error = {0};
	pid_t pid;

	(void)state;
	assert_int_equal(local_daemon_sweep("unix:/a folder of its own/control.sock", 1000), 0);
	assert_ok(local_daemon_start(&daemon, &pid, &error), &error);
	assert_int_equal(local_daemon_sweep("unix:/a folder of its own", 1000), 0);
	assert_int_equal(local_daemon_sweep("unix:/a folder of its own/control.sock", 1000), 1);
	(void)kill(-pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	assert_ok(local_daemon_stop(PID_FILE, 5000, NULL, &error), &error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(runs_until_stopped, clean, clean),
		cmocka_unit_test_setup_teardown(one_that_ignores_sigterm_is_killed, clean, clean),
		cmocka_unit_test_setup_teardown(second_start_is_refused, clean, clean),
		cmocka_unit_test_setup_teardown(stranger_is_left_alone, clean, clean),
		cmocka_unit_test_setup_teardown(missing_program_is_an_error, clean, clean),
		cmocka_unit_test_setup_teardown(sweep_finds_by_argument, clean, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
