/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client against a driver: ioctls of the thread under test are handed to this one (seccomp's user notifications), which reads the argument as
 * linux/nsm.h lays it out, by offset, and answers as drivers/misc/nsm.c does.
 */
#include "vectors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "attestation/nsm_wire.h"

#define NUMBER 0xc0200a00u
#define CAPACITY 0x3000
#define PATIENCE_MS 30000

/* What the driver does with the next request. */
struct answer {
	int problem; /* an errno; else: */
	struct nsm_response response;
	bool is_full; /* says that all the room was needed */
};

struct driver {
	const struct answer *answer;
	int listener;
	uint8_t request[NSM_REQUEST_MAX_SIZE];
	size_t request_size;
};

struct caller {
	bool (*call)(struct nsm *nsm, struct error *error);
	pthread_t thread;
	int listener_pipe[2];
	bool ok;
	struct error error;
};

/* For this thread alone. -1 where the kernel does not have it. */
static int install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NUMBER, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {ARRAY_SIZE(code), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void *caller_main(void *context)
{
	struct caller *caller = (struct caller *)context;
	int listener = install_filter();
	AUTO_NSM struct nsm *nsm = NULL;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (write(caller->listener_pipe[1], &listener, sizeof listener) != (ssize_t)sizeof listener || listener < 0)
		return NULL;
	nsm = nsm_from_fd(fd, true, &caller->error);
	caller->ok = nsm && caller->call(nsm, &caller->error);
	return NULL;
}

/* As a driver copies: through the kernel, which ThreadSanitizer takes for no access of this thread's. */
static void copy_in(uint64_t address, void *ret_bytes, size_t size)
{
	AUTO_FD int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(memory, ret_bytes, size, (off_t)address), size);
}

static void copy_out(uint64_t address, const void *bytes, size_t size)
{
	AUTO_FD int memory = open("/proc/self/mem", O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(memory, bytes, size, (off_t)address), size);
}

/* Returns a negative errno, or 0. */
static int drive(struct driver *driver, uint64_t argument)
{
	AUTO_BUFFER struct buffer response = {0};
	uint64_t words[4]; /* request, its size, response, its size */
	uint64_t written;

	copy_in(argument, words, sizeof words);
	driver->request_size = words[1];
	assert_true(driver->request_size <= sizeof driver->request);
	copy_in(words[0], driver->request, driver->request_size);
	assert_int_equal(words[3], CAPACITY);
	if (driver->answer->problem)
		return -driver->answer->problem;
	nsm_response_encode(&driver->answer->response, &response);
	written = driver->answer->is_full ? CAPACITY : response.size;
	copy_out(words[2], response.data, response.size);
	copy_out(argument + 24, &written, sizeof written);
	return 0;
}

static void serve_one(struct driver *driver)
{
	struct pollfd waiting = {.fd = driver->listener, .events = POLLIN};
	struct seccomp_notif notification;
	struct seccomp_notif_resp answer = {0};

	assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
	memset(&notification, 0, sizeof notification);
	assert_int_equal(ioctl(driver->listener, SECCOMP_IOCTL_NOTIF_RECV, &notification), 0);
	answer.id = notification.id;
	answer.error = drive(driver, notification.data.args[2]);
	assert_int_equal(ioctl(driver->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer), 0);
}

/* One call with the answers that the driver gives; what the last request was is in `driver`. */
static bool call(bool (*function)(struct nsm *nsm, struct error *error), const struct answer *answers, size_t count,
		 struct driver *driver, struct error *error)
{
	struct caller caller = {.call = function};

	*driver = (struct driver){.listener = -1};
	assert_int_equal(pipe(caller.listener_pipe), 0);
	assert_int_equal(pthread_create(&caller.thread, NULL, caller_main, &caller), 0);
	assert_int_equal(read(caller.listener_pipe[0], &driver->listener, sizeof driver->listener), sizeof driver->listener);
	if (driver->listener < 0) {
		(void)pthread_join(caller.thread, NULL);
		print_message("skipped: this kernel hands no system call to another thread\n");
		skip();
	}
	for (size_t i = 0; i < count; i++) {
		driver->answer = &answers[i];
		serve_one(driver);
	}
	assert_int_equal(pthread_join(caller.thread, NULL), 0);
	(void)close(driver->listener);
	(void)close(caller.listener_pipe[0]);
	(void)close(caller.listener_pipe[1]);
	*error = caller.error;
	return caller.ok;
}

static const uint8_t pcr[NSM_PCR_SIZE] = {1, 2, 3};

static bool describe(struct nsm *nsm, struct error *error)
{
	uint8_t value[NSM_PCR_SIZE];
	bool is_locked = false;

	return nsm_describe_pcr(nsm, 0, value, &is_locked, error) && is_locked && memcmp(value, pcr, sizeof pcr) == 0;
}

static void test_a_pcr_is_described(void **state)
{
	static const uint8_t request[] = "\xa1\x6b"
					 "DescribePCR"
					 "\xa1\x65"
					 "index";
	const struct answer answer = {.response = {.operation = NSM_DESCRIBE_PCR, .lock = true, .data = view_of(pcr, sizeof pcr)}};
	struct driver driver;
	struct error error;

	(void)state;
	assert_ok(call(describe, &answer, 1, &driver, &error), &error);
	/* The text's own NUL is index 0. */
	assert_int_equal(driver.request_size, sizeof request);
	assert_memory_equal(driver.request, request, sizeof request);
}

static bool fill(struct nsm *nsm, struct error *error)
{
	uint8_t bytes[300];

	if (!nsm_random(nsm, bytes, sizeof bytes, error))
		return false;
	for (size_t i = 0; i < sizeof bytes; i++) {
		if (bytes[i] != (i < NSM_RANDOM_MAX_SIZE ? 0xaa : 0xbb))
			return error_set(error, ERROR_BUG, "byte %zu is 0x%02x", i, bytes[i]);
	}
	return true;
}

static void test_random_bytes_are_gathered(void **state)
{
	uint8_t first[NSM_RANDOM_MAX_SIZE], second[NSM_RANDOM_MAX_SIZE];
	const struct answer answers[] = {
		{.response = {.operation = NSM_GET_RANDOM, .random = view_of(first, sizeof first)}},
		{.response = {.operation = NSM_GET_RANDOM, .random = view_of(second, sizeof second)}},
	};
	struct driver driver;
	struct error error;

	(void)state;
	memset(first, 0xaa, sizeof first);
	memset(second, 0xbb, sizeof second);
	assert_ok(call(fill, answers, ARRAY_SIZE(answers), &driver, &error), &error);
	assert_int_equal(driver.request_size, 10);
	assert_memory_equal(driver.request, "iGetRandom", 10);
}

static bool attest(struct nsm *nsm, struct error *error)
{
	AUTO_BUFFER struct buffer document = {0};

	return nsm_attest(nsm, (struct view){0}, (struct view){0}, (struct view){0}, &document, error);
}

static void test_what_the_driver_refuses_or_cuts_is_an_error(void **state)
{
	const struct {
		struct answer answer;
		const char *message;
	} cases[] = {
		{{.problem = ETIMEDOUT}, "/dev/nsm: Connection timed out"},
		{{.problem = EMSGSIZE}, "/dev/nsm: Message too long"},
		{{.response = {.operation = NSM_ATTESTATION, .document = view_of(pcr, sizeof pcr)}, .is_full = true}, "cut short"},
		{{.response = {.status = NSM_INVALID_OPERATION}}, "InvalidOperation"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct driver driver;
		struct error error;

		assert_false(call(attest, &cases[i].answer, 1, &driver, &error));
		assert_message_contains(&error, cases[i].message);
	}
}

static void test_what_is_no_nsm_is_an_error(void **state)
{
	struct error error = {0};
	AUTO_NSM struct nsm *nsm = nsm_from_fd(open("/dev/null", O_RDWR | O_CLOEXEC), true, &error);

	(void)state;
	assert_ok(nsm != NULL, &error);
	assert_false(attest(nsm, &error));
	assert_int_equal(error.code, ERROR_IO);
	assert_message_contains(&error, "/dev/nsm: Inappropriate ioctl for device");
	assert_null(nsm_from_fd(-1, true, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pcr_is_described),
		cmocka_unit_test(test_random_bytes_are_gathered),
		cmocka_unit_test(test_what_the_driver_refuses_or_cuts_is_an_error),
		cmocka_unit_test(test_what_is_no_nsm_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
