/* SPDX-License-Identifier: Apache-2.0 */
/* The DynamoDB store against a server that says what it is told to: what no real one can be made to say when a test wants it. */
#include "slashing/store_dynamodb.h"

#include "base/clock.h"
#include "example_credentials.h"
#include "http_test_server.h"
#include "store_place.h"

#define ATTEMPT_MS 5000
#define DEADLINE_MS 20000
/* What a machine under load may need beside the delays that a test asks for. */
#define SLACK_MS 3000

#define ROOT07 "0707070707070707070707070707070707070707070707070707070707070707"
#define ROOT08 "0808080808080808080808080808080808080808080808080808080808080808"
#define ROOT1 "0100000000000000000000000000000000000000000000000000000000000000"
#define KEY(n) "0" n "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

struct fixture {
	struct test_answer answers[TEST_SERVER_MAX_REQUESTS];
	struct test_server *server;
	char host[32];
	struct slashing_store *store; /* of the chain 7 */
	struct error error;
};

static void fixture_done(struct fixture *fixture)
{
	slashing_store_free(fixture->store);
	test_server_free(&fixture->server);
}

#define AUTO_FIXTURE CLEANUP(fixture_done)

#define READ(items) "{\"Responses\":{\"SlashingProtection\":[" items "]},\"UnprocessedKeys\":{}}"

/* The first question is for the high watermark, which commits are judged by for a while: there is none. `answers` are to what follows. */
static void fixture_make(struct fixture *fixture, const struct test_answer *answers, size_t count, unsigned deadline_ms)
{
	struct store_dynamodb_options options = {
		.endpoint = {.region = "us-east-1", .host = fixture->host, .timeout_ms = ATTEMPT_MS, .is_plain = true},
		.credentials = &credentials,
		.deadline_ms = deadline_ms,
	};
	struct high_watermark high;
	uint8_t root[ROOT_SIZE];

	*fixture = (struct fixture){.answers[0] = {.status = 200, .body = READ("")}};
	assert_in_range(count, 1, TEST_SERVER_MAX_REQUESTS - 1);
	memcpy(&fixture->answers[1], answers, count * sizeof *answers);
	fixture->server = test_server_new(NULL, NULL, fixture->answers, count + 1);
	(void)snprintf(fixture->host, sizeof fixture->host, "localhost:%u", test_server_port(fixture->server));
	fixture->store = slashing_store_open_dynamodb(&options, &fixture->error);
	assert_ok(fixture->store != NULL, &fixture->error);
	memset(root, 7, sizeof root);
	slashing_store_use_root(fixture->store, root);
	assert_ok(slashing_store_high(fixture->store, UINT64_MAX, &high, &fixture->error), &fixture->error);
	assert_int_equal(high.has_slot + high.has_epoch, 0);
}

/* After the first. */
static size_t request_count(const struct fixture *fixture)
{
	return test_server_request_count(fixture->server) - 1;
}

#define CANCELLED(reasons)                                                                                                         \
	"{\"__type\":\"com.amazonaws.dynamodb.v20120810#TransactionCanceledException\",\"CancellationReasons\":[" reasons "]}"
#define NONE "{\"Code\":\"None\"}"
#define REFUSED(item) "{\"Code\":\"ConditionalCheckFailed\",\"Item\":" item "}"
#define REFUSED_BY_NOTHING "{\"Code\":\"ConditionalCheckFailed\"}"

static const struct test_answer well = {.status = 200, .body = "{}"};

static bool asks_for(const struct fixture *fixture, size_t n, const char *text)
{
	const struct buffer *body = &test_server_request(fixture->server, n + 1)->body;

	return memmem(body->data, body->size, text, strlen(text)) != NULL;
}

/* ---- the high watermark ---- */

static void without_the_high_watermark_nothing_is_durable(void **state)
{
	static const struct test_answer answers[] = {
		{.status = 200, .body = READ("{\"pubkey\":{\"S\":\"high_watermark_" ROOT07 "\"},\"high_slot\":{\"S\":\"5\"}}")},
		{.status = 400, .body = "{\"__type\":\"AccessDeniedException\"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		AUTO_FIXTURE struct fixture fixture;
		struct store_history asked = act(0, STORE_READ_HIGH);
		struct store_history_result result;

		fixture_make(&fixture, &answers[i], 1, 1000);
		assert_false(slashing_store_history(fixture.store, &asked, 1, &result, &fixture.error));
		assert_int_equal(result.outcome, STORE_FAILED);
	}
}

/* Whether it was made is not known, so it is read again before anything is judged by it. */
static void a_change_in_doubt_is_read_again(void **state)
{
	static const struct test_answer answers[] = {
		{.status = 400, .body = "{\"__type\":\"AccessDeniedException\"}"},
		{.status = 200, .body = READ("")},
	};
	const struct store_commit asked = on_chain(7, block(1, 5, 1));
	struct store_history set = {.action = STORE_SET_HIGH, .high = {.has_slot = 1, .slot = 5}};
	AUTO_FIXTURE struct fixture fixture;
	struct store_history_result set_result;
	struct store_result result;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers), 1000);
	assert_false(slashing_store_history(fixture.store, &set, 1, &set_result, &fixture.error));
	assert_int_equal(set_result.outcome, STORE_FAILED);
	assert_true(asks_for(&fixture, 0, "high_watermark_" ROOT07));
	assert_ok(slashing_store_commit(fixture.store, &asked, 1, &result, &fixture.error), &fixture.error);
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_int_equal(request_count(&fixture), 3);
	assert_true(asks_for(&fixture, 1, "high_watermark_" ROOT07));
	assert_true(asks_for(&fixture, 2, "block_slot"));
}

/* ---- commits ---- */

static void a_refusal_is_judged_by_the_row(void **state)
{
	const struct {
		struct store_commit commit;
		const char *reason;
		enum store_outcome outcome;
		const char *message; /* of STORE_FAILED */
	} cases[] = {
		{block(1, 10, 2), REFUSED("{\"block_slot\":{\"N\":\"10\"},\"block_root\":{\"S\":\"" ROOT1 "\"}}"), STORE_CONFLICT,
		 NULL},
		{block(1, 10, 1), REFUSED("{\"block_slot\":{\"N\":\"11\"}}"), STORE_CONFLICT, NULL},
		{block(1, 10, 0), REFUSED("{\"block_slot\":{\"N\":\"10\"}}"), STORE_CONFLICT, NULL},
		{attestation(1, 4, 5, 1), REFUSED("{\"source_epoch\":{\"N\":\"5\"},\"target_epoch\":{\"N\":\"5\"}}"),
		 STORE_CONFLICT, NULL},
		{attestation(1, 4, 5, 1), REFUSED("{\"source_epoch\":{\"N\":\"4\"},\"target_epoch\":{\"N\":\"5\"}}"),
		 STORE_CONFLICT, NULL},
		{block(1, 10, 1), REFUSED("{\"retired\":{\"BOOL\":true}}"), STORE_RETIRED, NULL},
		{known(block(1, 10, 1)), REFUSED("{\"retired\":{\"BOOL\":true}}"), STORE_RETIRED, NULL},
		{block(1, 10, 1), REFUSED("{\"genesis_validators_root\":{\"S\":\"" ROOT08 "\"}}"), STORE_WRONG_NETWORK, NULL},
		{known(block(1, 10, 1)), REFUSED_BY_NOTHING, STORE_NO_HISTORY, NULL},
		{known(block(1, 10, 1)),
		 REFUSED("{\"genesis_validators_root\":{\"S\":\"" ROOT07 "\"},\"retired\":{\"BOOL\":false}}"), STORE_NO_HISTORY,
		 NULL},
		/* Refused for nothing that we can see: one of us is wrong, so nobody signs. */
		{block(1, 10, 1), REFUSED_BY_NOTHING, STORE_FAILED, "refused a commit that the row it shows allows"},
		{block(1, 10, 1), REFUSED("{\"block_slot\":{\"N\":\"9\"}}"), STORE_FAILED, "refused a commit that"},
		{block(1, 10, 1), REFUSED("{\"block_slot\":{\"N\":\"10\"},\"block_root\":{\"S\":\"" ROOT1 "\"}}"), STORE_FAILED,
		 "refused a commit that"},
		{known(block(1, 10, 1)), REFUSED("{\"begun_at\":{\"N\":\"1\"}}"), STORE_FAILED, "refused a commit that"},
		{block(1, 10, 1), REFUSED("{\"block_slot\":{\"S\":\"11\"}}"), STORE_FAILED, "block_slot: not of the type N"},
		{block(1, 10, 1), REFUSED("{\"retired\":{\"S\":\"no\"}}"), STORE_FAILED, "retired: not of the type BOOL"},
		{attestation(1, 4, 5, 1), REFUSED("{\"source_epoch\":{\"N\":\"4\"}}"), STORE_FAILED, "without the other"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *body = memory_format(CANCELLED("%s"), cases[i].reason);
		const struct test_answer answer = {400, body};
		const struct store_commit commit = on_chain(7, cases[i].commit);
		struct store_result result;
		AUTO_FIXTURE struct fixture fixture;
		bool ok;

		fixture_make(&fixture, &answer, 1, DEADLINE_MS);
		ok = slashing_store_commit(fixture.store, &commit, 1, &result, &fixture.error);
		assert_int_equal(result.outcome, cases[i].outcome);
		assert_int_equal(ok, cases[i].message == NULL);
		if (cases[i].message)
			assert_message_contains(&fixture.error, cases[i].message);
		if (result.outcome == STORE_WRONG_NETWORK)
			assert_int_equal(result.genesis_validators_root[0], 8);
		if (result.outcome == STORE_CONFLICT)
			assert_true(result.watermark.has_block || result.watermark.has_attestation);
		assert_int_equal(request_count(&fixture), 1);
	}
}

static void an_answer_that_was_lost_is_asked_for_again(void **state)
{
	static const struct test_answer answers[] = {{.is_lost = true}, {.status = 200, .body = "{}"}};
	const struct store_commit group[] = {on_chain(7, block(1, 10, 1)), on_chain(7, attestation(2, 4, 5, 1))};
	struct store_result results[ARRAY_SIZE(group)];
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers), DEADLINE_MS);
	assert_ok(slashing_store_commit(fixture.store, group, ARRAY_SIZE(group), results, &fixture.error), &fixture.error);
	assert_int_equal(results[0].outcome, STORE_DURABLE);
	assert_int_equal(results[1].outcome, STORE_DURABLE);
	assert_true(asks_for(&fixture, 0, "\"" KEY("1") "\"") && asks_for(&fixture, 0, "\"" KEY("2") "\""));
}

/* What nobody vouches for is in doubt, whatever becomes of the others. */
static void without_an_answer_nothing_is_durable(void **state)
{
	static const struct test_answer answers[] = {
		{400, CANCELLED(NONE ",{\"Code\":\"TransactionConflict\"}," REFUSED("{\"retired\":{\"BOOL\":true}}"))},
		{.status = 200, .body = "{}", .delay_ms = 1200},
	};
	const struct store_commit group[] = {on_chain(7, block(1, 10, 1)), on_chain(7, block(2, 10, 1)),
					     on_chain(7, block(3, 10, 1)), on_chain(8, block(4, 10, 1)),
					     on_chain(7, block(1, 11, 1))};
	const enum store_outcome expected[] = {STORE_FAILED, STORE_FAILED, STORE_RETIRED, STORE_WRONG_NETWORK, STORE_FAILED};
	struct store_result results[ARRAY_SIZE(group)];
	uint64_t start_ms = clock_monotonic_ms();
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers), 600);
	assert_false(slashing_store_commit(fixture.store, group, ARRAY_SIZE(group), results, &fixture.error));
	assert_true(clock_monotonic_ms() - start_ms < 600 + SLACK_MS);
	for (size_t i = 0; i < ARRAY_SIZE(group); i++)
		assert_int_equal(results[i].outcome, expected[i]);
	assert_message_contains(&fixture.error, "2 of 3 items in doubt"); /* what was first, not that the last had no time left */
}

/* No two of one transaction are of the same key, and they go in their order. */
static void the_same_key_waits_for_its_turn(void **state)
{
	static const struct test_answer answers[] = {
		{200, "{}"}, {400, CANCELLED(REFUSED("{\"block_slot\":{\"N\":\"10\"}}"))}, {200, "{}"}};
	const struct store_commit group[] = {on_chain(7, block(1, 10, 1)), on_chain(7, block(1, 10, 2)),
					     on_chain(7, block(2, 10, 1)), on_chain(7, attestation(1, 6, 5, 1)),
					     on_chain(7, attestation(1, 4, 5, 1))};
	const enum store_outcome expected[] = {STORE_DURABLE, STORE_CONFLICT, STORE_DURABLE, STORE_CONFLICT, STORE_DURABLE};
	struct store_result results[ARRAY_SIZE(group)];
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers), DEADLINE_MS);
	assert_ok(slashing_store_commit(fixture.store, group, ARRAY_SIZE(group), results, &fixture.error), &fixture.error);
	for (size_t i = 0; i < ARRAY_SIZE(group); i++)
		assert_int_equal(results[i].outcome, expected[i]);
	assert_int_equal(request_count(&fixture), 3);
	assert_true(asks_for(&fixture, 0, "\"" KEY("1") "\"") && asks_for(&fixture, 0, "\"" KEY("2") "\""));
	assert_false(asks_for(&fixture, 1, "\"" KEY("2") "\""));
	assert_true(asks_for(&fixture, 2, ":target"));
}

static void a_root_is_not_learned(void **state)
{
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	fixture_make(&fixture, &well, 1, DEADLINE_MS);
	assert_false(slashing_store_learn_root(fixture.store, &fixture.error));
	assert_int_equal(fixture.error.code, ERROR_INPUT);
	assert_message_contains(&fixture.error, "cannot be learned");
}

/* ---- histories ---- */

#define ROW(attributes) "{\"pubkey\":{\"S\":\"" KEY("1") "\"}," attributes "}"

static struct store_history_result ask_for(struct fixture *fixture, struct store_history asked, bool expected)
{
	struct store_history_result result;

	assert_int_equal(slashing_store_history(fixture->store, &asked, 1, &result, &fixture->error), expected);
	return result;
}

/* Somebody raised it between our read and our write: it is read again, and not lowered. */
static void a_row_that_changed_is_folded_again(void **state)
{
	static const struct test_answer answers[] = {
		{200, READ(ROW("\"block_slot\":{\"N\":\"10\"}"))},
		{400, CANCELLED(REFUSED("{\"block_slot\":{\"N\":\"30\"}}"))},
		{200, READ(ROW("\"block_slot\":{\"N\":\"30\"}"))},
		{200, "{}"},
	};
	const struct watermark watermark = {
		.has_block = true, .block_slot = 20, .has_attestation = true, .source_epoch = 1, .target_epoch = 2};
	AUTO_FIXTURE struct fixture fixture;
	struct store_history_result result;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers), DEADLINE_MS);
	result = ask_for(&fixture, raise_to(1, 7, watermark), true);
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_int_equal(result.watermark.block_slot, 30);
	assert_int_equal(result.watermark.target_epoch, 2);
	assert_true(asks_for(&fixture, 0, "\"ConsistentRead\":true"));
	assert_true(asks_for(&fixture, 1, "\":old1\":{\"N\":\"10\"}") && asks_for(&fixture, 1, "\":new1\":{\"N\":\"20\"}"));
	assert_true(asks_for(&fixture, 3, "\":old1\":{\"N\":\"30\"}") && !asks_for(&fixture, 3, ":new1"));
}

/* The write was applied, only its answer was lost: what is read next needs no writing. */
static void a_lost_answer_is_found_in_the_row(void **state)
{
	static const struct test_answer answers[] = {
		{200, READ("")},
		{.is_lost = true},
		{400, CANCELLED(REFUSED("{\"retired\":{\"BOOL\":true}}"))},
		{200, READ(ROW("\"retired\":{\"BOOL\":true}"))},
	};
	AUTO_FIXTURE struct fixture fixture;
	struct store_history_result result;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers), DEADLINE_MS);
	result = ask_for(&fixture, act(1, STORE_RETIRE), true);
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_true(result.is_retired);
	assert_int_equal(request_count(&fixture), 4);
}

static void histories_in_doubt_are_failures(void **state)
{
	static const struct {
		struct test_answer answers[2];
		const char *message;
	} cases[] = {
		{{{200, READ(ROW("\"block_slot\":{\"S\":\"10\"}"))}}, "block_slot"},
		{{{200, "garbage"}}, "malformed JSON"},
		{{{200, READ("")}, {400, "{\"__type\":\"a#AccessDeniedException\"}"}}, "AccessDeniedException"},
		{{{200, READ("")}, {.is_lost = true}}, "connection"},
		{{{.is_lost = true}, {.is_lost = true}}, "connection"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FIXTURE struct fixture fixture;
		struct store_history_result result;

		fixture_make(&fixture, cases[i].answers, cases[i].answers[1].status || cases[i].answers[1].is_lost ? 2 : 1, 500);
		result = ask_for(&fixture, act(1, STORE_RETIRE), false);
		assert_int_equal(result.outcome, STORE_FAILED);
		assert_false(result.is_retired);
		assert_message_contains(&fixture.error, cases[i].message);
	}
}

/* A row that is changed all the time ends at the deadline, in doubt. */
static void a_row_that_never_rests_is_given_up(void **state)
{
	static const struct test_answer answers[] = {
		{200, READ(""), .delay_ms = 200},  {400, CANCELLED(REFUSED("{\"retired\":{\"BOOL\":true}}"))},
		{200, READ(""), .delay_ms = 200},  {400, CANCELLED(REFUSED("{\"retired\":{\"BOOL\":true}}"))},
		{200, READ(""), .delay_ms = 1000},
	};
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers), 700);
	assert_int_equal(ask_for(&fixture, act(1, STORE_RETIRE), false).outcome, STORE_FAILED);
	assert_message_contains(&fixture.error, "in doubt");
}

/* One key, one network. */
static void a_row_of_another_network_is_told(void **state)
{
	static const struct test_answer answer = {
		200, READ(ROW("\"genesis_validators_root\":{\"S\":\"" ROOT08 "\"},\"block_slot\":{\"N\":\"10\"}"))};
	const struct store_history asked[] = {act(1, STORE_READ), act(1, STORE_BEGIN), raise_to(1, 7, (struct watermark){0})};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		AUTO_FIXTURE struct fixture fixture;
		struct store_history_result result;

		fixture_make(&fixture, &answer, 1, DEADLINE_MS);
		result = ask_for(&fixture, asked[i], true);
		assert_int_equal(result.outcome, STORE_WRONG_NETWORK);
		assert_int_equal(result.genesis_validators_root[0], 8);
		assert_false(result.watermark.has_block);
		assert_int_equal(request_count(&fixture), 1);
	}
}

/* Retiring is for every network; what the key signed on the other one is not shown as ours. */
static void a_row_of_another_network_can_be_retired(void **state)
{
	static const struct test_answer answers[] = {
		{200, READ(ROW("\"genesis_validators_root\":{\"S\":\"" ROOT08 "\"},\"block_slot\":{\"N\":\"10\"}"))}, {200, "{}"}};
	AUTO_FIXTURE struct fixture fixture;
	struct store_history_result result;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers), DEADLINE_MS);
	result = ask_for(&fixture, act(1, STORE_RETIRE), true);
	assert_int_equal(result.outcome, STORE_DURABLE);
	assert_true(result.is_retired);
	assert_int_equal(result.genesis_validators_root[0], 7);
	assert_false(result.watermark.has_block);
	assert_true(asks_for(&fixture, 1, "retired = :new6"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_high_watermark_nothing_is_durable),
		cmocka_unit_test(a_change_in_doubt_is_read_again),
		cmocka_unit_test(a_refusal_is_judged_by_the_row),
		cmocka_unit_test(an_answer_that_was_lost_is_asked_for_again),
		cmocka_unit_test(without_an_answer_nothing_is_durable),
		cmocka_unit_test(the_same_key_waits_for_its_turn),
		cmocka_unit_test(a_root_is_not_learned),
		cmocka_unit_test(a_row_that_changed_is_folded_again),
		cmocka_unit_test(a_lost_answer_is_found_in_the_row),
		cmocka_unit_test(histories_in_doubt_are_failures),
		cmocka_unit_test(a_row_that_never_rests_is_given_up),
		cmocka_unit_test(a_row_of_another_network_is_told),
		cmocka_unit_test(a_row_of_another_network_can_be_retired),
	};

	return cmocka_run_group_tests(tests, make_credentials, drop_credentials);
}
