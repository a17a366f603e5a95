/* SPDX-License-Identifier: Apache-2.0 */
/* This test is the manager. */
#include "host/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vectors.h"

#define PATIENCE_S 20
/* On the command line of systemd: WatchdogSec=0.1 */
#define WATCHDOG_USEC "100000"

struct manager {
	int fd;
	struct event_base *base;
};

/* `name` is a path, or an abstract name with @ in front. */
static void listen_at(struct manager *manager, const char *name)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));

	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = 0;
	manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(manager->fd, (const struct sockaddr *)&address, size), 0);
	(void)setsockopt(manager->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	manager->base = event_base_new();
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

static void manager_done(struct manager *manager)
{
	(void)close(manager->fd);
	event_base_free(manager->base);
	(void)unsetenv("NOTIFY_SOCKET");
}

static void expect(struct manager *manager, const char *text)
{
	char got[1024] = "";

	assert_true(recv(manager->fd, got, sizeof got - 1, 0) > 0);
	assert_string_equal(got, text);
}

static void expect_nothing(struct manager *manager)
{
	char byte;

	assert_int_equal(recv(manager->fd, &byte, 1, MSG_DONTWAIT), -1);
}

static void turn(struct manager *manager, unsigned duration_ms)
{
	struct timeval duration = {.tv_usec = (suseconds_t)duration_ms * 1000};

	(void)event_base_loopexit(manager->base, &duration);
	(void)event_base_dispatch(manager->base);
}

static void says_what_it_does(void **state)
{
	char path[] = "/tmp/notify-XXXXXX";
	char abstract[64];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0 && close(fd) == 0 && unlink(path) == 0);
	(void)snprintf(abstract, sizeof abstract, "@ensign-test-%d", (int)getpid());
	for (int i = 0; i < 2; i++) {
		struct manager manager;
		struct notify *notify;
		struct error error = {0};

		listen_at(&manager, i ? abstract : path);
		notify = notify_new(manager.base, &error);
		assert_ok(notify != NULL, &error);
		notify_send(notify, "READY=1", NULL);
		expect(&manager, "READY=1\n");
		notify_send(notify, NULL, "serving 3 keys");
		expect(&manager, "STATUS=serving 3 keys\n");
		notify_send(notify, "STOPPING=1", "draining");
		expect(&manager, "STOPPING=1\nSTATUS=draining\n");
		turn(&manager, 200);
		expect_nothing(&manager); /* nobody asked for a watchdog */
		notify_free(notify);
		manager_done(&manager);
	}
	(void)unlink(path);
}

static void a_watchdog_is_fed(void **state)
{
	char pid[16];
	struct manager manager;
	struct notify *notify;
	struct error error = {0};

	(void)state;
	listen_at(&manager, "@ensign-test-watchdog");
	(void)snprintf(pid, sizeof pid, "%d", (int)getpid());
	assert_int_equal(setenv("WATCHDOG_USEC", WATCHDOG_USEC, 1), 0);
	assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
	notify = notify_new(manager.base, &error);
	assert_ok(notify != NULL, &error);
	turn(&manager, 400);
	for (int i = 0; i < 3; i++)
		expect(&manager, "WATCHDOG=1\n");
	notify_free(notify);
	/* another process's is not ours */
	assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
	while (recv(manager.fd, pid, 1, MSG_DONTWAIT) > 0)
		;
	notify = notify_new(manager.base, &error);
	assert_ok(notify != NULL, &error);
	turn(&manager, 200);
	expect_nothing(&manager);
	notify_free(notify);
	manager_done(&manager);
}

static void works_without_a_manager(void **state)
{
	struct event_base *base = event_base_new();
	struct notify *notify;
	struct error error = {0};

	(void)state;
	(void)unsetenv("NOTIFY_SOCKET");
	notify = notify_new(base, &error);
	assert_ok(notify != NULL, &error);
	notify_send(notify, "READY=1", "x");
	notify_free(notify);
	/* and when it is gone */
	assert_int_equal(setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1), 0);
	notify = notify_new(base, &error);
	assert_ok(notify != NULL, &error);
	notify_send(notify, "READY=1", "x");
	notify_free(notify);
	(void)unsetenv("NOTIFY_SOCKET");
	event_base_free(base);
}

static void nonsense_is_refused(void **state)
{
	static const char *const sockets[] = {"", "x", "/", "vsock:2:1"};
	struct event_base *base = event_base_new();
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
		assert_int_equal(setenv("NOTIFY_SOCKET", sockets[i], 1), 0);
		assert_null(notify_new(base, &error));
		assert_message_contains(&error, "NOTIFY_SOCKET");
	}
	assert_int_equal(setenv("NOTIFY_SOCKET", "@x", 1), 0);
	(void)unsetenv("WATCHDOG_PID");
	assert_int_equal(setenv("WATCHDOG_USEC", "soon", 1), 0);
	assert_null(notify_new(base, &error));
	assert_message_contains(&error, "WATCHDOG_USEC");
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_does),
		cmocka_unit_test(a_watchdog_is_fed),
		cmocka_unit_test(works_without_a_manager),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
