/* SPDX-License-Identifier: Apache-2.0 */
/* /healthcheck and /api/v1/eth2/highWatermark. */
#include "vectors.h"

#include <signal.h>

#include "base/json.h"
#include "server_fixture.h"

#define HEALTH "/healthcheck"
#define HIGH_WATERMARK "/api/v1/eth2/highWatermark"
#define LEDGER_CHECK "slashing-protection-db-health-check"
#define NOTHING view_of(NULL, 0)

static json_t *find_check(json_t *health, const char *id)
{
	json_t *checks = json_object_get(health, "checks");
	json_t *check;
	size_t index;

	json_array_foreach(checks, index, check)
	{
		if (strcmp(json_string_value(json_object_get(check, "id")), id) == 0)
			return check;
	}
	return NULL;
}

static const char *status_of(json_t *check)
{
	return json_string_value(json_object_get(check, "status"));
}

/* The body; its status, its outcome and the HTTP status agree. */
static json_t *ask_health(struct fixture *fixture, const char *headers, bool is_up)
{
	AUTO_ANSWER struct answer answer = {0};
	struct error error;
	json_t *health;

	fixture_exchange(fixture, "GET", HEALTH, headers, NOTHING, &answer);
	assert_int_equal(answer.status, is_up ? 200 : 503);
	assert_string_equal(answer_header(&answer, "Content-Type"), JSON_TYPE);
	health = json_parse_object(answer.body, "health", &error);
	assert_ok(health != NULL, &error);
	assert_string_equal(json_string_value(json_object_get(health, "status")), is_up ? "UP" : "DOWN");
	assert_string_equal(json_string_value(json_object_get(health, "outcome")), is_up ? "UP" : "DOWN");
	return health;
}

static void health_follows_the_ledger(void **state)
{
	static const struct {
		struct message_health_result health;
		bool is_up;
	} cases[] = {
		{{.has_commit = 0}, true},
		{{.has_commit = 1, .commit_age_ms = 1000000}, true},
		{{.ledger_waiting_ms = 3000}, true},
		{{.ledger_waiting_ms = 3001}, false},
		{{.has_failure = 1, .failure_age_ms = 10}, false},
		{{.has_failure = 1, .failure_age_ms = 60000}, false},
		{{.has_failure = 1, .failure_age_ms = 60001}, true},
		{{.has_failure = 1, .failure_age_ms = 10, .has_commit = 1, .commit_age_ms = 11}, false},
		{{.has_failure = 1, .failure_age_ms = 10, .has_commit = 1, .commit_age_ms = 9}, true},
		{{.has_failure = 1, .failure_age_ms = 10, .has_commit = 1, .commit_age_ms = 9, .ledger_waiting_ms = 9999}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_JSON json_t *health = NULL;
		struct fixture fixture;
		json_t *check;
		json_t *data;

		fixture_start(&fixture, &(struct fixture_options){.key_count = 7, .health = cases[i].health});
		health = ask_health(&fixture, "", cases[i].is_up);
		fixture_stop(&fixture);
		assert_int_equal(json_array_size(json_object_get(health, "checks")), 3);
		assert_string_equal(status_of(find_check(health, "default-check")), "UP");
		check = find_check(health, LEDGER_CHECK);
		assert_string_equal(status_of(check), cases[i].is_up ? "UP" : "DOWN");
		data = json_object_get(check, "data");
		assert_int_equal(json_integer_value(json_object_get(data, "waiting-ms")), cases[i].health.ledger_waiting_ms);
		assert_int_equal(json_object_get(data, "last-commit-age-ms") != NULL, cases[i].health.has_commit);
		assert_int_equal(json_object_get(data, "last-failure-age-ms") != NULL, cases[i].health.has_failure);
		data = json_object_get(find_check(health, "keys-check"), "data");
		assert_int_equal(json_integer_value(json_object_get(data, "keys-loaded")), 7);
		assert_int_equal(json_integer_value(json_object_get(data, "error-count")), 0);
	}
}

static void health_counts_rows_that_failed(void **state)
{
	static const struct {
		uint64_t key_count, failed_count;
		bool is_up;
	} cases[] = {{7, 0, true}, {7, 2, true}, {0, 0, true}, {0, 2, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_JSON json_t *health = NULL;
		struct fixture fixture;
		json_t *check;
		json_t *data;

		fixture_start(&fixture, &(struct fixture_options){.key_count = cases[i].key_count,
								  .health = {.failed_count = cases[i].failed_count}});
		health = ask_health(&fixture, "", cases[i].is_up);
		fixture_stop(&fixture);
		assert_string_equal(status_of(find_check(health, LEDGER_CHECK)), "UP");
		check = find_check(health, "keys-check");
		assert_string_equal(status_of(check), cases[i].is_up ? "UP" : "DOWN");
		data = json_object_get(check, "data");
		assert_int_equal(json_integer_value(json_object_get(data, "keys-loaded")), cases[i].key_count);
		assert_int_equal(json_integer_value(json_object_get(data, "error-count")), cases[i].failed_count);
	}
}

static void without_protection_there_is_no_ledger_to_check(void **state)
{
	AUTO_ANSWER struct answer answer = {0};
	AUTO_JSON json_t *health = NULL;
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){.slashing_off = true});
	health = ask_health(&fixture, "Accept: text/plain\r\n", true);
	assert_null(find_check(health, LEDGER_CHECK));
	assert_non_null(find_check(health, "keys-check"));
	fixture_exchange(&fixture, "GET", HIGH_WATERMARK, "", NOTHING, &answer);
	assert_error(&answer, 404, "nothing at this path");
	fixture_stop(&fixture);
}

static void dead_keeper_is_down(void **state)
{
	AUTO_ANSWER struct answer answer = {0};
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){0});
	fixture_exchange(
		&fixture, "POST", sign_path(SIGN_OK, KEY_DIES), "",
		view_of_text("{\"type\":\"AGGREGATION_SLOT\",\"aggregation_slot\":{\"slot\":\"1\"},\"fork_info\":{\"fork\":{"
			     "\"previous_version\":\"0x00000001\",\"current_version\":\"0x00000002\",\"epoch\":\"3\"},"
			     "\"genesis_validators_root\":\"0x01\"}}"),
		&answer);
	assert_error(&answer, 503, "keeper");
	for (int i = 0; i < 2; i++) {
		AUTO_JSON json_t *health = ask_health(&fixture, "", false);
		json_t *check = find_check(health, "default-check");

		assert_string_equal(status_of(check), "DOWN");
		assert_non_null(json_object_get(json_object_get(check, "data"), "message"));
	}
	fixture_stop(&fixture);
}

static void no_high_watermark_is_an_empty_object(void **state)
{
	AUTO_ANSWER struct answer answer = {0};
	AUTO_ANSWER struct answer refused = {0};
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){0});
	fixture_exchange(&fixture, "GET", HIGH_WATERMARK, "", NOTHING, &answer);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer_header(&answer, "Content-Type"), JSON_TYPE);
	assert_true(view_equal_text(answer.body, "{}"));
	fixture_exchange(&fixture, "GET", HIGH_WATERMARK, "Accept: text/plain\r\n", NOTHING, &refused);
	assert_error(&refused, 406, "application/json");
	fixture_stop(&fixture);
}

static void shows_the_high_watermark(void **state)
{
	static const struct {
		struct high_watermark high;
		const char *text;
	} cases[] = {
		{{.has_slot = 1, .slot = 5}, "{\"slot\":\"5\"}"},
		{{.has_epoch = 1, .epoch = UINT64_MAX}, "{\"epoch\":\"18446744073709551615\"}"},
		{{.has_epoch = 1, .epoch = 7, .has_slot = 1}, "{\"epoch\":\"7\",\"slot\":\"0\"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ANSWER struct answer answer = {0};
		struct fixture fixture;

		fixture_start(&fixture, &(struct fixture_options){.health = {.high_watermark = cases[i].high}});
		fixture_exchange(&fixture, "GET", HIGH_WATERMARK, "", NOTHING, &answer);
		assert_int_equal(answer.status, 200);
		assert_true(view_equal_text(answer.body, cases[i].text));
		fixture_stop(&fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(health_follows_the_ledger), cmocka_unit_test(without_protection_there_is_no_ledger_to_check),
		cmocka_unit_test(dead_keeper_is_down),       cmocka_unit_test(no_high_watermark_is_an_empty_object),
		cmocka_unit_test(shows_the_high_watermark),  cmocka_unit_test(health_counts_rows_that_failed),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
