/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model is OpenSSH's sandbox-seccomp-filter.c: an allow-list, and death for the rest. The common list is what a process needs
 * that only talks over descriptors it already has. Executable memory can be made by nobody.
 */
#include "enclave/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"

/* Signals, memory, time, waiting and moving bytes on open descriptors. */
static const int common_calls[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(close),
	SCMP_SYS(shutdown),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(futex),
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(fstat),
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(sched_getaffinity), /* malloc asks it how many arenas to make */
};

/* Serve connections that arrive on a socket that init bound; threads of libmicrohttpd. */
static const int frontend_calls[] = {
	SCMP_SYS(accept4),      SCMP_SYS(accept),          SCMP_SYS(listen),         SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),  SCMP_SYS(getsockopt),      SCMP_SYS(setsockopt),     SCMP_SYS(epoll_create1),
	SCMP_SYS(eventfd2),     SCMP_SYS(fcntl),           SCMP_SYS(getrusage),      SCMP_SYS(times),
	SCMP_SYS(clock_getres), SCMP_SYS(set_tid_address), SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler),
	SCMP_SYS(sysinfo), /* qsort asks it how much memory it may take */
};

/* SQLite on files that are open already (exclusive locking: no further file is ever opened). */
static const int ledger_calls[] = {
	SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(fsync),   SCMP_SYS(fdatasync), SCMP_SYS(ftruncate),
	SCMP_SYS(lseek),   SCMP_SYS(fcntl),    SCMP_SYS(geteuid), SCMP_SYS(fallocate),
};

/* Serve connections of the parent on a socket that is listening already. */
static const int control_calls[] = {
	SCMP_SYS(accept4),    SCMP_SYS(accept), SCMP_SYS(fcntl),   SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt), SCMP_SYS(mlock),  SCMP_SYS(munlock),
};

/* TLS connections to AWS. bind, listen and dup3: net/curl_socket.h says what for. */
static const int connecting_calls[] = {
	SCMP_SYS(bind),   SCMP_SYS(listen),      SCMP_SYS(dup3),        SCMP_SYS(connect),    SCMP_SYS(accept4),
	SCMP_SYS(accept), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(fcntl),  SCMP_SYS(pread64),     SCMP_SYS(eventfd2),    SCMP_SYS(pipe2),      SCMP_SYS(uname),
	SCMP_SYS(lseek),  SCMP_SYS(getuid),      SCMP_SYS(geteuid),     SCMP_SYS(getgid),     SCMP_SYS(getegid),
	SCMP_SYS(mlock),  SCMP_SYS(munlock),     SCMP_SYS(sysinfo),     SCMP_SYS(fadvise64),
};

/*
 * Libraries look for optional files, and malloc for the kernel's overcommit setting when it shrinks a thread's heap. For these
 * roles the answer is that there are none.
 */
static const int file_calls[] = {
	SCMP_SYS(open),       SCMP_SYS(openat), SCMP_SYS(openat2),  SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(stat),   SCMP_SYS(lstat),    SCMP_SYS(statx),  SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
};

/* What no process of the enclave needs after boot, init included. */
static const int init_denied_calls[] = {
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(kcmp),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(swapon),
	SCMP_SYS(acct),
	SCMP_SYS(mount),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount),
	SCMP_SYS(fspick),
	SCMP_SYS(move_mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(io_uring_setup),
};

#define BIT(role) (1u << (role))
#define CONFINED                                                                                                                   \
	(BIT(SANDBOX_FRONTEND) | BIT(SANDBOX_KEEPER) | BIT(SANDBOX_LEDGER) | BIT(SANDBOX_LEDGER_REMOTE) | BIT(SANDBOX_CONTROL) |   \
	 BIT(SANDBOX_OPENER) | BIT(SANDBOX_ATTESTER))
#define CONNECTING (BIT(SANDBOX_OPENER) | BIT(SANDBOX_LEDGER_REMOTE))
#define NSM_IOCTL 0xc0200a00u

/*
 * Calls that depend on one argument. An fstat() of glibc 2.36 is newfstatat() with an empty path. Sockets are only those that
 * lead to the parent. clone3's flags lie in memory where a filter cannot see them: ENOSYS makes glibc fall back to clone, whose
 * flags say that it makes a thread. Thread names are all that prctl is for.
 */
static const struct conditional {
	uint32_t roles;
	int call;
	uint32_t action;
	struct scmp_arg_cmp condition;
} conditionals[] = {
	{CONFINED, SCMP_SYS(mmap), SCMP_ACT_ALLOW, {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}},
	{CONFINED, SCMP_SYS(mprotect), SCMP_ACT_ALLOW, {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}},
	{CONFINED, SCMP_SYS(newfstatat), SCMP_ACT_ALLOW, {3, SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH}},
	{CONFINED & ~BIT(SANDBOX_KEEPER), SCMP_SYS(newfstatat), SCMP_ACT_ERRNO(ENOENT), {3, SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, 0}},
	{BIT(SANDBOX_FRONTEND), SCMP_SYS(clone3), SCMP_ACT_ERRNO(ENOSYS), {1, SCMP_CMP_GE, 0, 0}},
	{BIT(SANDBOX_FRONTEND), SCMP_SYS(clone), SCMP_ACT_ALLOW, {0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD}},
	{BIT(SANDBOX_FRONTEND), SCMP_SYS(prctl), SCMP_ACT_ALLOW, {0, SCMP_CMP_EQ, PR_SET_NAME, 0}},
	{CONNECTING, SCMP_SYS(socket), SCMP_ACT_ALLOW, {0, SCMP_CMP_EQ, AF_UNIX, 0}},
	{CONNECTING, SCMP_SYS(socket), SCMP_ACT_ALLOW, {0, SCMP_CMP_EQ, AF_VSOCK, 0}},
	{CONNECTING, SCMP_SYS(socketpair), SCMP_ACT_ALLOW, {0, SCMP_CMP_EQ, AF_UNIX, 0}},
	{CONNECTING, SCMP_SYS(ioctl), SCMP_ACT_ALLOW, {1, SCMP_CMP_EQ, FIONBIO, 0}},
	{BIT(SANDBOX_OPENER) | BIT(SANDBOX_ATTESTER), SCMP_SYS(ioctl), SCMP_ACT_ALLOW, {1, SCMP_CMP_EQ, NSM_IOCTL, 0}},
};

struct call_list {
	const int *calls;
	size_t count;
	uint32_t action;
};

#define LIST(calls, action)                                                                                                        \
	{                                                                                                                          \
		(calls), ARRAY_SIZE(calls), (action)                                                                               \
	}

static const struct role_rules {
	uint32_t default_action;
	struct call_list lists[4];
} rules[SANDBOX_ROLE_COUNT] = {
	[SANDBOX_INIT] = {SCMP_ACT_ALLOW, {LIST(init_denied_calls, SCMP_ACT_KILL_PROCESS)}},
	[SANDBOX_FRONTEND] = {SCMP_ACT_KILL_PROCESS,
			      {LIST(common_calls, SCMP_ACT_ALLOW), LIST(frontend_calls, SCMP_ACT_ALLOW),
			       LIST(file_calls, SCMP_ACT_ERRNO(ENOENT))}},
	[SANDBOX_KEEPER] = {SCMP_ACT_KILL_PROCESS, {LIST(common_calls, SCMP_ACT_ALLOW)}},
	[SANDBOX_LEDGER] = {SCMP_ACT_KILL_PROCESS,
			    {LIST(common_calls, SCMP_ACT_ALLOW), LIST(ledger_calls, SCMP_ACT_ALLOW),
			     LIST(file_calls, SCMP_ACT_ERRNO(ENOENT))}},
	[SANDBOX_LEDGER_REMOTE] = {SCMP_ACT_KILL_PROCESS,
				   {LIST(common_calls, SCMP_ACT_ALLOW), LIST(connecting_calls, SCMP_ACT_ALLOW),
				    LIST(file_calls, SCMP_ACT_ERRNO(ENOENT))}},
	[SANDBOX_CONTROL] = {SCMP_ACT_KILL_PROCESS,
			     {LIST(common_calls, SCMP_ACT_ALLOW), LIST(control_calls, SCMP_ACT_ALLOW),
			      LIST(file_calls, SCMP_ACT_ERRNO(ENOENT))}},
	[SANDBOX_ATTESTER] = {SCMP_ACT_KILL_PROCESS,
			      {LIST(common_calls, SCMP_ACT_ALLOW), LIST(file_calls, SCMP_ACT_ERRNO(ENOENT))}},
	[SANDBOX_OPENER] = {SCMP_ACT_KILL_PROCESS,
			    {LIST(common_calls, SCMP_ACT_ALLOW), LIST(connecting_calls, SCMP_ACT_ALLOW),
			     LIST(file_calls, SCMP_ACT_ERRNO(ENOENT))}},
};

static int add_list(scmp_filter_ctx filter, const struct call_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		int result = seccomp_rule_add(filter, list->action, list->calls[i], 0);

		if (result != 0)
			return result;
	}
	return 0;
}

static int add_conditionals(scmp_filter_ctx filter, enum sandbox_role role)
{
	for (size_t i = 0; i < ARRAY_SIZE(conditionals); i++) {
		const struct conditional *rule = &conditionals[i];
		int result = 0;

		if (rule->roles & BIT(role))
			result = seccomp_rule_add_array(filter, rule->action, rule->call, 1, &rule->condition);
		if (result != 0)
			return result;
	}
	return 0;
}

/* abort() signals its own thread; a neighbour is not to be stopped. */
static int add_own_signals(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}

static int fill_filter(scmp_filter_ctx filter, enum sandbox_role role)
{
	/* All threads at once; a syscall of another architecture is as bad as a forbidden one. */
	int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; result == 0 && i < ARRAY_SIZE(rules[role].lists); i++)
		result = add_list(filter, &rules[role].lists[i]);
	if (result == 0)
		result = add_conditionals(filter, role);
	if (result == 0 && BIT(role) & CONFINED)
		result = add_own_signals(filter);
	return result;
}

bool sandbox_enter(enum sandbox_role role, struct error *error)
{
	scmp_filter_ctx filter;
	int result;

	if ((unsigned)role >= SANDBOX_ROLE_COUNT)
		return error_set(error, ERROR_BUG, "no sandbox for role %d", (int)role);
	filter = seccomp_init(rules[role].default_action);
	if (!filter)
		return error_set(error, ERROR_IO, "cannot make a seccomp filter");
	result = fill_filter(filter, role);
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	if (result != 0) {
		errno = -result;
		return error_set_errno(error, ERROR_IO, "cannot enter the seccomp sandbox");
	}
	return true;
}
