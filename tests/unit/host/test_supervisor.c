/* SPDX-License-Identifier: Apache-2.0 */
#include "host/supervisor.h"

#include "base/process.h"
#include "host_fixture.h"

/* Fast enough for a test, slow enough for a sanitized enclave on a busy machine. */
static const struct supervisor_timing quick = {
	.launch_timeout_ms = 20000,
	.poll_interval_ms = 50,
	.poll_timeout_ms = 500,
	.poll_misses = 2,
	.grace_ms = 300,
	.backoff_first_ms = 100,
	.backoff_max_ms = 400,
	.quiet_ms = 600000,
};

struct running {
	struct host_fixture *fixture;
	struct launch_options launch;
	struct event_base *base;
	struct launcher *launcher;
	struct supervisor *supervisor;
	char status_path[SETTINGS_PATH_SIZE];
	unsigned drain_ms;
	bool is_held;
	unsigned changes;
	bool stopped;
};

static void on_stopped(void *context)
{
	struct running *running = context;

	running->stopped = true;
}

static void on_changed(void *context)
{
	struct running *running = context;

	running->changes++;
}

static void start_with(struct host_fixture *fixture, struct running *running, struct supervisor_timing timing)
{
	struct supervisor_options options = {
		.settings = &fixture->settings,
		.status_path = running->status_path,
		.timing = timing,
		.drain_ms = running->drain_ms,
		.is_held = running->is_held,
		.changed = on_changed,
		.stopped = on_stopped,
		.context = running,
	};
	struct error error = {0};

	running->fixture = fixture;
	running->launch = fixture_launch_options(fixture);
	fixture_path(fixture, "run/status.json", running->status_path);
	running->launcher = launcher_new("process", &running->launch, &error);
	assert_ok(running->launcher != NULL, &error);
	options.base = running->base = event_base_new();
	options.launcher = running->launcher;
	options.control = running->launch.control;
	running->supervisor = supervisor_new(&options, &error);
	assert_ok(running->supervisor != NULL, &error);
}

static void start(struct host_fixture *fixture, struct running *running)
{
	start_with(fixture, running, quick);
}

static void done(struct running *running)
{
	supervisor_free(running->supervisor);
	launcher_free(running->launcher);
	event_base_free(running->base);
}

/* A state of backing off that stays while a test looks at it. */
static struct supervisor_timing with_endless_backoff(void)
{
	struct supervisor_timing timing = quick;

	timing.backoff_first_ms = timing.backoff_max_ms = 1000 * PATIENCE_MS;
	return timing;
}

static void turn(struct running *running, unsigned duration_ms)
{
	struct timeval duration = {.tv_sec = duration_ms / 1000, .tv_usec = (suseconds_t)(duration_ms % 1000) * 1000};

	(void)event_base_loopexit(running->base, &duration);
	(void)event_base_dispatch(running->base);
}

static const struct host_status *status_of(const struct running *running)
{
	return supervisor_status(running->supervisor);
}

/* Let it run until it is in `state` after exactly `restarts` restarts. */
static void wait_for(struct running *running, enum host_state state, uint64_t restarts)
{
	uint64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;

	while ((status_of(running)->state != state || status_of(running)->restarts < restarts) &&
	       clock_monotonic_ms() < deadline_ms)
		turn(running, 5);
	assert_int_equal(status_of(running)->state, state);
	assert_int_equal(status_of(running)->restarts, restarts);
}

static json_t *read_status(const struct running *running)
{
	json_t *status = load_json(running->status_path);

	assert_int_equal(json_object_size(status), 11);
	assert_int_equal(json_integer_value(json_object_get(status, "pid")), getpid());
	return status;
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void launches_provisions_and_serves(void **state)
{
	struct running running = {0};
	AUTO_JSON json_t *status = NULL;
	uint64_t since_ms = 0;
	struct stat file;

	start(*state, &running);
	wait_for(&running, HOST_STATE_SERVING, 0);
	turn(&running, 300); /* some polls */
	assert_int_equal(status_of(&running)->state, HOST_STATE_SERVING);
	status = read_status(&running);
	assert_string_equal(text_of(status, "state"), "serving");
	assert_int_equal(json_integer_value(json_object_get(status, "key_count")), 2);
	assert_int_equal(json_integer_value(json_object_get(status, "failed")), 0);
	assert_int_equal(json_array_size(json_object_get(status, "failures")), 0);
	assert_int_equal(json_integer_value(json_object_get(status, "restarts")), 0);
	assert_true(process_alive((pid_t)json_integer_value(json_object_get(status, "enclave_pid"))));
	assert_true(json_is_null(json_object_get(status, "last_error")));
	assert_true(clock_parse(text_of(status, "since"), &since_ms));
	assert_true(clock_realtime_ms() - since_ms < 2 * PATIENCE_MS);
	assert_int_equal(stat(running.status_path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	done(&running);
}

static void stops(void **state)
{
	struct running running = {0};
	AUTO_JSON json_t *status = NULL;
	pid_t enclave;

	start(*state, &running);
	wait_for(&running, HOST_STATE_SERVING, 0);
	enclave = status_of(&running)->enclave_pid;
	supervisor_stop(running.supervisor);
	supervisor_stop(running.supervisor);
	wait_for(&running, HOST_STATE_STOPPED, 0);
	assert_true(running.stopped);
	assert_false(process_alive(enclave));
	status = read_status(&running);
	assert_string_equal(text_of(status, "state"), "stopped");
	assert_true(json_is_null(json_object_get(status, "enclave_pid")));
	assert_int_equal(json_integer_value(json_object_get(status, "key_count")), 0);
	done(&running);
}

/* Clients are told, and are served until the time is over. */
static void drains_before_it_stops(void **state)
{
	struct running running = {.drain_ms = 600};
	AUTO_JSON json_t *asked = NULL;
	uint64_t begun_ms;

	start(*state, &running);
	wait_for(&running, HOST_STATE_SERVING, 0);
	begun_ms = clock_monotonic_ms();
	supervisor_stop(running.supervisor);
	assert_int_equal(status_of(&running)->state, HOST_STATE_DRAINING);
	turn(&running, 300);
	asked = fixture_read_json(running.fixture, "store/drain.json");
	assert_non_null(asked);
	assert_true(process_alive(status_of(&running)->enclave_pid));
	wait_for(&running, HOST_STATE_STOPPED, 0);
	assert_true(clock_monotonic_ms() - begun_ms >= 600);
	assert_true(running.stopped);
	done(&running);
}

static void a_second_stop_does_not_wait(void **state)
{
	struct running running = {.drain_ms = 1000 * PATIENCE_MS};

	start(*state, &running);
	wait_for(&running, HOST_STATE_SERVING, 0);
	supervisor_stop(running.supervisor);
	turn(&running, 100);
	assert_int_equal(status_of(&running)->state, HOST_STATE_DRAINING);
	supervisor_stop(running.supervisor);
	wait_for(&running, HOST_STATE_STOPPED, 0);
	done(&running);
}

/* There is nobody left to tell. */
static void an_enclave_that_dies_while_draining_is_the_end(void **state)
{
	struct running running = {.drain_ms = 1000 * PATIENCE_MS};

	start(*state, &running);
	wait_for(&running, HOST_STATE_SERVING, 0);
	supervisor_stop(running.supervisor);
	(void)kill(status_of(&running)->enclave_pid, SIGKILL);
	wait_for(&running, HOST_STATE_STOPPED, 0);
	assert_int_equal(fixture_start_count(running.fixture), 1);
	done(&running);
}

static void what_does_not_serve_is_not_drained(void **state)
{
	struct running running = {.drain_ms = 1000 * PATIENCE_MS};

	start(*state, &running);
	supervisor_stop(running.supervisor);
	wait_for(&running, HOST_STATE_STOPPED, 0);
	done(&running);
}

static void waits_until_it_is_released(void **state)
{
	struct running running = {.is_held = true};
	pid_t enclave;

	start(*state, &running);
	wait_for(&running, HOST_STATE_WAITING, 0);
	turn(&running, 100);
	assert_int_equal(fixture_start_count(running.fixture), 0);
	supervisor_hold(running.supervisor, false);
	wait_for(&running, HOST_STATE_SERVING, 0);
	assert_true(running.changes >= 3);
	enclave = status_of(&running)->enclave_pid;
	supervisor_hold(running.supervisor, true);
	wait_for(&running, HOST_STATE_WAITING, 0);
	assert_false(process_alive(enclave));
	assert_int_equal(status_of(&running)->last_error.code, ERROR_NONE);
	supervisor_hold(running.supervisor, false);
	wait_for(&running, HOST_STATE_SERVING, 1);
	supervisor_hold(running.supervisor, true);
	wait_for(&running, HOST_STATE_WAITING, 1);
	supervisor_stop(running.supervisor);
	wait_for(&running, HOST_STATE_STOPPED, 1);
	done(&running);
}

/* Whatever it is doing, it launches nothing any more. */
static void can_be_held_at_any_time(void **state)
{
	for (unsigned delay_ms = 0; delay_ms < 60; delay_ms += 20) {
		struct running running = {0};
		struct supervisor_timing timing = quick;
		size_t starts;

		fixture_configure(*state, "{\"mode\":\"die\",\"always\":true}");
		timing.backoff_first_ms = timing.backoff_max_ms = 30;
		start_with(*state, &running, timing);
		turn(&running, delay_ms);
		supervisor_hold(running.supervisor, true);
		wait_for(&running, HOST_STATE_WAITING, status_of(&running)->restarts);
		starts = fixture_start_count(running.fixture);
		turn(&running, 200);
		assert_int_equal(fixture_start_count(running.fixture), starts);
		assert_int_equal(status_of(&running)->state, HOST_STATE_WAITING);
		done(&running);
	}
}

static void stops_a_stubborn_enclave(void **state)
{
	struct host_fixture *fixture = *state;
	struct running running = {0};

	fixture_configure(fixture, "{\"mode\":\"serve\",\"stubborn\":true}");
	start(fixture, &running);
	wait_for(&running, HOST_STATE_SERVING, 0);
	supervisor_stop(running.supervisor);
	wait_for(&running, HOST_STATE_STOPPED, 0);
	done(&running);
}

static void stops_before_it_has_started(void **state)
{
	struct running running = {0};

	start(*state, &running);
	supervisor_stop(running.supervisor);
	wait_for(&running, HOST_STATE_STOPPED, 0);
	assert_true(running.stopped);
	assert_int_equal(fixture_start_count(running.fixture), 0);
	done(&running);
}

static void a_killed_enclave_is_relaunched_at_once(void **state)
{
	struct running running = {0};
	AUTO_JSON json_t *status = NULL;

	start_with(*state, &running, with_endless_backoff());
	wait_for(&running, HOST_STATE_SERVING, 0);
	assert_int_equal(kill(status_of(&running)->enclave_pid, SIGKILL), 0);
	wait_for(&running, HOST_STATE_SERVING, 1);
	status = read_status(&running);
	assert_int_equal(json_integer_value(json_object_get(status, "restarts")), 1);
	assert_int_equal(json_integer_value(json_object_get(status, "key_count")), 2);
	assert_string_equal(text_of(json_object_get(status, "last_error"), "code"), "peer");
	assert_string_equal(text_of(json_object_get(status, "last_error"), "message"),
			    "the enclave was killed by signal 9 (Killed)");
	/* The second is not free. */
	assert_int_equal(kill(status_of(&running)->enclave_pid, SIGKILL), 0);
	wait_for(&running, HOST_STATE_BACKOFF, 1);
	/* And stopping does not wait for it. */
	supervisor_stop(running.supervisor);
	wait_for(&running, HOST_STATE_STOPPED, 1);
	done(&running);
}

static void a_quiet_time_makes_the_next_crash_the_first(void **state)
{
	struct supervisor_timing timing = with_endless_backoff();
	struct running running = {0};

	timing.quiet_ms = 1;
	start_with(*state, &running, timing);
	for (uint64_t restarts = 0; restarts < 3; restarts++) {
		wait_for(&running, HOST_STATE_SERVING, restarts);
		turn(&running, 20);
		assert_int_equal(kill(status_of(&running)->enclave_pid, SIGKILL), 0);
	}
	wait_for(&running, HOST_STATE_SERVING, 3);
	done(&running);
}

static void a_crash_in_service_or_while_opening_keys_is_survived(void **state)
{
	static const struct {
		const char *configuration;
		const char *message;
	} crashes[] = {
		{"{\"mode\":\"crash\"}", "the enclave ended with status 7"},
		{"{\"mode\":\"crash-later\"}", "the enclave ended with status 8"},
		{"{\"mode\":\"die\"}", "the enclave ended with status 2"},
	};
	struct host_fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++) {
		struct running running = {0};
		char starts[SETTINGS_PATH_SIZE];

		fixture_path(fixture, "store/starts", starts);
		(void)unlink(starts);
		fixture_configure(fixture, crashes[i].configuration);
		start(fixture, &running);
		wait_for(&running, HOST_STATE_SERVING, 1);
		assert_string_equal(status_of(&running)->last_error.message, crashes[i].message);
		assert_int_equal(fixture_start_count(fixture), 2);
		done(&running);
	}
}

static void a_silent_enclave_is_killed_and_relaunched(void **state)
{
	static const char *const configurations[] = {
		"{\"mode\":\"silent\"}",
		"{\"mode\":\"silent\",\"stubborn\":true}",
		"{\"mode\":\"garbage\"}",
	};
	struct host_fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(configurations); i++) {
		struct running running = {0};
		char starts[SETTINGS_PATH_SIZE];
		pid_t first;

		fixture_path(fixture, "store/starts", starts);
		(void)unlink(starts);
		fixture_configure(fixture, configurations[i]);
		start(fixture, &running);
		wait_for(&running, HOST_STATE_SERVING, 0);
		first = status_of(&running)->enclave_pid;
		wait_for(&running, HOST_STATE_SERVING, 1);
		assert_false(process_alive(first));
		assert_int_equal(status_of(&running)->last_error.code, ERROR_PEER);
		done(&running);
	}
}

static void a_refused_init_is_reported(void **state)
{
	struct host_fixture *fixture = *state;
	struct running running = {0};
	AUTO_JSON json_t *status = NULL;

	fixture_configure(fixture, "{\"mode\":\"refuse\"}");
	start_with(fixture, &running, with_endless_backoff());
	wait_for(&running, HOST_STATE_BACKOFF, 0);
	status = read_status(&running);
	assert_string_equal(text_of(status, "state"), "backoff");
	assert_true(json_is_null(json_object_get(status, "enclave_pid")));
	assert_string_equal(text_of(json_object_get(status, "last_error"), "code"), "policy");
	assert_string_equal(text_of(json_object_get(status, "last_error"), "message"),
			    "enclave: AccessDeniedException: PCR0 is not the one that the key policy wants");
	done(&running);
}

static void a_refused_init_is_tried_again(void **state)
{
	struct host_fixture *fixture = *state;
	uint64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
	struct running running = {0};

	fixture_configure(fixture, "{\"mode\":\"refuse\",\"always\":true}");
	start(fixture, &running);
	while (status_of(&running)->restarts < 2 && clock_monotonic_ms() < deadline_ms)
		turn(&running, 5);
	/* Somebody mends the key policy. */
	fixture_configure(fixture, "{\"mode\":\"serve\"}");
	while (status_of(&running)->state != HOST_STATE_SERVING && clock_monotonic_ms() < deadline_ms)
		turn(&running, 5);
	assert_int_equal(status_of(&running)->state, HOST_STATE_SERVING);
	assert_int_equal(status_of(&running)->last_error.code, ERROR_POLICY);
	done(&running);
}

static void missing_credentials_are_reported(void **state)
{
	struct running running = {0};

	assert_int_equal(unsetenv("AWS_ACCESS_KEY_ID"), 0);
	start_with(*state, &running, with_endless_backoff());
	wait_for(&running, HOST_STATE_BACKOFF, 0);
	assert_int_equal(status_of(&running)->last_error.code, ERROR_NOT_FOUND);
	assert_message_contains(&status_of(&running)->last_error, "credentials: ");
	done(&running);
}

/* Each init frame that the enclave saves is a new file. */
static ino_t saved_init(const struct host_fixture *fixture)
{
	char path[SETTINGS_PATH_SIZE];
	struct stat status = {0};

	fixture_path(fixture, "store/init.json", path);
	assert_int_equal(stat(path, &status), 0);
	return status.st_ino;
}

static void lost_keys_are_given_again(void **state)
{
	struct host_fixture *fixture = *state;
	uint64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
	struct running running = {0};
	ino_t first;

	fixture_configure(fixture, "{\"mode\":\"forget\"}");
	start(fixture, &running);
	wait_for(&running, HOST_STATE_SERVING, 0);
	first = saved_init(fixture);
	while (saved_init(fixture) == first && clock_monotonic_ms() < deadline_ms)
		turn(&running, 5);
	assert_true(saved_init(fixture) != first);
	wait_for(&running, HOST_STATE_SERVING, 0);
	assert_int_equal(fixture_start_count(fixture), 1);
	assert_int_equal(status_of(&running)->key_count, 2);
	done(&running);
}

/* And nothing else: the tables are not read for it. */
static void credentials_are_given_when_they_are_wanted(void **state)
{
	struct host_fixture *fixture = *state;
	uint64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *request = NULL;
	char path[SETTINGS_PATH_SIZE];
	struct error error = {0};
	struct running running = {0};

	fixture_configure(fixture, "{\"mode\":\"credential\"}");
	fixture_path(fixture, "store/credential.json", path);
	start(fixture, &running);
	wait_for(&running, HOST_STATE_SERVING, 0);
	while (!file_exists(path) && clock_monotonic_ms() < deadline_ms)
		turn(&running, 5);
	assert_ok(file_read(path, 65536, &text, &error), &error);
	request = json_parse_object(buffer_view(&text), "request", &error);
	assert_ok(request != NULL, &error);
	assert_int_equal(json_object_size(request), 2);
	assert_non_null(json_object_get(json_object_get(request, "credential"), "secret_access_key"));
	assert_int_equal(status_of(&running)->state, HOST_STATE_SERVING);
	assert_int_equal(fixture_start_count(fixture), 1);
	done(&running);
}

static void a_program_that_cannot_run_is_reported(void **state)
{
	struct host_fixture *fixture = *state;
	struct running running = {0};

	memcpy(fixture->settings.program, "/etc/passwd", sizeof "/etc/passwd");
	start_with(fixture, &running, with_endless_backoff());
	wait_for(&running, HOST_STATE_BACKOFF, 0);
	assert_message_contains(&status_of(&running)->last_error, "cannot start /etc/passwd: Permission denied");
	done(&running);
}

static void an_enclave_that_never_answers_is_given_up(void **state)
{
	struct host_fixture *fixture = *state;
	struct supervisor_timing timing = with_endless_backoff();
	struct running running = {0};

	/* Runs, but knows nothing of control channels. */
	timing.launch_timeout_ms = 200;
	fixture_path(fixture, "sleeper", fixture->settings.program);
	{
		static const char script[] = "#!/bin/sh\nexec sleep 1000\n";
		struct error error = {0};

		assert_ok(file_write_atomic(fixture->settings.program, view_of_text(script), 0700, &error), &error);
	}
	start_with(fixture, &running, timing);
	wait_for(&running, HOST_STATE_BACKOFF, 0);
	assert_message_contains(&status_of(&running)->last_error, "did not come up within 200 ms");
	done(&running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(launches_provisions_and_serves),
		HOST_TEST(stops),
		HOST_TEST(drains_before_it_stops),
		HOST_TEST(a_second_stop_does_not_wait),
		HOST_TEST(an_enclave_that_dies_while_draining_is_the_end),
		HOST_TEST(what_does_not_serve_is_not_drained),
		HOST_TEST(waits_until_it_is_released),
		HOST_TEST(can_be_held_at_any_time),
		HOST_TEST(stops_a_stubborn_enclave),
		HOST_TEST(stops_before_it_has_started),
		HOST_TEST(a_killed_enclave_is_relaunched_at_once),
		HOST_TEST(a_quiet_time_makes_the_next_crash_the_first),
		HOST_TEST(a_crash_in_service_or_while_opening_keys_is_survived),
		HOST_TEST(a_silent_enclave_is_killed_and_relaunched),
		HOST_TEST(a_refused_init_is_reported),
		HOST_TEST(a_refused_init_is_tried_again),
		HOST_TEST(missing_credentials_are_reported),
		HOST_TEST(lost_keys_are_given_again),
		HOST_TEST(credentials_are_given_when_they_are_wanted),
		HOST_TEST(a_program_that_cannot_run_is_reported),
		HOST_TEST(an_enclave_that_never_answers_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
