/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "sim/identities.h"
#include "sim_fixture.h"

#define CREDENTIALS_PATH "/latest/meta-data/iam/security-credentials/"
#define TOKEN_HEADER "X-aws-ec2-metadata-token: "
#define TTL_HEADER "X-aws-ec2-metadata-token-ttl-seconds: "

/* One exchange with the metadata service; `header` may be NULL. The status is returned. */
static long exchange(const struct sim_fixture *fixture, const char *method, const char *path, const char *header,
		     const char *second_header, struct buffer *ret_body)
{
	AUTO_FREE char *url = memory_format("%s%s", sim_fixture_endpoint(fixture, "imds_url"), path);
	const char *const headers[] = {header, second_header, NULL};
	const struct http_request request = {
		.method = method, .url = url, .headers = headers, .max_response_size = 65536, .timeout_ms = 10000};
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	struct error error = {0};

	assert_ok(http_exchange(&request, &response, &error), &error);
	if (ret_body)
		buffer_append(ret_body, buffer_view(&response.body));
	return response.status;
}

/* "X-aws-ec2-metadata-token: …", caller frees. */
static char *token_header(const struct sim_fixture *fixture, const char *ttl)
{
	AUTO_FREE char *header = memory_format(TTL_HEADER "%s", ttl);
	AUTO_BUFFER struct buffer token = {0};

	assert_int_equal(exchange(fixture, "PUT", "/latest/api/token", header, NULL, &token), 200);
	return memory_format(TOKEN_HEADER "%s", buffer_text(&token));
}

static void test_client_gets_credentials(void **state)
{
	struct sim_fixture *fixture = *state;
	uint64_t now_ms = clock_realtime_ms();

	/* The fixture got them through credentials_from_imds(). */
	assert_int_equal(strncmp(fixture->role.access_key_id, "ASIA", 4), 0);
	assert_int_equal(fixture->role.secret_access_key.size, 40);
	assert_true(fixture->role.session_token.size > 100);
	assert_true(fixture->role.expiration_ms > now_ms + ROLE_CREDENTIALS_RENEW_MS);
	assert_true(fixture->role.expiration_ms <= now_ms + ROLE_CREDENTIALS_LIFETIME_MS);
}

static void test_the_same_until_they_run_out(void **state)
{
	struct sim_fixture *fixture = *state;
	AUTO_CREDENTIALS struct credentials again = {0};
	AUTO_SIM_IDENTITY struct sim_identity later = {0};
	struct error error = {0};
	uint64_t late_ms = fixture->role.expiration_ms - ROLE_CREDENTIALS_RENEW_MS + 2000;

	assert_ok(credentials_from_imds(sim_fixture_endpoint(fixture, "imds_url"), &again, &error), &error);
	assert_string_equal(again.access_key_id, fixture->role.access_key_id);
	assert_ok(identities_role(simulator_store(fixture->simulator), SIM_ROLE_ARN, SIM_INSTANCE_ID, late_ms, &later, &error),
		  &error);
	assert_string_not_equal(later.credentials.access_key_id, fixture->role.access_key_id);
	assert_int_equal(later.credentials.expiration_ms, late_ms + ROLE_CREDENTIALS_LIFETIME_MS);
	assert_string_equal(later.principal_arn, SIM_ROLE_ARN);
	assert_string_equal(later.session_arn, "arn:aws:sts::" SIM_ACCOUNT ":assumed-role/ensign-host/" SIM_INSTANCE_ID);
}

static void test_paths(void **state)
{
	struct sim_fixture *fixture = *state;
	AUTO_FREE char *token = token_header(fixture, "60");
	AUTO_BUFFER struct buffer role = {0};
	AUTO_BUFFER struct buffer instance = {0};
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *credentials = NULL;
	struct error error = {0};
	const char *expiration;
	uint64_t expiration_ms;

	assert_int_equal(exchange(fixture, "GET", CREDENTIALS_PATH, token, NULL, &role), 200);
	assert_string_equal(buffer_text(&role), "ensign-host");
	assert_int_equal(exchange(fixture, "GET", "/latest/meta-data/instance-id", token, NULL, &instance), 200);
	assert_string_equal(buffer_text(&instance), SIM_INSTANCE_ID);
	assert_int_equal(exchange(fixture, "GET", CREDENTIALS_PATH "ensign-host", token, NULL, &text), 200);
	credentials = json_parse_object(buffer_view(&text), "credentials", &error);
	assert_ok(credentials != NULL, &error);
	assert_string_equal(json_string_value(json_object_get(credentials, "Code")), "Success");
	assert_string_equal(json_string_value(json_object_get(credentials, "Type")), "AWS-HMAC");
	assert_ok(json_read_text(credentials, "Expiration", &expiration, &error), &error);
	assert_true(clock_parse(expiration, &expiration_ms));
	assert_int_equal(strlen(expiration), strlen("2026-11-23T00:39:22Z"));
	assert_non_null(json_object_get(credentials, "LastUpdated"));
	assert_int_equal(exchange(fixture, "GET", CREDENTIALS_PATH "other", token, NULL, NULL), 404);
	assert_int_equal(exchange(fixture, "GET", "/latest/user-data", token, NULL, NULL), 404);
	assert_int_equal(exchange(fixture, "GET", "/latest/api/token", token, NULL, NULL), 405);
	assert_int_equal(exchange(fixture, "PUT", "/latest/meta-data/instance-id", token, NULL, NULL), 405);
}

static void test_nothing_without_token(void **state)
{
	static const char *const paths[] = {CREDENTIALS_PATH, CREDENTIALS_PATH "ensign-host", "/latest/meta-data/instance-id"};
	struct sim_fixture *fixture = *state;
	AUTO_FREE char *good = token_header(fixture, "21600");
	AUTO_FREE char *forged = memory_copy_text(good);
	AUTO_FREE char *cut = memory_copy_text(good);
	/* The time in the first eight bytes is authenticated too. */
	char *first = forged + strlen(TOKEN_HEADER);

	*first = *first == '0' ? '1' : '0';
	cut[strlen(cut) - 2] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		AUTO_BUFFER struct buffer body = {0};

		assert_int_equal(exchange(fixture, "GET", paths[i], NULL, NULL, &body), 401);
		assert_int_equal(exchange(fixture, "GET", paths[i], forged, NULL, &body), 401);
		assert_int_equal(exchange(fixture, "GET", paths[i], cut, NULL, &body), 401);
		assert_int_equal(exchange(fixture, "GET", paths[i], TOKEN_HEADER "x", NULL, &body), 401);
		assert_int_equal(exchange(fixture, "GET", paths[i], good, good, &body), 401);
		assert_int_equal(body.size, 0);
		assert_int_equal(exchange(fixture, "GET", paths[i], good, NULL, NULL), 200);
	}
}

static void test_token_runs_out(void **state)
{
	struct sim_fixture *fixture = *state;
	AUTO_FREE char *token = token_header(fixture, "1");
	uint64_t end_ms = clock_monotonic_ms() + 5000;
	long status = 200;

	while (status == 200 && clock_monotonic_ms() < end_ms) {
		(void)usleep(50000);
		status = exchange(fixture, "GET", CREDENTIALS_PATH, token, NULL, NULL);
	}
	assert_int_equal(status, 401);
}

static void test_token_requests(void **state)
{
	static const char *const bad[] = {"0", "21601", "-1", "x", "99999999999999999999", "1 2"};
	struct sim_fixture *fixture = *state;

	assert_int_equal(exchange(fixture, "PUT", "/latest/api/token", NULL, NULL, NULL), 400);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_FREE char *header = memory_format(TTL_HEADER "%s", bad[i]);

		assert_int_equal(exchange(fixture, "PUT", "/latest/api/token", header, NULL, NULL), 400);
	}
	assert_int_equal(exchange(fixture, "PUT", "/latest/api/token", TTL_HEADER "60", "X-Forwarded-For: 10.0.0.1", NULL), 403);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_gets_credentials),
		cmocka_unit_test(test_the_same_until_they_run_out),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_nothing_without_token),
		cmocka_unit_test(test_token_runs_out),
		cmocka_unit_test(test_token_requests),
	};

	json_use_wiping_memory();
	return cmocka_run_group_tests(tests, sim_fixture_setup, sim_fixture_teardown);
}
