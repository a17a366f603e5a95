/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/metrics.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "vectors.h"

/* The roles count in processes of their own: attach() is for good. Control, which is this one, reads. */
struct memory {
	int fd;
};

static int set_up(void **state)
{
	static struct memory memory;
	struct error error = {0};

	memory.fd = metrics_memory_new(&error);
	assert_ok(memory.fd >= 0, &error);
	assert_ok(metrics_attach(memory.fd, "control", &error), &error);
	*state = &memory;
	return 0;
}

static void as_role(const struct memory *memory, const char *role, void (*count)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct error error;

		if (!metrics_attach(memory->fd, role, &error))
			_exit(1);
		count();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void assert_has(const char *line)
{
	AUTO_FREE char *whole = memory_format("\n%s\n", line);
	AUTO_BUFFER struct buffer text = {0};

	metrics_render(&text);
	if (!strstr(buffer_text(&text), whole))
		fail_msg("no line %s in:\n%s", line, buffer_text(&text));
}

static void assert_has_not(const char *part)
{
	AUTO_BUFFER struct buffer text = {0};

	metrics_render(&text);
	assert_null(strstr(buffer_text(&text), part));
}

static void count_in_frontend(void)
{
	metrics_add(METRIC_SIGNING_REQUESTS, 1, metrics_status_label(200), 3);
	metrics_add(METRIC_SIGNING_REQUESTS, 1, metrics_status_label(418), 1);
	metrics_add(METRIC_SIGNING_REQUESTS, 0, metrics_status_label(400), 1);
	metrics_add(METRIC_SIGNING_REQUESTS, 99, 0, 1); /* no such type */
	metrics_add(METRIC_SIGNING_REQUESTS, 0, 99, 1);
	metrics_change(METRIC_CONNECTIONS, 0, 3);
	metrics_change(METRIC_CONNECTIONS, 0, -1);
	metrics_set(METRIC_KEYS_LOADED, 0, 1000); /* the keeper's: this region's word does not count */
}

static void test_counters_and_gauges(void **state)
{
	assert_has("# TYPE ensign_signing_requests_total counter");
	assert_has("# TYPE ensign_open_connections gauge");
	assert_has("ensign_open_connections 0");
	assert_has_not("ensign_signing_requests_total{");
	as_role(*state, "frontend", count_in_frontend);
	assert_has("ensign_signing_requests_total{type=\"ATTESTATION\",status=\"200\"} 3");
	assert_has("ensign_signing_requests_total{type=\"ATTESTATION\",status=\"other\"} 1");
	assert_has("ensign_signing_requests_total{type=\"UNKNOWN\",status=\"400\"} 1");
	assert_has("ensign_open_connections 2");
	assert_has("signing_signers_loaded_count 0");
}

static void count_in_ledger(void)
{
	metrics_observe(METRIC_GROUP_SIZE, 0, 1);
	metrics_observe(METRIC_GROUP_SIZE, 0, 2);
	metrics_observe(METRIC_GROUP_SIZE, 0, 3);
	metrics_observe(METRIC_GROUP_SIZE, 0, 1000);
	metrics_observe(METRIC_COMMIT_DURATION, METRICS_ATTESTATION, 500);
	metrics_observe(METRIC_COMMIT_DURATION, METRICS_ATTESTATION, 501);
	metrics_observe(METRIC_COMMIT_DURATION, METRICS_ATTESTATION, 20000000);
	metrics_observe(METRIC_COMMIT_DURATION, METRICS_DUTY_COUNT, 1);
}

static void test_histograms(void **state)
{
	as_role(*state, "ledger", count_in_ledger);
	assert_has("ensign_ledger_group_size_bucket{le=\"1\"} 1");
	assert_has("ensign_ledger_group_size_bucket{le=\"2\"} 2");
	assert_has("ensign_ledger_group_size_bucket{le=\"4\"} 3");
	assert_has("ensign_ledger_group_size_bucket{le=\"128\"} 3");
	assert_has("ensign_ledger_group_size_bucket{le=\"+Inf\"} 4");
	assert_has("ensign_ledger_group_size_sum 1006");
	assert_has("ensign_ledger_group_size_count 4");
#define DURATION "eth2_slashingprotection_database_duration"
	assert_has(DURATION "_bucket{signingOperation=\"attestation\",le=\"0.0005\"} 1");
	assert_has(DURATION "_bucket{signingOperation=\"attestation\",le=\"0.001\"} 2");
	assert_has(DURATION "_bucket{signingOperation=\"attestation\",le=\"10\"} 2");
	assert_has(DURATION "_bucket{signingOperation=\"attestation\",le=\"+Inf\"} 3");
	assert_has(DURATION "_sum{signingOperation=\"attestation\"} 20.001001");
	assert_has(DURATION "_count{signingOperation=\"block\"} 0");
}

static void count_a_call(void)
{
	metrics_add(METRIC_KMS_CALLS, METRICS_KMS_DECRYPT, METRICS_OK, 1);
}

/* One opener after the other. */
static void test_counters_outlive_a_role(void **state)
{
	for (size_t i = 0; i < 3; i++)
		as_role(*state, "opener", count_a_call);
	assert_has("ensign_kms_calls_total{operation=\"Decrypt\",outcome=\"ok\"} 3");
}

static void *count_often(void *context)
{
	(void)context;
	for (size_t i = 0; i < 100000; i++)
		metrics_add(METRIC_PERMITTED_SIGNINGS, 0, 0, 1);
	return NULL;
}

static void count_on_threads(void)
{
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		(void)pthread_create(&threads[i], NULL, count_often, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		(void)pthread_join(threads[i], NULL);
}

static void test_threads(void **state)
{
	as_role(*state, "keeper", count_on_threads);
	assert_has("eth2_slashingprotection_permitted_signings_total 400000");
}

/* Every index that the labels have is a cell of its own. */
static void test_last_cells(void **state)
{
	(void)state;
	metrics_add(METRIC_JOBS, METRICS_JOB_IMPORT, METRICS_FAILURE, 7);
	assert_has("ensign_jobs_total{job=\"import\",outcome=\"failed\"} 7");
	assert_has_not("job=\"init\"");
	assert_has("ensign_enclave_uptime_seconds 0");
}

static void test_attach(void **state)
{
	const struct memory *memory = *state;
	AUTO_FD int other = memfd_create("other", 0);
	struct error error = {0};

	assert_false(metrics_attach(memory->fd, "nobody", &error));
	assert_int_equal(error.code, ERROR_BUG);
	/* No such memory: nothing is counted, and that is all. */
	assert_true(metrics_attach(other, "nobody", &error));
	assert_true(metrics_attach(-1, "nobody", &error));
	assert_int_equal(ftruncate(memory->fd, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters_and_gauges),
		cmocka_unit_test(test_histograms),
		cmocka_unit_test(test_counters_outlive_a_role),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_last_cells),
		cmocka_unit_test(test_attach),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
