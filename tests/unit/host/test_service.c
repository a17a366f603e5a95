/* SPDX-License-Identifier: Apache-2.0 */
#include "host/service.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "host_fixture.h"

/* What the fake enclave says to KMS, and what KMS answers. */
#define GREETING "hello from the enclave"
#define KMS_ANSWER "hello from outside"
/* Less than the relays may use, and more than twice as many clients would need. */
#define FEW_DESCRIPTORS 320
#define CROWD 60

/* The service ends on signals and takes descriptors 0 to 3 to its enclave: it gets a process of its own. Status 0, or 1 with the reason. */
static pid_t start_with(const struct host_fixture *fixture, rlim_t descriptors)
{
	const struct rlimit limit = {descriptors, descriptors};
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct error error = {0};

		if (descriptors && setrlimit(RLIMIT_NOFILE, &limit) != 0)
			_exit(2);
		if (service_run(&fixture->settings, &error))
			_exit(0);
		(void)fprintf(stderr, "%s\n", error.message);
		_exit(1);
	}
	return pid;
}

static pid_t start(const struct host_fixture *fixture)
{
	return start_with(fixture, 0);
}

static int wait_for_exit(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void wait_for_state(const struct host_fixture *fixture, const char *wanted)
{
	uint64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;

	while (clock_monotonic_ms() < deadline_ms) {
		AUTO_JSON json_t *status = fixture_read_json(fixture, "run/status.json");
		const char *state = json_string_value(json_object_get(status, "state"));

		if (state && strcmp(state, wanted) == 0)
			return;
		(void)usleep(5000);
	}
	fail_msg("never reached the state %s", wanted);
}

static int connect_to(const struct address *address)
{
	const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	struct error error = {0};
	int fd = address_connect(address, PATIENCE_MS, &error);

	assert_ok(fd >= 0, &error);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	return fd;
}

static void assert_mode(const char *path, mode_t mode)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, mode);
}

static void serves_clients_and_ends_clean(void **state)
{
	struct host_fixture *fixture = *state;
	char kms[SETTINGS_PATH_SIZE], control[SETTINGS_PATH_SIZE];
	char text[16] = {0};
	pid_t host;

	fixture_path(fixture, "run/kms.sock", kms);
	fixture_path(fixture, "run/control.sock", control);
	assert_int_equal(chmod(fixture->settings.run_folder, 0755), 0);
	host = start(fixture);
	wait_for_state(fixture, "serving");
	assert_mode(fixture->settings.run_folder, 0700);
	assert_mode(kms, 0600);
	assert_mode(control, 0600);
	assert_mode(fixture->settings.listen.path, 0600);
	{
		AUTO_FD int client = connect_to(&fixture->settings.listen);

		assert_true(fd_write_all(client, "to be echoed", 12));
		assert_true(fd_read_all(client, text, 12));
		assert_string_equal(text, "to be echoed");
		assert_int_equal(shutdown(client, SHUT_WR), 0);
		assert_int_equal(recv(client, text, sizeof text, 0), 0);
	}
	assert_int_equal(kill(host, SIGTERM), 0);
	assert_int_equal(wait_for_exit(host), 0);
	wait_for_state(fixture, "stopped");
	assert_false(file_exists(kms));
	assert_false(file_exists(control));
	assert_false(file_exists(fixture->settings.listen.path));
}

/* The enclave's way out: the destination gets what the enclave sends, and the answer comes back. */
static void lets_the_enclave_out_to_kms(void **state)
{
	struct host_fixture *fixture = *state;
	struct error error = {0};
	AUTO_FD int outside = address_listen(&fixture->settings.relays[0].connect, 4, &error);
	AUTO_BUFFER struct buffer answer = {0};
	char path[SETTINGS_PATH_SIZE];
	char greeting[sizeof GREETING] = {0};
	pid_t host;

	assert_ok(outside >= 0, &error);
	fixture_configure(fixture, "{\"mode\":\"relay\"}");
	host = start(fixture);
	{
		AUTO_FD int fd = accept(outside, NULL, NULL);

		assert_true(fd_read_all(fd, greeting, strlen(GREETING)));
		assert_string_equal(greeting, GREETING);
		assert_int_equal(recv(fd, greeting, 1, 0), 0);
		assert_true(fd_write_all(fd, KMS_ANSWER, strlen(KMS_ANSWER)));
	}
	wait_for_state(fixture, "serving");
	fixture_path(fixture, "store/kms.txt", path);
	assert_ok(file_read(path, 100, &answer, &error), &error);
	assert_string_equal(buffer_text(&answer), KMS_ANSWER);
	assert_int_equal(kill(host, SIGINT), 0);
	assert_int_equal(wait_for_exit(host), 0);
}

static void clients_come_back_after_a_crash(void **state)
{
	struct host_fixture *fixture = *state;
	AUTO_JSON json_t *status = NULL;
	uint64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
	bool echoed = false;
	pid_t host = start(fixture);

	wait_for_state(fixture, "serving");
	status = fixture_read_json(fixture, "run/status.json");
	assert_int_equal(kill((pid_t)json_integer_value(json_object_get(status, "enclave_pid")), SIGKILL), 0);
	while (!echoed && clock_monotonic_ms() < deadline_ms) {
		AUTO_FD int client = connect_to(&fixture->settings.listen);
		char byte = 0;

		echoed = send(client, "x", 1, MSG_NOSIGNAL) == 1 && recv(client, &byte, 1, 0) == 1 && byte == 'x' &&
			 fixture_start_count(fixture) == 2;
		(void)usleep(5000);
	}
	assert_true(echoed);
	assert_int_equal(kill(host, SIGTERM), 0);
	assert_int_equal(wait_for_exit(host), 0);
}

static void only_one_host_a_folder(void **state)
{
	struct host_fixture *fixture = *state;
	pid_t host = start(fixture);
	struct error error = {0};

	wait_for_state(fixture, "serving");
	assert_false(service_run(&fixture->settings, &error));
	assert_int_equal(error.code, ERROR_IO);
	assert_message_contains(&error, "run_folder: another ensign-host is using");
	/* It did not take the first one's sockets away. */
	{
		AUTO_FD int client = connect_to(&fixture->settings.listen);
		char byte = 0;

		assert_true(fd_write_all(client, "x", 1));
		assert_int_equal(recv(client, &byte, 1, 0), 1);
	}
	assert_int_equal(kill(host, SIGTERM), 0);
	assert_int_equal(wait_for_exit(host), 0);
}

/* Clients that there are no descriptors for are refused, not left waiting, and the enclave's way out stays open. */
static void few_descriptors_cut_the_limit(void **state)
{
	struct host_fixture *fixture = *state;
	int clients[CROWD];
	char byte = 0;
	pid_t host = start_with(fixture, FEW_DESCRIPTORS);

	wait_for_state(fixture, "serving");
	for (size_t i = 0; i < CROWD; i++)
		clients[i] = connect_to(&fixture->settings.listen);
	assert_int_equal(recv(clients[CROWD - 1], &byte, 1, 0), 0);
	assert_true(fd_write_all(clients[0], "x", 1));
	assert_int_equal(recv(clients[0], &byte, 1, 0), 1);
	for (size_t i = 0; i < CROWD; i++)
		(void)close(clients[i]);
	assert_int_equal(kill(host, SIGTERM), 0);
	assert_int_equal(wait_for_exit(host), 0);
}

/* In a process of its own, since the limit cannot be raised again. */
static void check_message_without_descriptors(const struct settings *settings)
{
	const struct rlimit none = {100, 100};
	struct error error = {0};

	if (setrlimit(RLIMIT_NOFILE, &none) != 0 || service_run(settings, &error))
		_exit(1);
	_exit(strstr(error.message, "RLIMIT_NOFILE is 100,") && strstr(error.message, "LimitNOFILE=") ? 0 : 2);
}

static void does_not_start_without_descriptors(void **state)
{
	struct host_fixture *fixture = *state;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		check_message_without_descriptors(&fixture->settings);
	assert_int_equal(wait_for_exit(pid), 0);
	assert_int_equal(fixture_start_count(fixture), 0);
}

static void what_prevents_the_start_is_told(void **state)
{
	struct host_fixture *fixture = *state;
	struct settings settings = fixture->settings;
	struct error error = {0};

	memcpy(settings.launcher, "docker", sizeof "docker");
	assert_false(service_run(&settings, &error));
	assert_message_contains(&error, "launcher: docker is not one of: process");
	settings = fixture->settings;
	memcpy(settings.program, "/nonexistent", sizeof "/nonexistent");
	assert_false(service_run(&settings, &error));
	assert_message_contains(&error, "program: /nonexistent");
	settings = fixture->settings;
	memcpy(settings.run_folder, "/nonexistent/run", sizeof "/nonexistent/run");
	assert_false(service_run(&settings, &error));
	assert_message_contains(&error, "run_folder: cannot make the folder /nonexistent/run");
	settings = fixture->settings;
	memcpy(settings.listen.path, "/nonexistent/listen", sizeof "/nonexistent/listen");
	assert_false(service_run(&settings, &error));
	assert_message_contains(&error, "relay signing: unix:/nonexistent/listen");
	assert_int_equal(fixture_start_count(fixture), 0);
}

static json_int_t reload_number(const struct host_fixture *fixture)
{
	AUTO_JSON json_t *status = fixture_read_json(fixture, "run/status.json");

	return json_integer_value(json_object_get(json_object_get(status, "last_reload"), "number"));
}

static void wait_for_reload(const struct host_fixture *fixture, json_int_t number)
{
	uint64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;

	while (clock_monotonic_ms() < deadline_ms && reload_number(fixture) < number)
		(void)usleep(5000);
	assert_int_equal(reload_number(fixture), number);
}

/* Whoever changes a row tells nobody: a new key, one that is taken out, another TLS identity; and once each. */
static void changed_tables_are_read_again(void **state)
{
	struct host_fixture *fixture = *state;
	AUTO_FREE char *away = memory_format("%s.away", fixture->settings.key_table.name);
	struct error error = {0};
	pid_t host;

	fixture->settings.tables_poll_s = 1;
	host = start(fixture);
	wait_for_state(fixture, "serving");
	(void)sleep(2);
	assert_int_equal(reload_number(fixture), 0);
	fixture_put_key(fixture, 0x77, true, true);
	wait_for_reload(fixture, 1);
	fixture_put_key(fixture, 0x78, true, false); /* inactive: nothing that the enclave would get */
	(void)sleep(2);
	assert_int_equal(reload_number(fixture), 1);
	fixture_put_key(fixture, 0x77, true, false);
	wait_for_reload(fixture, 2);
	{
		AUTO_TLS_TABLE struct tls_table *table = tls_table_open_sqlite(fixture->settings.tls_table.name, &error);
		AUTO_TLS_ROW struct tls_row row = {.key_id = TLS_TABLE_KEY_ID};

		assert_ok(table != NULL, &error);
		row.encrypted_tls_key_b64 = memory_copy_text("YW5vdGhlcg==");
		row.cert_pem = memory_copy_text("Y2VydA==");
		assert_ok(tls_table_put(table, &row, &error), &error);
	}
	wait_for_reload(fixture, 3);
	/* A table that is gone for a while is no change, and nothing is unloaded for it. */
	assert_int_equal(rename(fixture->settings.key_table.name, away), 0);
	(void)sleep(2);
	assert_int_equal(rename(away, fixture->settings.key_table.name), 0);
	(void)sleep(2);
	assert_int_equal(reload_number(fixture), 3);
	wait_for_state(fixture, "serving");
	assert_int_equal(kill(host, SIGTERM), 0);
	assert_int_equal(wait_for_exit(host), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(serves_clients_and_ends_clean),   HOST_TEST(lets_the_enclave_out_to_kms),
		HOST_TEST(clients_come_back_after_a_crash), HOST_TEST(only_one_host_a_folder),
		HOST_TEST(few_descriptors_cut_the_limit),   HOST_TEST(does_not_start_without_descriptors),
		HOST_TEST(what_prevents_the_start_is_told), HOST_TEST(changed_tables_are_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
