/* SPDX-License-Identifier: Apache-2.0 */
/* POST /api/v1/eth2/sign: one request, many keys. */
#include "vectors.h"

#include <pthread.h>
#include <signal.h>

#include "base/json.h"
#include "server_fixture.h"

#define PATH "/api/v1/eth2/sign"
#define MEMBERS                                                                                                                    \
	"\"fork_info\":{\"fork\":{\"previous_version\":\"0x00000001\",\"current_version\":\"0x00000002\",\"epoch\":\"3\"},"        \
	"\"genesis_validators_root\":\"0x01\"},\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":\"5\"}"
#define REQUEST "\"signing_request\":{" MEMBERS "}"
#define PATIENCE_MS 60000
#define IDENTIFIERS_MAX 4096
/* Of one batch with the keeper at one time. */
#define WINDOW 128

static struct fixture fixture;

static int start(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	/* No room for more than one window: what would send more is refused. */
	fixture_start(&fixture, &(struct fixture_options){.request_deadline_ms = PATIENCE_MS,
							  .keeper_deadline_ms = PATIENCE_MS,
							  .keeper_capacity = WINDOW});
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fixture_stop(&fixture);
	return 0;
}

/* 0x…: what the keeper is to do, and a number. */
static void format_key(uint8_t first, uint8_t second, unsigned number, char ret_text[2 * BLS_PUBLIC_KEY_SIZE + 3])
{
	uint8_t key[BLS_PUBLIC_KEY_SIZE] = {first, second, (uint8_t)(number >> 8), (uint8_t)number};

	(void)snprintf(ret_text, 3, "0x");
	hex_encode(view_of(key, sizeof key), ret_text + 2);
}

/* {"identifiers":["…",…],REQUEST}, keys from 0 on. */
static void append_body(struct buffer *body, unsigned count, uint8_t first, uint8_t second)
{
	char key[2 * BLS_PUBLIC_KEY_SIZE + 3];

	buffer_append_text(body, "{\"identifiers\":[");
	for (unsigned i = 0; i < count; i++) {
		format_key(first, second, i, key);
		buffer_append_format(body, "%s\"%s\"", i ? "," : "", key);
	}
	buffer_append_text(body, "]," REQUEST "}");
}

static json_t *exchange(struct fixture *with, const struct buffer *body)
{
	AUTO_ANSWER struct answer answer = {0};
	struct error error;
	json_t *results;

	fixture_exchange(with, "POST", PATH, "", buffer_view(body), &answer);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer_header(&answer, "Content-Type"), JSON_TYPE);
	results = json_parse(answer.body, "results", &error);
	assert_ok(results != NULL, &error);
	assert_true(json_is_array(results));
	return results;
}

static void assert_signed(json_t *result, const char *key)
{
	uint8_t signature[BLS_SIGNATURE_SIZE];
	char wanted[2 * BLS_SIGNATURE_SIZE + 3] = "0x";

	memset(signature, FIXTURE_SIGNATURE_BYTE, sizeof signature);
	hex_encode(view_of(signature, sizeof signature), wanted + 2);
	assert_int_equal(json_object_size(result), 2);
	assert_string_equal(json_string_value(json_object_get(result, "identifier")), key);
	assert_string_equal(json_string_value(json_object_get(result, "signature")), wanted);
}

static void assert_refused(json_t *result, const char *key, unsigned code, const char *message)
{
	json_t *refusal = json_object_get(result, "error");

	assert_int_equal(json_object_size(result), 2);
	assert_string_equal(json_string_value(json_object_get(result, "identifier")), key);
	assert_int_equal(json_object_size(refusal), 2);
	assert_int_equal(json_integer_value(json_object_get(refusal, "code")), code);
	if (!strstr(json_string_value(json_object_get(refusal, "message")), message))
		fail_msg("\"%s\" does not contain \"%s\"", json_string_value(json_object_get(refusal, "message")), message);
}

/* As many as there may be, through a keeper that takes no more than a window, in order. */
static void largest_batch_is_signed_in_order(void **state)
{
	AUTO_BUFFER struct buffer body = {0};
	AUTO_JSON json_t *results = NULL;
	char key[2 * BLS_PUBLIC_KEY_SIZE + 3];

	(void)state;
	append_body(&body, IDENTIFIERS_MAX, SIGN_OK, 0);
	results = exchange(&fixture, &body);
	assert_int_equal(json_array_size(results), IDENTIFIERS_MAX);
	for (unsigned i = 0; i < IDENTIFIERS_MAX; i++) {
		format_key(SIGN_OK, 0, i, key);
		assert_signed(json_array_get(results, i), key);
	}
	assert_int_equal(fixture.last.artifact_type, ARTIFACT_RANDAO_REVEAL);
	assert_int_equal(fixture.last.object.epoch, 5);
	assert_int_equal(fixture.last.fork_info.epoch, 3);
}

static void each_key_has_its_own_outcome(void **state)
{
	static const struct {
		uint8_t status;
		uint8_t verdict;
		unsigned code;
		const char *message;
	} cases[] = {
		{SIGN_OK, 0, 200, NULL},
		{SIGN_UNKNOWN_KEY, 0, 404, "no key 0x0100"},
		{SIGN_SLASHABLE, SLASHING_BLOCK_TOO_LOW, 412, "block slot 100 is not above the last signed slot 101"},
		{SIGN_OK, 0, 200, NULL}, /* a second time */
		{SIGN_ROOT_MISMATCH, 0, 400, "signing_root: the request says 0x0000"},
		{SIGN_WRONG_NETWORK, 0, 412, "network, hoodi"},
		{SIGN_LEDGER_FAILED, 0, 503, "store failed"},
		{SIGN_OVERLOADED, 0, 503, "than can be signed in time"},
		{SIGN_POLICY, 0, 403, "no rule of the signing policy"},
		{SIGN_BAD_REQUEST, 0, 500, "please report"},
		{200, 0, 500, "please report"},
	};
	AUTO_BUFFER struct buffer body = {0};
	AUTO_JSON json_t *results = NULL;
	char key[2 * BLS_PUBLIC_KEY_SIZE + 3];

	(void)state;
	buffer_append_text(&body, "{" REQUEST ",\"identifiers\":[");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		format_key(cases[i].status, cases[i].verdict, 0, key);
		buffer_append_format(&body, "%s\"%s\"", i ? "," : "", key);
	}
	buffer_append_text(&body, "]}");
	results = exchange(&fixture, &body);
	assert_int_equal(json_array_size(results), ARRAY_SIZE(cases));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		format_key(cases[i].status, cases[i].verdict, 0, key);
		if (cases[i].code == 200)
			assert_signed(json_array_get(results, i), key);
		else
			assert_refused(json_array_get(results, i), key, cases[i].code, cases[i].message);
	}
}

static void members_may_stand_beside_the_identifiers(void **state)
{
	AUTO_BUFFER struct buffer body = {0};
	AUTO_JSON json_t *results = NULL;
	char key[2 * BLS_PUBLIC_KEY_SIZE + 3];

	(void)state;
	format_key(SIGN_OK, 0, 1, key);
	buffer_append_format(&body, "{" MEMBERS ",\"identifiers\":[\"%s\"]}", key + 2);
	results = exchange(&fixture, &body);
	assert_int_equal(json_array_size(results), 1);
	assert_signed(json_array_get(results, 0), key);
}

static void bad_batches_are_400(void **state)
{
#define KEY "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	static const struct {
		const char *body;
		const char *message;
	} cases[] = {
		{"", "body: empty"},
		{"[]", "body: "},
		{"{" REQUEST "}", "identifiers: missing"},
		{"{" REQUEST ",\"identifiers\":\"" KEY "\"}", "identifiers: "},
		{"{" REQUEST ",\"identifiers\":[]}", "identifiers: empty"},
		{"{" REQUEST ",\"identifiers\":[\"" KEY "\",7]}", "identifiers: number 2 is no BLS public key"},
		{"{" REQUEST ",\"identifiers\":[null]}", "identifiers: number 1 is no BLS public key"},
		{"{" REQUEST ",\"identifiers\":[\"" KEY "0\"]}", "identifiers: number 1 is no BLS public key"},
		{"{" REQUEST ",\"identifiers\":[\"nonsense\"]}", "identifiers: number 1 is no BLS public key"},
		{"{\"identifiers\":[\"" KEY "\"]}", "type: missing"},
		{"{\"identifiers\":[\"" KEY "\"],\"signing_request\":{}}", "signing_request: type: missing"},
		{"{\"identifiers\":[\"" KEY "\"],\"signing_request\":[]}", "signing_request: "},
		{"{\"identifiers\":[\"" KEY "\"],\"signing_request\":{\"type\":\"RANDAO_REVEAL\"}}",
		 "signing_request: randao_reveal: missing"},
	};
	AUTO_BUFFER struct buffer body = {0};
	AUTO_ANSWER struct answer many = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ANSWER struct answer answer = {0};

		fixture_exchange(&fixture, "POST", PATH, "", view_of_text(cases[i].body), &answer);
		assert_error(&answer, 400, cases[i].message);
	}
	append_body(&body, IDENTIFIERS_MAX + 1, SIGN_OK, 0);
	fixture_exchange(&fixture, "POST", PATH, "", buffer_view(&body), &many);
	assert_error(&many, 400, "identifiers: 4097 of them, at most 4096");
}

static void answer_is_json_only(void **state)
{
	AUTO_BUFFER struct buffer body = {0};
	AUTO_ANSWER struct answer refused = {0};
	AUTO_ANSWER struct answer answer = {0};

	(void)state;
	append_body(&body, 1, SIGN_OK, 0);
	fixture_exchange(&fixture, "POST", PATH, "Accept: text/plain\r\n", buffer_view(&body), &refused);
	assert_error(&refused, 406, "application/json");
	fixture_exchange(&fixture, "POST", PATH, "Accept: application/*\r\n", buffer_view(&body), &answer);
	assert_int_equal(answer.status, 200);
}

static void costly_json_is_503(void **state)
{
	AUTO_ANSWER struct answer refused = {0};
	AUTO_BUFFER struct buffer body = {0};

	(void)state;
	buffer_append_text(&body, "{\"identifiers\":[0");
	while (body.size < API_BODY_MAX_SIZE - 2)
		buffer_append_text(&body, ",0");
	fixture_exchange(&fixture, "POST", PATH, "", buffer_view(&body), &refused);
	assert_error(&refused, 503, "memory");
}

/* Every key of a batch whose keeper goes away is answered, those that were never sent as well. */
static void dead_keeper_is_an_error_for_each_key(void **state)
{
	AUTO_BUFFER struct buffer body = {0};
	AUTO_JSON json_t *results = NULL;
	struct fixture own;
	char key[2 * BLS_PUBLIC_KEY_SIZE + 3];

	(void)state;
	fixture_start(&own, &(struct fixture_options){0});
	append_body(&body, 3 * WINDOW, SIGN_OK, KEY_DIES);
	results = exchange(&own, &body);
	assert_int_equal(json_array_size(results), 3 * WINDOW);
	for (unsigned i = 0; i < 3 * WINDOW; i++) {
		format_key(SIGN_OK, KEY_DIES, i, key);
		assert_refused(json_array_get(results, i), key, 503, "");
	}
	fixture_stop(&own);
}

static void silent_keeper_is_an_error_for_each_key(void **state)
{
	AUTO_BUFFER struct buffer body = {0};
	AUTO_JSON json_t *results = NULL;
	struct fixture own;
	char key[2 * BLS_PUBLIC_KEY_SIZE + 3];

	(void)state;
	fixture_start(&own, &(struct fixture_options){.keeper_deadline_ms = 200});
	append_body(&body, WINDOW + 1, SIGN_OK, KEY_SILENT);
	results = exchange(&own, &body);
	assert_int_equal(json_array_size(results), WINDOW + 1);
	for (unsigned i = 0; i <= WINDOW; i++) {
		format_key(SIGN_OK, KEY_SILENT, i, key);
		assert_refused(json_array_get(results, i), key, 503, "did not answer within 200 ms");
	}
	fixture_stop(&own);
}

/* The first ones use up the time, the others are not begun; more than the 10 s that a batch has. */
static void late_keys_are_not_begun(void **state)
{
	AUTO_BUFFER struct buffer body = {0};
	AUTO_JSON json_t *results = NULL;
	struct fixture own;
	char key[2 * BLS_PUBLIC_KEY_SIZE + 3];

	(void)state;
	fixture_start(&own, &(struct fixture_options){.keeper_deadline_ms = 10500, .request_deadline_ms = PATIENCE_MS});
	append_body(&body, 2 * WINDOW, SIGN_OK, KEY_SILENT);
	results = exchange(&own, &body);
	assert_int_equal(json_array_size(results), 2 * WINDOW);
	for (unsigned i = 0; i < 2 * WINDOW; i++) {
		format_key(SIGN_OK, KEY_SILENT, i, key);
		assert_refused(json_array_get(results, i), key, 503, i < WINDOW ? "did not answer" : "no time was left");
	}
	fixture_stop(&own);
}

static void answers_are_charged(void **state)
{
	AUTO_BUFFER struct buffer large = {0};
	AUTO_BUFFER struct buffer small = {0};
	AUTO_ANSWER struct answer refused = {0};
	AUTO_JSON json_t *results = NULL;
	struct fixture own;

	(void)state;
	fixture_start(&own, &(struct fixture_options){.answer_budget = 1 << 20});
	append_body(&large, IDENTIFIERS_MAX, SIGN_OK, 0);
	append_body(&small, 2, SIGN_OK, 0);
	fixture_exchange(&own, "POST", PATH, "", buffer_view(&large), &refused);
	assert_error(&refused, 503, "large answers");
	results = exchange(&own, &small);
	assert_int_equal(json_array_size(results), 2);
	fixture_stop(&own);
}

#define BATCHES_MAX 16

/* Until it has a place: the batch that looks for a refusal has one now and then. */
static void *silent_batch(void *context)
{
	AUTO_BUFFER struct buffer body = {0};
	unsigned status = 503;

	append_body(&body, 1, SIGN_OK, KEY_SILENT);
	while (status == 503) {
		AUTO_ANSWER struct answer answer = {0};

		fixture_exchange((struct fixture *)context, "POST", PATH, "", buffer_view(&body), &answer);
		status = answer.status;
	}
	assert_int_equal(status, 200);
	return NULL;
}

/* Batches that wait for a keeper that says nothing are so many and no more, and single requests go on. */
static void further_batches_are_503(void **state)
{
	AUTO_BUFFER struct buffer body = {0};
	AUTO_ANSWER struct answer refused = {0};
	AUTO_ANSWER struct answer single = {0};
	AUTO_ANSWER struct answer last = {0};
	AUTO_JSON json_t *results = NULL;
	pthread_t threads[BATCHES_MAX];
	struct fixture own;

	(void)state;
	fixture_start(&own, &(struct fixture_options){.keeper_deadline_ms = PATIENCE_MS, .request_deadline_ms = PATIENCE_MS});
	for (size_t i = 0; i < BATCHES_MAX; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, silent_batch, &own), 0);
	append_body(&body, 1, SIGN_OK, 0);
	while (refused.status != 503) {
		answer_done(&refused);
		refused = (struct answer){0};
		fixture_exchange(&own, "POST", PATH, "", buffer_view(&body), &refused);
	}
	assert_error(&refused, 503, "too many batches");
	fixture_exchange(&own, "POST", sign_path(SIGN_OK, 0), "", view_of_text("{" MEMBERS "}"), &single);
	assert_int_equal(single.status, 200);
	fixture_exchange(&own, "POST", sign_path(SIGN_OK, KEY_DIES), "", view_of_text("{" MEMBERS "}"), &last);
	assert_int_equal(last.status, 503);
	for (size_t i = 0; i < BATCHES_MAX; i++)
		(void)pthread_join(threads[i], NULL);
	/* The places of the others are free again. */
	results = exchange(&own, &body);
	assert_int_equal(json_array_size(results), 1);
	fixture_stop(&own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(largest_batch_is_signed_in_order),
		cmocka_unit_test(each_key_has_its_own_outcome),
		cmocka_unit_test(members_may_stand_beside_the_identifiers),
		cmocka_unit_test(bad_batches_are_400),
		cmocka_unit_test(answer_is_json_only),
		cmocka_unit_test(costly_json_is_503),
	};
	const struct CMUnitTest others[] = {
		cmocka_unit_test(dead_keeper_is_an_error_for_each_key),
		cmocka_unit_test(silent_keeper_is_an_error_for_each_key),
		cmocka_unit_test(late_keys_are_not_begun),
		cmocka_unit_test(answers_are_charged),
		cmocka_unit_test(further_batches_are_503),
	};
	int failed = cmocka_run_group_tests_name("batch", tests, start, stop);

	return failed + cmocka_run_group_tests_name("batch under stress", others, NULL, NULL);
}
