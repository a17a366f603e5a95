/* SPDX-License-Identifier: Apache-2.0 */
/* The filters for real: each attempt runs in a child that enters the role's sandbox, and the way it ends is what counts. */
#include "enclave/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vectors.h"

#define ENDED_WELL 0

/* Each attempt returns the errno of the call (0: it worked), if it returns at all. */
static int try_internet_socket(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : errno;
}

static int try_netlink_socket(void)
{
	return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0) >= 0 ? 0 : errno;
}

static int try_unix_socket(void)
{
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : errno;
}

static int try_terminal(void)
{
	return syscall(SYS_ioctl, 0, TIOCSTI, "x") >= 0 ? 0 : errno;
}

static int try_signal_to_neighbour(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0) >= 0 ? 0 : errno;
}

static int try_signal_to_itself(void)
{
	return syscall(SYS_tgkill, getpid(), getpid(), 0) >= 0 ? 0 : errno;
}

static int try_file_size(void)
{
	struct stat status;

	return fstat(STDERR_FILENO, &status) == 0 ? 0 : errno;
}

static int try_open(void)
{
	return syscall(SYS_open, "/etc/passwd", O_RDONLY) >= 0 ? 0 : errno;
}

static int try_openat(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY) >= 0 ? 0 : errno;
}

static int try_execve(void)
{
	static char *const arguments[] = {NULL};

	(void)syscall(SYS_execve, "/bin/true", arguments, arguments);
	return errno;
}

static int try_fork(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid > 0 ? 0 : errno;
}

static int try_ptrace(void)
{
	return syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) >= 0 ? 0 : errno;
}

static int try_executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ? 0 : errno;
}

static int try_connect(void)
{
	return syscall(SYS_connect, 0, NULL, 0) >= 0 ? 0 : errno;
}

static int try_kill(void)
{
	return syscall(SYS_kill, getppid(), 0) >= 0 ? 0 : errno;
}

static int try_memory_and_time(void)
{
	void *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct timespec now;

	if (memory == MAP_FAILED || clock_gettime(CLOCK_REALTIME, &now) != 0)
		return errno;
	return munmap(memory, 1 << 20) == 0 ? 0 : errno;
}

/* -SIGNAL when a signal ended the child, else the errno that the attempt saw. */
static int outcome_in_sandbox(enum sandbox_role role, int (*attempt)(void))
{
	struct error error = {0};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (!sandbox_enter(role, &error))
			_exit(255);
		_exit(attempt());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
}

#define KILLED (-SIGSYS)

static const struct expectation {
	const char *what;
	int (*attempt)(void);
	int outcome[SANDBOX_ROLE_COUNT]; /* by role; only the confined ones are looked at */
} expectations[] = {
	{"internet socket",
	 try_internet_socket,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = KILLED,
	  [SANDBOX_LEDGER] = KILLED,
	  [SANDBOX_CONTROL] = KILLED,
	  [SANDBOX_OPENER] = KILLED,
	  [SANDBOX_ATTESTER] = KILLED}},
	{"netlink socket",
	 try_netlink_socket,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = KILLED,
	  [SANDBOX_LEDGER] = KILLED,
	  [SANDBOX_CONTROL] = KILLED,
	  [SANDBOX_OPENER] = KILLED,
	  [SANDBOX_ATTESTER] = KILLED}},
	{"unix socket",
	 try_unix_socket,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = KILLED,
	  [SANDBOX_LEDGER] = KILLED,
	  [SANDBOX_CONTROL] = KILLED,
	  [SANDBOX_OPENER] = 0,
	  [SANDBOX_ATTESTER] = KILLED}},
	{"open",
	 try_open,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = ENOENT,
	  [SANDBOX_LEDGER] = ENOENT,
	  [SANDBOX_CONTROL] = ENOENT,
	  [SANDBOX_OPENER] = ENOENT,
	  [SANDBOX_ATTESTER] = ENOENT}},
	{"openat",
	 try_openat,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = ENOENT,
	  [SANDBOX_LEDGER] = ENOENT,
	  [SANDBOX_CONTROL] = ENOENT,
	  [SANDBOX_OPENER] = ENOENT,
	  [SANDBOX_ATTESTER] = ENOENT}},
	{"execve",
	 try_execve,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = KILLED,
	  [SANDBOX_LEDGER] = KILLED,
	  [SANDBOX_CONTROL] = KILLED,
	  [SANDBOX_OPENER] = KILLED,
	  [SANDBOX_ATTESTER] = KILLED}},
	{"fork",
	 try_fork,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = KILLED,
	  [SANDBOX_LEDGER] = KILLED,
	  [SANDBOX_CONTROL] = KILLED,
	  [SANDBOX_OPENER] = KILLED,
	  [SANDBOX_ATTESTER] = KILLED}},
	{"ptrace",
	 try_ptrace,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = KILLED,
	  [SANDBOX_LEDGER] = KILLED,
	  [SANDBOX_CONTROL] = KILLED,
	  [SANDBOX_OPENER] = KILLED,
	  [SANDBOX_ATTESTER] = KILLED}},
	{"kill",
	 try_kill,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = KILLED,
	  [SANDBOX_LEDGER] = KILLED,
	  [SANDBOX_CONTROL] = KILLED,
	  [SANDBOX_OPENER] = KILLED,
	  [SANDBOX_ATTESTER] = KILLED}},
	{"executable memory",
	 try_executable_memory,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = KILLED,
	  [SANDBOX_LEDGER] = KILLED,
	  [SANDBOX_CONTROL] = KILLED,
	  [SANDBOX_OPENER] = KILLED,
	  [SANDBOX_ATTESTER] = KILLED}},
	{"connect",
	 try_connect,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = KILLED,
	  [SANDBOX_LEDGER] = KILLED,
	  [SANDBOX_CONTROL] = KILLED,
	  [SANDBOX_OPENER] = ENOTSOCK,
	  [SANDBOX_ATTESTER] = KILLED}},
	{"terminal",
	 try_terminal,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = KILLED,
	  [SANDBOX_LEDGER] = KILLED,
	  [SANDBOX_CONTROL] = KILLED,
	  [SANDBOX_OPENER] = KILLED,
	  [SANDBOX_ATTESTER] = KILLED}},
	{"signal to a neighbour",
	 try_signal_to_neighbour,
	 {[SANDBOX_KEEPER] = KILLED,
	  [SANDBOX_FRONTEND] = KILLED,
	  [SANDBOX_LEDGER] = KILLED,
	  [SANDBOX_CONTROL] = KILLED,
	  [SANDBOX_OPENER] = KILLED,
	  [SANDBOX_ATTESTER] = KILLED}},
	{"signal to itself",
	 try_signal_to_itself,
	 {[SANDBOX_KEEPER] = 0,
	  [SANDBOX_FRONTEND] = 0,
	  [SANDBOX_LEDGER] = 0,
	  [SANDBOX_CONTROL] = 0,
	  [SANDBOX_OPENER] = 0,
	  [SANDBOX_ATTESTER] = 0}},
	{"size of an open file",
	 try_file_size,
	 {[SANDBOX_KEEPER] = 0,
	  [SANDBOX_FRONTEND] = 0,
	  [SANDBOX_LEDGER] = 0,
	  [SANDBOX_CONTROL] = 0,
	  [SANDBOX_OPENER] = 0,
	  [SANDBOX_ATTESTER] = 0}},
	{"memory and time",
	 try_memory_and_time,
	 {[SANDBOX_KEEPER] = 0,
	  [SANDBOX_FRONTEND] = 0,
	  [SANDBOX_LEDGER] = 0,
	  [SANDBOX_CONTROL] = 0,
	  [SANDBOX_OPENER] = 0,
	  [SANDBOX_ATTESTER] = 0}},
};

static void check_role(enum sandbox_role role)
{
	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++) {
		int outcome = outcome_in_sandbox(role, expectations[i].attempt);

		if (outcome != expectations[i].outcome[role])
			fail_msg("%s: outcome %d, expected %d", expectations[i].what, outcome, expectations[i].outcome[role]);
	}
}

static void keeper_is_killed_for_what_it_does_not_need(void **state)
{
	(void)state;
	check_role(SANDBOX_KEEPER);
}

static void frontend_cannot_open_or_execute(void **state)
{
	(void)state;
	check_role(SANDBOX_FRONTEND);
}

static void ledger_reaches_nothing_new(void **state)
{
	(void)state;
	check_role(SANDBOX_LEDGER);
}

static void control_is_confined(void **state)
{
	(void)state;
	check_role(SANDBOX_CONTROL);
}

static void opener_connects_to_the_parent_but_opens_no_file(void **state)
{
	(void)state;
	check_role(SANDBOX_OPENER);
}

static void attester_reaches_nothing_new(void **state)
{
	(void)state;
	check_role(SANDBOX_ATTESTER);
}

static void init_cannot_trace(void **state)
{
	(void)state;
	assert_int_equal(outcome_in_sandbox(SANDBOX_INIT, try_ptrace), KILLED);
	assert_int_equal(outcome_in_sandbox(SANDBOX_INIT, try_fork), ENDED_WELL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeper_is_killed_for_what_it_does_not_need),
		cmocka_unit_test(frontend_cannot_open_or_execute),
		cmocka_unit_test(ledger_reaches_nothing_new),
		cmocka_unit_test(control_is_confined),
		cmocka_unit_test(opener_connects_to_the_parent_but_opens_no_file),
		cmocka_unit_test(attester_reaches_nothing_new),
		cmocka_unit_test(init_cannot_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
