/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/process.h"
#include "host/isolated_spawn.h"
#include "host_fixture.h"

#define ALL_WRITE_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static struct launcher *start(const struct launch_options *options)
{
	struct error error = {0};
	struct launcher *launcher = launcher_new("process", options, &error);

	assert_ok(launcher != NULL, &error);
	assert_ok(launcher->operations->start(launcher, &error), &error);
	return launcher;
}

static void wait_for_file(const struct host_fixture *fixture, const char *name)
{
	uint64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
	char path[SETTINGS_PATH_SIZE];

	fixture_path(fixture, name, path);
	while (!file_exists(path) && clock_monotonic_ms() < deadline_ms)
		(void)usleep(5000);
	assert_true(file_exists(path));
}

static void wait_for_end(struct launcher *launcher, char *ret_how, size_t size)
{
	struct pollfd ended = {.fd = launcher->operations->watch_fd(launcher), .events = POLLIN};

	assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
	assert_true(launcher->operations->reap(launcher, ret_how, size));
	assert_int_equal(launcher->operations->pid(launcher), 0);
}

static json_int_t number(const json_t *report, const char *name)
{
	assert_true(json_is_integer(json_object_get(report, name)));
	return json_integer_value(json_object_get(report, name));
}

/* The simulator, an ordinary process of the same user, measures the enclave through /proc. */
static void assert_measurable(pid_t pid)
{
	AUTO_FREE char *exe = memory_format("/proc/%d/exe", (int)pid);
	AUTO_FREE char *configuration = memory_format("/proc/%d/fd/3", (int)pid);
	AUTO_FD int exe_fd = open(exe, O_RDONLY | O_CLOEXEC);
	AUTO_FD int configuration_fd = open(configuration, O_RDONLY | O_CLOEXEC);
	char text[64] = {0};

	assert_true(exe_fd >= 0);
	assert_true(configuration_fd >= 0);
	assert_int_equal(fcntl(configuration_fd, F_GET_SEALS), ALL_WRITE_SEALS);
	assert_true(pread(configuration_fd, text, sizeof text - 1, 0) > 0);
	assert_string_equal(text, "{\"mode\":\"serve\"}");
}

static void gives_what_was_promised_and_nothing_else(void **state)
{
	struct host_fixture *fixture = *state;
	struct launch_options options = fixture_launch_options(fixture);
	AUTO_FD int stray = open("/dev/null", O_RDONLY); /* without close-on-exec */
	struct launcher *launcher = start(&options);
	AUTO_JSON json_t *report = NULL;

	assert_true(stray >= 0);
	wait_for_file(fixture, "run/control.sock");
	report = fixture_read_json(fixture, "store/report.json");
	assert_int_equal(number(report, "environment"), 0);
	assert_int_equal(number(report, "descriptors"), 4);
	assert_int_equal(number(report, "seals"), ALL_WRITE_SEALS);
	assert_true(json_is_false(json_object_get(report, "writable")));
	assert_int_equal(number(report, "session"), 1);
	assert_string_equal(json_string_value(json_object_get(report, "stdin")), "/dev/null");
	assert_measurable(launcher->operations->pid(launcher));
	if (!launcher->operations->weakness(launcher)) {
		assert_int_equal(number(report, "pid"), 1);
		assert_true(json_is_false(json_object_get(report, "sees_pid_2")));
	}
	launcher_free(launcher);
}

static void terminates(void **state)
{
	struct host_fixture *fixture = *state;
	struct launch_options options = fixture_launch_options(fixture);
	struct launcher *launcher = start(&options);
	char how[128] = "";

	wait_for_file(fixture, "run/control.sock");
	assert_false(launcher->operations->reap(launcher, how, sizeof how));
	launcher->operations->terminate(launcher);
	wait_for_end(launcher, how, sizeof how);
	assert_string_equal(how, "ended with status 0");
	assert_false(file_exists(options.control.path));
	launcher_free(launcher);
}

static void kills(void **state)
{
	struct host_fixture *fixture = *state;
	struct launch_options options = fixture_launch_options(fixture);
	struct launcher *launcher;
	char how[128] = "";

	fixture_configure(fixture, "{\"mode\":\"serve\",\"stubborn\":true}");
	launcher = start(&options);
	wait_for_file(fixture, "run/control.sock");
	launcher->operations->terminate(launcher);
	(void)usleep(50000);
	assert_false(launcher->operations->reap(launcher, how, sizeof how));
	launcher->operations->kill(launcher);
	wait_for_end(launcher, how, sizeof how);
	assert_string_equal(how, "was killed by signal 9 (Killed)");
	launcher_free(launcher);
}

static void starts_again(void **state)
{
	struct host_fixture *fixture = *state;
	struct launch_options options = fixture_launch_options(fixture);
	struct error error = {0};
	struct launcher *launcher;
	char how[128] = "";

	fixture_configure(fixture, "{\"mode\":\"die\",\"always\":true}");
	launcher = start(&options);
	wait_for_end(launcher, how, sizeof how);
	assert_string_equal(how, "ended with status 2");
	assert_ok(launcher->operations->start(launcher, &error), &error);
	wait_for_end(launcher, how, sizeof how);
	assert_int_equal(fixture_start_count(fixture), 2);
	launcher_free(launcher);
}

/* Also at a host's own death, so that no enclave is left behind that nobody watches. */
static void dies_with_the_host(void **state)
{
	struct host_fixture *fixture = *state;
	struct launch_options options = fixture_launch_options(fixture);
	int report[2];
	pid_t enclave = 0;
	pid_t host;

	/* The orphan is handed to this process, which so sees its end. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	host = fork();
	assert_true(host >= 0);
	if (host == 0) {
		struct launcher *launcher = start(&options);
		pid_t pid = launcher->operations->pid(launcher);

		(void)!write(report[1], &pid, sizeof pid);
		for (;;)
			(void)pause();
	}
	assert_true(fd_read_all(report[0], &enclave, sizeof enclave));
	wait_for_file(fixture, "run/control.sock");
	assert_int_equal(kill(host, SIGKILL), 0);
	assert_int_equal(waitpid(host, NULL, 0), host);
	assert_int_equal(waitpid(enclave, NULL, 0), enclave);
	(void)close(report[0]);
	(void)close(report[1]);
}

static void every_level_of_isolation_runs_the_program(void **state)
{
	struct host_fixture *fixture = *state;
	const char *const argv[] = {"true", NULL};
	size_t weakest = 0;

	while (isolated_spawn_weakness(weakest) == NULL || isolated_spawn_owns_descendants(weakest))
		weakest++;
	for (size_t level = 0; level <= weakest; level++) {
		AUTO_FD int fd = open(fixture->settings.configuration, O_RDONLY | O_CLOEXEC);
		const struct isolated_spawn_options options = {.path = "/bin/true", .argv = argv, .fd = fd};
		struct isolated_child child = {0};
		struct error error = {0};
		int status;

		assert_ok(isolated_spawn(&options, level, &child, &error), &error);
		assert_true(child.level >= level);
		assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		(void)close(child.pidfd);
	}
}

static void missing_things_are_named(void **state)
{
	struct host_fixture *fixture = *state;
	struct launch_options options = fixture_launch_options(fixture);
	struct error error = {0};
	struct launcher *launcher;

	assert_null(launcher_new("docker", &options, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "docker is not one of: process");
	options.program = "/nonexistent/program";
	assert_null(launcher_new("process", &options, &error));
	assert_message_contains(&error, "/nonexistent/program");
	options.program = fixture->settings.configuration; /* is there, but no program */
	launcher = launcher_new("process", &options, &error);
	assert_ok(launcher != NULL, &error);
	assert_false(launcher->operations->start(launcher, &error));
	assert_message_contains(&error, "Permission denied");
	assert_int_equal(launcher->operations->pid(launcher), 0);
	(void)unlink(fixture->settings.configuration);
	assert_false(launcher->operations->start(launcher, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	launcher_free(launcher);
	assert_null(launcher_new("process", &options, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(gives_what_was_promised_and_nothing_else),
		HOST_TEST(terminates),
		HOST_TEST(kills),
		HOST_TEST(starts_again),
		HOST_TEST(dies_with_the_host),
		HOST_TEST(every_level_of_isolation_runs_the_program),
		HOST_TEST(missing_things_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
