/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "net/address.h"

#define TIMEOUT_MS 5000
#define SHORT_TIMEOUT_MS 100

static char folder[] = "/tmp/ensign-address-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static void test_texts_survive_a_round_trip(void **state)
{
	static const char *const texts[] = {
		"vsock:3:8000",
		"vsock:any:5000",
		"vsock:0:0",
		"vsock:4294967294:4294967294",
		"unix:/run/a.sock",
		"unix:relative",
		"unix:/with:colon",
		"tcp:127.0.0.1:8443",
		"tcp:localhost:0",
		"tcp:[::1]:65535",
		"tcp:[fe80::1%eth0]:1",
		"hybrid:/run/vm.vsock:5000",
		"hybrid:/a:b:7",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char text[ADDRESS_TEXT_SIZE];
		struct address address;
		struct error error = {0};

		assert_ok(address_parse(texts[i], &address, &error), &error);
		address_format(&address, text);
		assert_string_equal(text, texts[i]);
	}
}

static void test_fields(void **state)
{
	struct address address;
	struct error error = {0};

	(void)state;
	assert_ok(address_parse("vsock:any:5000", &address, &error), &error);
	assert_int_equal(address.kind, ADDRESS_VSOCK);
	assert_int_equal(address.cid, UINT32_MAX);
	assert_int_equal(address.port, 5000);
	assert_ok(address_parse("tcp:[::1]:443", &address, &error), &error);
	assert_string_equal(address.host, "::1");
	assert_ok(address_parse("hybrid:/run/vm:x:9", &address, &error), &error);
	assert_string_equal(address.path, "/run/vm:x");
	assert_int_equal(address.port, 9);
}

static void test_bad_texts_are_refused(void **state)
{
	static const struct {
		const char *text;
		const char *reason;
	} cases[] = {
		{"", "not one of"},
		{"udp:localhost:1", "not one of"},
		{"VSOCK:3:1", "not one of"},
		{"vsock:3", "no port"},
		{"vsock::1", "CID"},
		{"vsock:4294967295:1", "CID"},
		{"vsock:-1:1", "CID"},
		{"vsock:3:", "port"},
		{"vsock:3:4294967295", "port"},
		{"vsock:3:+1", "port"},
		{"unix:", "no path"},
		{"unix:/run/", "folder"},
		{"tcp:localhost", "no port"},
		{"tcp::443", "no host"},
		{"tcp:localhost:65536", "port"},
		{"tcp:localhost:http", "port"},
		{"tcp:::1:443", "brackets"},
		{"tcp:[]:443", "no host"},
		{"tcp:[localhost]:443", "brackets"},
		{"tcp:a host:443", "characters"},
		{"tcp:host\n:443", "characters"},
		{"hybrid::5000", "no path"},
		{"hybrid:/run/vm:", "port"},
		{"hybrid:5000", "no port"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct address address = {.port = 77};
		struct error error = {0};

		assert_false(address_parse(cases[i].text, &address, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].reason);
		assert_int_equal(address.port, 77);
	}
}

static void test_too_long_texts_are_refused(void **state)
{
	char path[ADDRESS_PATH_SIZE + 1];
	char host[ADDRESS_HOST_SIZE + 1];
	struct address address;
	struct error error = {0};

	(void)state;
	memset(path, 'p', sizeof path);
	memset(host, 'h', sizeof host);
	for (size_t excess = 0; excess < 2; excess++) {
		AUTO_FREE char *unix_text = memory_format("unix:%.*s", (int)(ADDRESS_PATH_SIZE - 1 + excess), path);
		AUTO_FREE char *tcp_text = memory_format("tcp:%.*s:1", (int)(ADDRESS_HOST_SIZE - 1 + excess), host);

		assert_int_equal(address_parse(unix_text, &address, &error), excess == 0);
		assert_int_equal(address_parse(tcp_text, &address, &error), excess == 0);
	}
	assert_int_equal(error.code, ERROR_INPUT);
}

static struct address parsed(const char *format, ...) PRINTF_LIKE(1, 2);

static struct address parsed(const char *format, ...)
{
	char text[ADDRESS_TEXT_SIZE];
	struct address address;
	struct error error = {0};
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	assert_ok(address_parse(text, &address, &error), &error);
	return address;
}

/* A connected socket is blocking and close-on-exec, and bytes pass in both directions. */
static void check_pair(int connected, int listener)
{
	AUTO_FD int accepted = accept(listener, NULL, NULL);
	char letter = 0;

	assert_true(accepted >= 0);
	assert_int_equal(fcntl(connected, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(connected, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_true(fd_write_all(connected, "a", 1));
	assert_true(fd_read_all(accepted, &letter, 1));
	assert_int_equal(letter, 'a');
	assert_true(fd_write_all(accepted, "b", 1));
	assert_true(fd_read_all(connected, &letter, 1));
	assert_int_equal(letter, 'b');
}

static void check_unix_path(const char *path)
{
	struct address address = parsed("unix:%s", path);
	struct error error = {0};
	struct stat status;
	AUTO_FD int listener = address_listen(&address, 1, &error);
	AUTO_FD int connected = -1;

	assert_ok(listener >= 0, &error);
	assert_int_equal(stat(path, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & 0777, 0600);
	connected = address_connect(&address, TIMEOUT_MS, &error);
	assert_ok(connected >= 0, &error);
	check_pair(connected, listener);
	assert_int_equal(unlink(path), 0);
}

static void test_unix_socket(void **state)
{
	AUTO_FREE char *path = memory_format("%s/s", folder);

	(void)state;
	check_unix_path(path);
}

/* sun_path holds 108 bytes; 107 and a NUL is the last length that is used straight. */
static void test_long_unix_paths(void **state)
{
	AUTO_FREE char *deep = memory_format("%s/%0120d", folder, 0);
	AUTO_FREE char *path = memory_format("%s/socket", deep);

	(void)state;
	for (int size = 106; size <= 109; size++) {
		AUTO_FREE char *edge = memory_format("%s/%0*d", folder, size - (int)strlen(folder) - 1, 0);

		assert_int_equal(strlen(edge), size);
		check_unix_path(edge);
	}
	assert_int_equal(mkdir(deep, 0700), 0);
	check_unix_path(path);
	assert_int_equal(rmdir(deep), 0);
}

static void test_unix_names_that_no_socket_can_have(void **state)
{
	AUTO_FREE char *name = memory_format("%0120d", 0);
	struct address bare = parsed("unix:%s", name);
	struct address below = parsed("unix:%s/%s", folder, name);
	struct address nowhere = parsed("unix:%s/missing/%s", folder, name);
	struct error error = {0};

	(void)state;
	assert_int_equal(address_bind(&bare, &error), -1);
	assert_int_equal(error.code, ERROR_INPUT);
	assert_int_equal(address_connect(&below, SHORT_TIMEOUT_MS, &error), -1);
	assert_message_contains(&error, "too long");
	assert_int_equal(address_bind(&nowhere, &error), -1);
	assert_int_equal(error.code, ERROR_IO);
	assert_message_contains(&error, "folder");
}

static void test_bound_socket_refuses_until_somebody_listens(void **state)
{
	struct address address = parsed("unix:%s/s", folder);
	struct error error = {0};
	AUTO_FD int bound = address_bind(&address, &error);
	AUTO_FD int connected = -1;

	(void)state;
	assert_ok(bound >= 0, &error);
	assert_int_equal(address_connect(&address, TIMEOUT_MS, &error), -1);
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "refused");
	assert_int_equal(listen(bound, 1), 0);
	connected = address_connect(&address, TIMEOUT_MS, &error);
	assert_ok(connected >= 0, &error);
	assert_int_equal(unlink(address.path), 0);
}

static void test_stale_sockets_are_replaced_but_files_are_not(void **state)
{
	struct address address = parsed("unix:%s/s", folder);
	struct error error = {0};
	int first = address_bind(&address, &error);
	AUTO_FD int second = -1;
	AUTO_FD int file = -1;

	(void)state;
	assert_ok(first >= 0, &error);
	assert_int_equal(close(first), 0);
	second = address_bind(&address, &error);
	assert_ok(second >= 0, &error);
	assert_int_equal(unlink(address.path), 0);

	file = open(address.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	assert_int_equal(address_bind(&address, &error), -1);
	assert_int_equal(error.code, ERROR_IO);
	assert_message_contains(&error, address.path);
	assert_true(file_exists(address.path));
	assert_int_equal(unlink(address.path), 0);
}

static void test_connect_to_nothing(void **state)
{
	struct address address = parsed("unix:%s/nobody", folder);
	struct address any = parsed("vsock:any:5000");
	struct error error = {0};

	(void)state;
	assert_int_equal(address_connect(&address, TIMEOUT_MS, &error), -1);
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "nobody");
	assert_int_equal(address_connect(&any, TIMEOUT_MS, &error), -1);
	assert_int_equal(error.code, ERROR_INPUT);
}

/* A unix listener whose backlog is full gives the kernel nothing to wait for; the deadline counts all the same. */
static void test_full_backlog_hits_the_deadline(void **state)
{
	struct address address = parsed("unix:%s/s", folder);
	struct error error = {0};
	AUTO_FD int listener = address_listen(&address, 0, &error);
	AUTO_FD int first = address_connect(&address, TIMEOUT_MS, &error);
	uint64_t start_ms = clock_monotonic_ms();

	(void)state;
	assert_true(listener >= 0 && first >= 0);
	assert_int_equal(address_connect(&address, SHORT_TIMEOUT_MS, &error), -1);
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "timed out");
	assert_true(clock_monotonic_ms() - start_ms >= SHORT_TIMEOUT_MS);
	assert_int_equal(unlink(address.path), 0);
}

static void check_tcp(const char *host)
{
	struct address address = parsed("tcp:%s:0", host);
	struct error error = {0};
	AUTO_FD int listener = address_listen(&address, 1, &error);
	AUTO_FD int connected = -1;
	int no_delay = 0;
	socklen_t size = sizeof no_delay;

	assert_ok(listener >= 0, &error);
	address.port = address_bound_port(listener);
	assert_int_not_equal(address.port, 0);
	connected = address_connect(&address, TIMEOUT_MS, &error);
	assert_ok(connected >= 0, &error);
	assert_int_equal(getsockopt(connected, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
	assert_int_not_equal(no_delay, 0);
	check_pair(connected, listener);
}

static void test_tcp(void **state)
{
	(void)state;
	check_tcp("127.0.0.1");
	check_tcp("localhost");
}

static void test_tcp6(void **state)
{
	struct address address = parsed("tcp:[::1]:0");
	struct error error = {0};
	AUTO_FD int bound = address_bind(&address, &error);

	(void)state;
	if (bound < 0)
		skip(); /* a machine without IPv6 */
	check_tcp("[::1]");
}

static void test_tcp_failures(void **state)
{
	struct address address = parsed("tcp:127.0.0.1:0");
	struct address nameless = parsed("tcp:name.invalid:1");
	struct error error = {0};
	AUTO_FD int bound = address_bind(&address, &error);

	(void)state;
	assert_true(bound >= 0);
	address.port = address_bound_port(bound);
	assert_int_equal(address_connect(&address, TIMEOUT_MS, &error), -1);
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "refused");
	assert_int_equal(address_connect(&nameless, TIMEOUT_MS, &error), -1);
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "resolve");
}

static void test_bound_port_of_other_sockets_is_zero(void **state)
{
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(address_bound_port(fd), 0);
	assert_int_equal(address_bound_port(-1), 0);
}

static void test_hybrid_listens_beside_its_path(void **state)
{
	struct address address = parsed("hybrid:%s/vm:5000", folder);
	struct address file = parsed("unix:%s/vm_5000", folder);
	struct error error = {0};
	AUTO_FD int listener = address_listen(&address, 1, &error);
	AUTO_FD int connected = -1;

	(void)state;
	assert_ok(listener >= 0, &error);
	connected = address_connect(&file, TIMEOUT_MS, &error);
	assert_ok(connected >= 0, &error);
	check_pair(connected, listener);
	assert_int_equal(unlink(file.path), 0);
}

/* The VMM's side of a hybrid connection: takes the CONNECT line and says `answer`; NULL keeps silent. */
struct vmm {
	int listener;
	const char *answer;
	char greeting[32];
};

static void *run_vmm(void *context)
{
	struct vmm *vmm = (struct vmm *)context;
	AUTO_FD int fd = accept(vmm->listener, NULL, NULL);
	char end;

	for (size_t i = 0; i < sizeof vmm->greeting - 1; i++) {
		if (!fd_read_all(fd, vmm->greeting + i, 1) || vmm->greeting[i] == '\n')
			break;
	}
	/* The peer may have given up in the middle of a long answer; that is what some of the cases are about. */
	if (vmm->answer)
		(void)!send(fd, vmm->answer, strlen(vmm->answer), MSG_NOSIGNAL);
	if (!vmm->answer || strchr(vmm->answer, '\n'))
		(void)!read(fd, &end, 1);
	return NULL;
}

static int connect_through_vmm(const char *answer, unsigned timeout_ms, struct error *error)
{
	struct address socket_file = parsed("unix:%s/vm", folder);
	struct address address = parsed("hybrid:%s/vm:5000", folder);
	struct vmm vmm = {.listener = address_listen(&socket_file, 1, error), .answer = answer};
	char rest[2] = {0};
	pthread_t thread;
	int fd;

	assert_ok(vmm.listener >= 0, error);
	assert_int_equal(pthread_create(&thread, NULL, run_vmm, &vmm), 0);
	fd = address_connect(&address, timeout_ms, error);
	if (fd >= 0) {
		assert_true(fd_read_all(fd, rest, sizeof rest));
		assert_memory_equal(rest, "ab", 2);
		assert_int_equal(close(fd), 0);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_string_equal(vmm.greeting, "CONNECT 5000\n");
	assert_int_equal(close(vmm.listener), 0);
	assert_int_equal(unlink(socket_file.path), 0);
	return fd;
}

static void test_hybrid_takes_only_its_own_line(void **state)
{
	struct error error = {0};

	(void)state;
	assert_ok(connect_through_vmm("OK 5000\nab", TIMEOUT_MS, &error) >= 0, &error);
	assert_ok(connect_through_vmm("OK 4294967295\nab", TIMEOUT_MS, &error) >= 0, &error);
}

static void test_hybrid_peers_that_answer_garbage(void **state)
{
	static const struct {
		const char *answer;
		const char *reason;
	} cases[] = {
		{"", "closed before OK"},
		{"OK 50", "closed before OK"},
		{"\n", "not \"OK PORT\""},
		{"OK\n", "not \"OK PORT\""},
		{"OK \n", "not \"OK PORT\""},
		{"OK x\n", "not \"OK PORT\""},
		{"OK 5000\r\n", "not \"OK PORT\""},
		{"NO 5000\n", "not \"OK PORT\""},
		{"HTTP/1.1 400 Bad Request with a long line\n", "longer than"},
		{NULL, "no answer to CONNECT: Connection timed out"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = {0};

		assert_int_equal(connect_through_vmm(cases[i].answer, cases[i].answer ? TIMEOUT_MS : SHORT_TIMEOUT_MS, &error), -1);
		assert_int_equal(error.code, ERROR_PEER);
		assert_message_contains(&error, cases[i].reason);
		assert_message_contains(&error, "hybrid:");
	}
}

/* CID 1 is this machine; without the kernel's loopback transport there is nothing to test against. */
static void test_vsock_loopback(void **state)
{
	struct address listening = parsed("vsock:any:45127");
	struct address address = parsed("vsock:1:45127");
	struct error error = {0};
	AUTO_FD int listener = address_listen(&listening, 1, &error);
	AUTO_FD int connected = -1;

	(void)state;
	if (listener < 0) {
		assert_int_equal(error.code, ERROR_IO);
		skip();
	}
	connected = address_connect(&address, SHORT_TIMEOUT_MS, &error);
	if (connected < 0) {
		assert_int_equal(error.code, ERROR_PEER);
		skip();
	}
	check_pair(connected, listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_survive_a_round_trip),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_bad_texts_are_refused),
		cmocka_unit_test(test_too_long_texts_are_refused),
		cmocka_unit_test(test_unix_socket),
		cmocka_unit_test(test_long_unix_paths),
		cmocka_unit_test(test_unix_names_that_no_socket_can_have),
		cmocka_unit_test(test_bound_socket_refuses_until_somebody_listens),
		cmocka_unit_test(test_stale_sockets_are_replaced_but_files_are_not),
		cmocka_unit_test(test_connect_to_nothing),
		cmocka_unit_test(test_full_backlog_hits_the_deadline),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tcp6),
		cmocka_unit_test(test_tcp_failures),
		cmocka_unit_test(test_bound_port_of_other_sockets_is_zero),
		cmocka_unit_test(test_hybrid_listens_beside_its_path),
		cmocka_unit_test(test_hybrid_takes_only_its_own_line),
		cmocka_unit_test(test_hybrid_peers_that_answer_garbage),
		cmocka_unit_test(test_vsock_loopback),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
