/* SPDX-License-Identifier: Apache-2.0 */
/* What init checks as PID 1, against the simulator's NSM and a launcher of the test's; that it boots is tests/system's business. */
#include "enclave/init/pid1.h"

#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "image/machine.h"
#include "net/frame.h"
#include "remove_tree.h"
#include "sim/nsm_session.h"
#include "vectors.h"

#define INSTANCE "i-0123456789abcdef0"
#define TIMEOUT_MS 10000
#define SHORT_TIMEOUT_MS 200

static char folder[64];
static struct authority *authority;

static int setup(void **state)
{
	struct error error = {0};

	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/ensign-pid1-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	authority = authority_open(folder, "us-east-1", INSTANCE, &error);
	assert_ok(authority != NULL, &error);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	authority_done(&authority);
	return remove_tree(folder);
}

/* ---- the NSM ---- */

struct device {
	int fd;
	pthread_t thread;
	bool is_measured; /* PCR0 is something */
};

static void *device_main(void *context)
{
	struct device *device = (struct device *)context;
	struct nsm_session session;
	struct error error = {0};

	nsm_session_init(&session, authority, INSTANCE "-enc0123456789abcdef");
	if (device->is_measured)
		memset(session.pcrs[0], 0xab, NSM_PCR_SIZE);
	for (;;) {
		AUTO_BUFFER struct buffer request = {0};
		AUTO_BUFFER struct buffer answer = {0};

		if (!frame_read(device->fd, NSM_REQUEST_MAX_SIZE, TIMEOUT_MS, &request, NULL, &error))
			break;
		(void)nsm_session_answer(&session, buffer_view(&request), &answer, &error);
		if (!frame_write(device->fd, buffer_view(&answer), TIMEOUT_MS, &error))
			break;
	}
	(void)close(device->fd);
	return NULL;
}

static struct nsm *device_start(struct device *device, bool is_measured)
{
	struct error error = {0};
	struct nsm *nsm;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*device = (struct device){.fd = pair[1], .is_measured = is_measured};
	assert_int_equal(pthread_create(&device->thread, NULL, device_main, device), 0);
	nsm = nsm_from_fd(pair[0], false, &error);
	assert_ok(nsm != NULL, &error);
	return nsm;
}

static void device_stop(struct device *device, struct nsm *nsm)
{
	nsm_free(nsm);
	assert_int_equal(pthread_join(device->thread, NULL), 0);
}

static void test_debug_mode_is_refused_unless_it_is_wanted(void **state)
{
	struct device device;
	struct nsm *nsm = device_start(&device, false);
	struct error error = {0};

	(void)state;
	assert_false(pid1_check_measured(nsm, false, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	assert_message_contains(&error, "PCR0 is all zero");
	assert_ok(pid1_check_measured(nsm, true, &error), &error);
	device_stop(&device, nsm);
	nsm = device_start(&device, true);
	assert_ok(pid1_check_measured(nsm, false, &error), &error);
	device_stop(&device, nsm);
}

static void test_the_clock_is_compared_with_the_hypervisors(void **state)
{
	static const struct {
		int64_t ahead_ms;
		const char *message; /* NULL: fine */
	} cases[] = {
		{0, NULL},
		{-60000, NULL},
		{60000, NULL},
		{PID1_CLOCK_DRIFT_MAX_MS + 60000, "ahead of"},
		{-PID1_CLOCK_DRIFT_MAX_MS - 60000, "behind"},
		{-INT64_C(1600000000000), "behind"}, /* a clock that nobody ever set */
	};
	struct device device;
	struct nsm *nsm = device_start(&device, true);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t now_ms = clock_realtime_ms() + (uint64_t)cases[i].ahead_ms;
		struct error error = {0};
		int64_t drift_ms = 0;
		bool ok = pid1_check_clock(nsm, now_ms, &drift_ms, &error);

		assert_int_equal(ok, !cases[i].message);
		if (ok)
			assert_true(drift_ms >= cases[i].ahead_ms - TIMEOUT_MS && drift_ms <= cases[i].ahead_ms);
		if (!ok)
			assert_message_contains(&error, cases[i].message);
	}
	device_stop(&device, nsm);
}

/* ---- the launcher ---- */

struct launcher {
	int listener;
	pthread_t thread;
	int answer; /* a byte; -1: hangs up; -2: says nothing */
	uint8_t got;
};

static void *launcher_main(void *context)
{
	struct launcher *launcher = (struct launcher *)context;
	AUTO_FD int fd = accept4(launcher->listener, NULL, NULL, SOCK_CLOEXEC);
	uint8_t byte = (uint8_t)launcher->answer;

	if (recv(fd, &launcher->got, 1, 0) == 1 && launcher->answer >= 0)
		(void)send(fd, &byte, 1, MSG_NOSIGNAL);
	/* Until the other end goes. */
	if (launcher->answer != -1)
		(void)recv(fd, &byte, 1, 0);
	return NULL;
}

static bool heartbeat(int answer, unsigned timeout_ms, uint8_t *ret_got, struct error *error)
{
	struct launcher launcher = {.answer = answer};
	struct address address = {.kind = ADDRESS_UNIX};
	bool ok;

	(void)snprintf(address.path, sizeof address.path, "%s/heartbeat", folder);
	launcher.listener = address_listen(&address, 1, error);
	assert_ok(launcher.listener >= 0, error);
	assert_int_equal(pthread_create(&launcher.thread, NULL, launcher_main, &launcher), 0);
	ok = pid1_send_heartbeat(&address, timeout_ms, error);
	assert_int_equal(pthread_join(launcher.thread, NULL), 0);
	(void)close(launcher.listener);
	*ret_got = launcher.got;
	return ok;
}

static void test_heartbeat(void **state)
{
	static const struct {
		int answer;
		const char *message;
	} cases[] = {{MACHINE_HEARTBEAT, NULL}, {0xb6, "answered 0xb6"}, {-1, "hung up"}, {-2, "timed out"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned timeout_ms = cases[i].answer == -2 ? SHORT_TIMEOUT_MS : TIMEOUT_MS;
		struct error error = {0};
		uint8_t got = 0;
		bool ok = heartbeat(cases[i].answer, timeout_ms, &got, &error);

		assert_int_equal(ok, !cases[i].message);
		assert_int_equal(got, MACHINE_HEARTBEAT);
		if (ok)
			continue;
		assert_int_equal(error.code, ERROR_PEER);
		assert_message_contains(&error, cases[i].message);
	}
}

static void test_nobody_waits_for_the_heartbeat(void **state)
{
	struct address address = {.kind = ADDRESS_UNIX};
	struct error error = {0};

	(void)state;
	(void)snprintf(address.path, sizeof address.path, "%s/nobody", folder);
	assert_false(pid1_send_heartbeat(&address, TIMEOUT_MS, &error));
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "heartbeat");
}

/* ---- the rest ---- */

static void test_a_store_that_is_forgotten_is_refused(void **state)
{
	struct configuration configuration = {.slashing_protection = true};
	struct error error = {0};

	(void)state;
	assert_false(pid1_check_configuration(&configuration, &error));
	assert_int_equal(error.code, ERROR_POLICY);
	assert_message_contains(&error, "slashing.store");
	configuration.is_debug = true;
	assert_ok(pid1_check_configuration(&configuration, &error), &error);
}

static void test_this_process_is_no_machine(void **state)
{
	char *arguments[] = {(char *)"/init", NULL};

	(void)state;
	assert_int_equal(pid1_is_machine(1, arguments), getpid() == 1);
	arguments[0] = (char *)"ensign-enclave";
	assert_false(pid1_is_machine(1, arguments));
	assert_false(pid1_is_machine(0, arguments + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_debug_mode_is_refused_unless_it_is_wanted),
		cmocka_unit_test(test_the_clock_is_compared_with_the_hypervisors),
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_nobody_waits_for_the_heartbeat),
		cmocka_unit_test(test_a_store_that_is_forgotten_is_refused),
		cmocka_unit_test(test_this_process_is_no_machine),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
