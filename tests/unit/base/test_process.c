/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/bytes.h"
#include "base/file.h"
#include "vectors.h"

/*
 * This program is its own child: started with a mode as first argument, it looks at what it was given and tells about it on
 * descriptor 10.
 */
#define REPORT_FD 10
#define SELF "/proc/self/exe"
/* No child takes this long; a broken one must not hang the suite. */
#define PATIENCE_MS 20000

extern char **environ;

static int list_descriptors(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			(void)dprintf(REPORT_FD, "%d ", fd);
	}
	return 0;
}

static int tell_signals(void)
{
	sigset_t blocked;
	struct sigaction action;

	(void)sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int number = 1; number < 32; number++) {
		(void)sigaction(number, NULL, &action);
		/* No handler outlives exec; one that is there now is a sanitizer's. */
		if (sigismember(&blocked, number) || action.sa_handler == SIG_IGN)
			(void)dprintf(REPORT_FD, "%d ", number);
	}
	return 0;
}

static int tell_environment(void)
{
	for (char **entry = environ; *entry; entry++)
		(void)dprintf(REPORT_FD, "%s ", *entry);
	return 0;
}

static int tell_session(void)
{
	(void)dprintf(REPORT_FD, "%s", getsid(0) == getpid() && getpgrp() == getpid() ? "own" : "inherited");
	return 0;
}

/* Placed descriptors: each gets the text that names its number. */
static int write_numbers(void)
{
	(void)dprintf(3, "three");
	(void)dprintf(4, "four");
	(void)dprintf(63, "sixty-three");
	return 0;
}

static int wait_for_end(void)
{
	(void)dprintf(REPORT_FD, "ready");
	while (pause() < 0)
		;
	return 0;
}

static int ignore_sigterm(void)
{
	(void)signal(SIGTERM, SIG_IGN);
	return wait_for_end();
}

static int exit_with_7(void)
{
	return 7;
}

/* A parent whose child is to die with it. */
static int be_a_parent(void)
{
	static const char *const argv[] = {"test", "wait", NULL};
	static const struct process_fd fds[] = {{REPORT_FD, REPORT_FD}};
	const struct process_spawn_options options = {
		.path = SELF, .argv = argv, .fds = fds, .fd_count = 1, .die_with_parent = true};
	pid_t pid;

	if (!process_spawn(&options, &pid, NULL))
		return 1;
	(void)close(REPORT_FD);
	while (pause() < 0)
		;
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} modes[] = {
	{"descriptors", list_descriptors}, {"signals", tell_signals},  {"environment", tell_environment},
	{"session", tell_session},         {"numbers", write_numbers}, {"wait", wait_for_end},
	{"stubborn", ignore_sigterm},      {"seven", exit_with_7},     {"parent", be_a_parent},
};

/* Reads from a child until it has closed its end, or `size` - 1 bytes. */
static void read_report(int fd, char *ret_text, size_t size)
{
	size_t used = 0;

	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		ssize_t got;

		if (poll(&wait, 1, PATIENCE_MS) != 1)
			fail_msg("the child is silent");
		got = read(fd, ret_text + used, size - 1 - used);
		assert_true(got >= 0);
		used += (size_t)got;
		ret_text[used] = 0;
		if (got == 0 || used == size - 1)
			return;
	}
}

static int wait_status(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void make_pipe(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
}

/* Start this program in a mode, with descriptor 10 on a pipe; its reading end is returned. */
static int start(struct process_spawn_options options, const char *mode, pid_t *ret_pid)
{
	const char *argv[] = {"test", mode, NULL};
	struct process_fd fd = {.number = REPORT_FD};
	struct error error = {0};
	int ends[2];

	make_pipe(ends);
	fd.fd = ends[1];
	options.argv = argv;
	options.fds = &fd;
	options.fd_count = 1;
	assert_ok(process_spawn(&options, ret_pid, &error), &error);
	assert_int_equal(close(ends[1]), 0);
	return ends[0];
}

static void run(struct process_spawn_options options, const char *mode, char *ret_report, size_t size)
{
	pid_t pid = -1;
	AUTO_FD int reader = start(options, mode, &pid);

	read_report(reader, ret_report, size);
	assert_int_equal(wait_status(pid), 0);
}

static void test_fds_are_placed(void **state)
{
	static const char *const argv[] = {"test", "numbers", NULL};
	static const char *const expected[] = {"three", "four", "sixty-three"};
	static const int numbers[] = {3, 4, 63};
	int readers[3];
	struct process_fd fds[3];
	const struct process_spawn_options options = {.path = SELF, .argv = argv, .fds = fds, .fd_count = 3};
	struct error error = {0};
	pid_t pid = -1;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		int ends[2];

		make_pipe(ends);
		readers[i] = ends[0];
		fds[i] = (struct process_fd){.fd = ends[1], .number = numbers[i]};
	}
	assert_ok(process_spawn(&options, &pid, &error), &error);
	for (size_t i = 0; i < 3; i++) {
		char text[32];

		assert_int_equal(close(fds[i].fd), 0);
		read_report(readers[i], text, sizeof text);
		assert_string_equal(text, expected[i]);
		assert_int_equal(close(readers[i]), 0);
	}
	assert_int_equal(wait_status(pid), 0);
}

/* What is 3 here shall be 4 there and the other way round; neither may be overwritten before it has moved. */
static void test_fds_are_swapped(void **state)
{
	static const char *const argv[] = {"test", "numbers", NULL};
	int three[2];
	int four[2];
	struct process_fd fds[3] = {{.fd = 3, .number = 4}, {.fd = 4, .number = 3}, {.fd = 3, .number = 63}};
	const struct process_spawn_options options = {.path = SELF, .argv = argv, .fds = fds, .fd_count = 3};
	struct error error = {0};
	char text[64];
	pid_t pid = -1;
	int saved[2];

	(void)state;
	saved[0] = fcntl(3, F_DUPFD_CLOEXEC, 100);
	saved[1] = fcntl(4, F_DUPFD_CLOEXEC, 100);
	make_pipe(three);
	make_pipe(four);
	/* Keep the pipes clear of the numbers under test. */
	for (size_t i = 0; i < 2; i++) {
		three[i] = fcntl(three[i], F_DUPFD_CLOEXEC, 100);
		four[i] = fcntl(four[i], F_DUPFD_CLOEXEC, 100);
	}
	assert_int_equal(dup2(three[1], 3), 3);
	assert_int_equal(dup2(four[1], 4), 4);
	assert_ok(process_spawn(&options, &pid, &error), &error);
	for (int fd = 3; fd < 10; fd++)
		(void)close(fd);
	assert_int_equal(close(three[1]), 0);
	assert_int_equal(close(four[1]), 0);
	assert_int_equal(wait_status(pid), 0);
	read_report(three[0], text, sizeof text);
	assert_string_equal(text, "foursixty-three");
	read_report(four[0], text, sizeof text);
	assert_string_equal(text, "three");
	assert_int_equal(close(three[0]), 0);
	assert_int_equal(close(four[0]), 0);
	for (int i = 0; i < 2; i++) {
		if (saved[i] >= 0)
			assert_int_equal(dup2(saved[i], 3 + i), 3 + i);
		(void)close(saved[i]);
	}
}

/* Strangers' descriptors, low and high, with no close-on-exec: none may be seen by the child. */
static void open_strangers(int ret_strangers[3])
{
	static const int numbers[3] = {20, 70, 200};

	for (size_t i = 0; i < 3; i++) {
		ret_strangers[i] = fcntl(STDIN_FILENO, F_DUPFD, numbers[i]);
		if (ret_strangers[i] < 0)
			ret_strangers[i] = open("/dev/null", O_RDONLY);
	}
}

static void test_nothing_else_is_inherited(void **state)
{
	int strangers[3];
	char report[256];

	(void)state;
	open_strangers(strangers);
	run((struct process_spawn_options){.path = SELF}, "descriptors", report, sizeof report);
	assert_string_equal(report, "0 1 2 10 ");
	for (size_t i = 0; i < 3; i++)
		(void)close(strangers[i]);
}

/* Standard input replaced, as any other number. */
static void test_standard_fds_can_be_placed(void **state)
{
	static const char *const argv[] = {"cat", NULL};
	struct process_fd fds[2];
	const struct process_spawn_options options = {.path = "/bin/cat", .argv = argv, .fds = fds, .fd_count = 2};
	struct error error = {0};
	char text[32];
	int in[2];
	int out[2];
	pid_t pid = -1;

	(void)state;
	make_pipe(in);
	make_pipe(out);
	fds[0] = (struct process_fd){.fd = in[0], .number = STDIN_FILENO};
	fds[1] = (struct process_fd){.fd = out[1], .number = STDOUT_FILENO};
	assert_ok(process_spawn(&options, &pid, &error), &error);
	assert_int_equal(close(in[0]), 0);
	assert_int_equal(close(out[1]), 0);
	assert_true(fd_write_all(in[1], "through cat", 11));
	assert_int_equal(close(in[1]), 0);
	read_report(out[0], text, sizeof text);
	assert_string_equal(text, "through cat");
	assert_int_equal(close(out[0]), 0);
	assert_int_equal(wait_status(pid), 0);
}

/* Kernels before 5.9, like the stock one of an enclave, know no close_range. */
static bool forbid_close_range(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int spawn_without_close_range(int report_fd)
{
	static const char *const argv[] = {"test", "descriptors", NULL};
	const struct process_fd fd = {.fd = report_fd, .number = REPORT_FD};
	const struct process_spawn_options options = {.path = SELF, .argv = argv, .fds = &fd, .fd_count = 1};
	const struct rlimit limit = {1024, 1024};
	int strangers[3];
	int status = -1;
	pid_t pid = -1;

	open_strangers(strangers);
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || !forbid_close_range() || close_range(500, 501, 0) == 0)
		return 1;
	if (!process_spawn(&options, &pid, NULL) || waitpid(pid, &status, 0) != pid)
		return 2;
	return status;
}

static void test_old_kernel(void **state)
{
	char report[256];
	int ends[2];
	pid_t pid;

	(void)state;
	make_pipe(ends);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(spawn_without_close_range(ends[1]));
	assert_int_equal(close(ends[1]), 0);
	read_report(ends[0], report, sizeof report);
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(wait_status(pid), 0);
	assert_string_equal(report, "0 1 2 10 ");
}

static void on_signal(int number)
{
	(void)number;
}

static void test_signals_are_reset(void **state)
{
	char report[256];
	sigset_t blocked;
	sigset_t old;

	(void)state;
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGUSR1);
	(void)sigaddset(&blocked, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &old), 0);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, on_signal);
	run((struct process_spawn_options){.path = SELF}, "signals", report, sizeof report);
	assert_string_equal(report, "");
	/* SIGPIPE alone is inherited. */
	(void)signal(SIGPIPE, SIG_IGN);
	run((struct process_spawn_options){.path = SELF}, "signals", report, sizeof report);
	assert_string_equal(report, "13 ");
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

static void test_environment(void **state)
{
	static const char *const envp[] = {"A=1", "B=two", NULL};
	char report[256];

	(void)state;
	assert_int_equal(setenv("ENSIGN_TEST_LEAK", "x", 1), 0);
	run((struct process_spawn_options){.path = SELF}, "environment", report, sizeof report);
	assert_string_equal(report, "");
	run((struct process_spawn_options){.path = SELF, .envp = envp}, "environment", report, sizeof report);
	assert_string_equal(report, "A=1 B=two ");
	assert_int_equal(unsetenv("ENSIGN_TEST_LEAK"), 0);
}

static void test_session(void **state)
{
	char report[32];

	(void)state;
	run((struct process_spawn_options){.path = SELF}, "session", report, sizeof report);
	assert_string_equal(report, "inherited");
	run((struct process_spawn_options){.path = SELF, .new_session = true}, "session", report, sizeof report);
	assert_string_equal(report, "own");
}

static void test_executable_fd(void **state)
{
	AUTO_FD int executable = open(SELF, O_RDONLY | O_CLOEXEC);
	char report[64];

	(void)state;
	assert_true(executable >= 0);
	run((struct process_spawn_options){.executable_fd = executable}, "descriptors", report, sizeof report);
	assert_string_equal(report, "0 1 2 10 ");
}

static void assert_spawn_fails(const struct process_spawn_options *options, enum error_code code, const char *name, const char *why)
{
	struct error error = {0};
	pid_t pid = 42;

	assert_false(process_spawn(options, &pid, &error));
	assert_int_equal(error.code, code);
	assert_message_contains(&error, name);
	assert_message_contains(&error, why);
	assert_int_equal(pid, 42);
	/* No zombie stays behind. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_spawn_failures_are_reported(void **state)
{
	static const char *const argv[] = {"the-program", "wait", NULL};
	static const struct process_fd closed = {.fd = 999, .number = 3};
	static const struct process_fd high = {.fd = 0, .number = 64};
	static const struct process_fd negative = {.fd = 0, .number = -1};
	static const struct process_fd many[65];
	struct process_spawn_options options = {.path = "/no/such/program", .argv = argv};

	(void)state;
	assert_spawn_fails(&options, ERROR_IO, "/no/such/program", "No such file");
	options.path = "/dev/null";
	assert_spawn_fails(&options, ERROR_IO, "/dev/null", "Permission denied");
	options.path = NULL;
	options.executable_fd = 999;
	assert_spawn_fails(&options, ERROR_IO, "the-program", "Bad file descriptor");
	options.path = SELF;
	options.fds = &closed;
	options.fd_count = 1;
	assert_spawn_fails(&options, ERROR_IO, SELF, "Bad file descriptor");
	options.fds = &high;
	assert_spawn_fails(&options, ERROR_BUG, SELF, "64");
	options.fds = &negative;
	assert_spawn_fails(&options, ERROR_BUG, SELF, "-1");
	options.fds = many;
	options.fd_count = ARRAY_SIZE(many);
	assert_spawn_fails(&options, ERROR_BUG, SELF, "too many");
}

static void read_ready(int fd)
{
	char text[6];

	read_report(fd, text, sizeof text);
	assert_string_equal(text, "ready");
}

static void test_stop(void **state)
{
	pid_t pid = -1;
	AUTO_FD int reader = start((struct process_spawn_options){.path = SELF}, "wait", &pid);
	int status;

	(void)state;
	read_ready(reader);
	assert_true(process_alive(pid));
	status = process_stop(pid, PATIENCE_MS);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	assert_false(process_alive(pid));
}

static void test_stop_kills_the_stubborn(void **state)
{
	pid_t pid = -1;
	AUTO_FD int reader = start((struct process_spawn_options){.path = SELF}, "stubborn", &pid);
	int status;

	(void)state;
	read_ready(reader);
	status = process_stop(pid, 50);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_false(process_alive(pid));
}

static void test_stop_of_the_dead(void **state)
{
	pid_t pid = -1;
	AUTO_FD int reader = start((struct process_spawn_options){.path = SELF}, "seven", &pid);
	char text[8];
	int status;

	(void)state;
	read_report(reader, text, sizeof text);
	/* It has closed its end, so it is ending; its own status is what counts, and a second stop does no harm. */
	(void)usleep(20000);
	status = process_stop(pid, PATIENCE_MS);
	assert_true(WIFEXITED(status) ? WEXITSTATUS(status) == 7 : WTERMSIG(status) == SIGTERM);
	assert_int_equal(process_stop(pid, PATIENCE_MS), 0);
}

static void test_dies_with_parent(void **state)
{
	pid_t pid = -1;
	AUTO_FD int reader = start((struct process_spawn_options){.path = SELF}, "parent", &pid);
	char text[8];

	(void)state;
	read_ready(reader);
	(void)process_stop(pid, PATIENCE_MS);
	/* Only the grandchild still had the pipe: its end is the grandchild's end. */
	read_report(reader, text, sizeof text);
	assert_string_equal(text, "");
}

static void test_alive(void **state)
{
	(void)state;
	assert_true(process_alive(getpid()));
	assert_true(process_alive(1));
	assert_false(process_alive(0));
	assert_false(process_alive(-1));
	assert_false(process_alive(-getpid()));
}

static int check_hardening(void)
{
	struct rlimit core = {1, 1};
	struct error error = {0};

	if (!process_harden(&error))
		return 1;
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 || core.rlim_max != 0)
		return 2;
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 3;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 4;
}

static void test_harden(void **state)
{
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(check_hardening());
	assert_int_equal(wait_status(pid), 0);
}

static int check_descriptor_limit(void)
{
	const struct rlimit low = {100, 200};
	struct rlimit now;

	if (setrlimit(RLIMIT_NOFILE, &low) != 0 || process_raise_descriptor_limit() != 200)
		return 1;
	return getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 200 && now.rlim_max == 200 ? 0 : 2;
}

static void test_descriptor_limit_is_raised(void **state)
{
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(check_descriptor_limit());
	assert_int_equal(wait_status(pid), 0);
}

/* The effective set as the kernel shows it, with and without what root has to lose. */
static int check_no_capabilities(void)
{
	AUTO_BUFFER struct buffer status = {0};
	struct error error = {0};

	if (!process_drop_capabilities(&error) || !file_read("/proc/self/status", 65536, &status, &error))
		return 1;
	return strstr(buffer_text(&status), "CapEff:\t0000000000000000\n") &&
			       strstr(buffer_text(&status), "CapPrm:\t0000000000000000\n")
		       ? 0
		       : 2;
}

/* The same with one that stays, where there are any to keep. */
static int check_one_capability(void)
{
	AUTO_BUFFER struct buffer status = {0};
	struct error error = {0};

	if (geteuid() != 0)
		return process_keep_capabilities(UINT64_C(1) << 22, &error) ? 2 : 0;
	if (!process_keep_capabilities(UINT64_C(1) << 22, &error) || !file_read("/proc/self/status", 65536, &status, &error))
		return 1;
	return strstr(buffer_text(&status), "CapEff:\t0000000000400000\n") &&
			       strstr(buffer_text(&status), "CapPrm:\t0000000000400000\n")
		       ? 0
		       : 2;
}

static void test_one_capability_is_kept(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(check_one_capability());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_capabilities_are_given_up(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(check_no_capabilities());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_executable_folder(void **state)
{
	struct error error = {0};
	AUTO_FREE char *folder = process_executable_folder(&error);
	AUTO_FREE char *program = NULL;
	AUTO_FREE char *self = realpath(SELF, NULL);

	(void)state;
	assert_ok(folder != NULL, &error);
	assert_int_equal(folder[0], '/');
	assert_int_not_equal(folder[strlen(folder) - 1], '/');
	program = memory_format("%s/%s", folder, strrchr(self, '/') + 1);
	assert_string_equal(program, self);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fds_are_placed),
		cmocka_unit_test(test_fds_are_swapped),
		cmocka_unit_test(test_nothing_else_is_inherited),
		cmocka_unit_test(test_standard_fds_can_be_placed),
		cmocka_unit_test(test_old_kernel),
		cmocka_unit_test(test_signals_are_reset),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_executable_fd),
		cmocka_unit_test(test_spawn_failures_are_reported),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_kills_the_stubborn),
		cmocka_unit_test(test_stop_of_the_dead),
		cmocka_unit_test(test_dies_with_parent),
		cmocka_unit_test(test_alive),
		cmocka_unit_test(test_harden),
		cmocka_unit_test(test_descriptor_limit_is_raised),
		cmocka_unit_test(test_capabilities_are_given_up),
		cmocka_unit_test(test_one_capability_is_kept),
		cmocka_unit_test(test_executable_folder),
	};

	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(modes); i++) {
		if (strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run();
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
