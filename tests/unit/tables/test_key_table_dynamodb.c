/* SPDX-License-Identifier: Apache-2.0 */
/* The key table in DynamoDB against a server that says what it is told to: what no real one can be made to say. */
#include "vectors.h"

#include "example_credentials.h"
#include "http_test_server.h"
#include "tables/key_table_dynamodb.h"

#define DEADLINE_MS 20000

struct fixture {
	struct test_server *server;
	char host[32];
	struct key_table *table;
	struct error error;
};

static void fixture_done(struct fixture *fixture)
{
	key_table_free(fixture->table);
	test_server_free(&fixture->server);
}

#define AUTO_FIXTURE CLEANUP(fixture_done)

static void fixture_make(struct fixture *fixture, const struct test_answer *answers, size_t count)
{
	struct key_table_dynamodb_options options = {
		.endpoint = {.region = "us-east-1", .host = fixture->host, .is_plain = true},
		.credentials = &credentials,
		.deadline_ms = DEADLINE_MS,
	};

	*fixture = (struct fixture){.server = test_server_new(NULL, NULL, answers, count)};
	(void)snprintf(fixture->host, sizeof fixture->host, "localhost:%u", test_server_port(fixture->server));
	fixture->table = key_table_open_dynamodb(&options, &fixture->error);
	assert_ok(fixture->table != NULL, &fixture->error);
}

#define PUBKEY(n) "0" n "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
#define TEXT(name, value) "\"" name "\":{\"S\":\"" value "\"}"
#define ROW(n)                                                                                                                     \
	"{" TEXT("web3signer_uuid", "u") "," TEXT("pubkey", PUBKEY(n)) "," TEXT("chain", "hoodi") "," TEXT(                        \
		"active", "true") "," TEXT("encrypted_key_password_mnemonic_b64", "e") "}"
#define MORE ",\"LastEvaluatedKey\":{\"pubkey\":{\"S\":\"x\"}}"
#define CANCELLED(reasons)                                                                                                         \
	"{\"__type\":\"com.amazonaws.dynamodb.v20120810#TransactionCanceledException\",\"CancellationReasons\":[" reasons "]}"

static void asks_for_the_table_of_the_sample(void **state)
{
	static const struct test_answer answers[] = {{200, "{\"Items\":[" ROW("1") "]" MORE "}"},
						     {200, "{\"Items\":[" ROW("2") "]}"}};
	AUTO_FIXTURE struct fixture fixture;
	AUTO_KEY_ROWS struct key_rows rows = {0};
	AUTO_JSON json_t *body = NULL;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers));
	assert_ok(key_table_list(fixture.table, "u", true, &rows, &fixture.error), &fixture.error);
	assert_int_equal(rows.count, 2);
	assert_string_equal(rows.rows[1].pubkey, PUBKEY("2"));
	body = json_parse(buffer_view(&test_server_request(fixture.server, 1)->body), "body", NULL);
	assert_string_equal(json_string_value(json_object_get(body, "TableName")), "ValidatorKeys");
	assert_true(json_is_true(json_object_get(body, "ConsistentRead")));
	assert_non_null(json_object_get(body, "ExclusiveStartKey"));
}

/* Each answer goes on for ever, or would have a key loaded twice. */
static void pages_that_lead_nowhere_are_failures(void **state)
{
	static const struct {
		const char *body;
		const char *message;
	} cases[] = {
		{"{\"Items\":[]" MORE "}", "empty pages"},
		{"{\"Items\":[" ROW("1") "]" MORE "}", "pubkey " PUBKEY("1") ": comes out of order"},
		{"{\"Items\":[" ROW("2") "," ROW("1") "]}", "pubkey " PUBKEY("1") ": comes out of order"},
		{"{\"Items\":[{}]}", "a row without pubkey"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct test_answer answer = {200, cases[i].body};
		AUTO_FIXTURE struct fixture fixture;
		AUTO_KEY_ROWS struct key_rows rows = {0};

		fixture_make(&fixture, &answer, 1);
		assert_false(key_table_list(fixture.table, "u", false, &rows, &fixture.error));
		assert_message_contains(&fixture.error, "key table: ");
		assert_message_contains(&fixture.error, cases[i].message);
		assert_null(rows.rows);
		assert_true(test_server_request_count(fixture.server) < 20);
	}
}

/* Of 101 rows a hundred are put, and then somebody else has put the last. It is told how far it came. */
static void says_how_far_it_came(void **state)
{
	static const struct test_answer answers[] = {
		{200, "{}"},
		{200, "{}"},
		{200, "{}"},
		{400, CANCELLED("{\"Code\":\"ConditionalCheckFailed\"}")},
	};
	static struct key_row rows[KEY_TABLE_DYNAMODB_ALL_MAX + 1];
	char text[] = "e";
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	fixture_make(&fixture, answers, ARRAY_SIZE(answers));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rows[i] = (struct key_row){
			.web3signer_uuid = "u", .chain = "hoodi", .active = true, .encrypted_key_password_mnemonic_b64 = text};
		(void)snprintf(rows[i].pubkey, sizeof rows[i].pubkey, "%096zu", i);
	}
	assert_false(key_table_put(fixture.table, rows, ARRAY_SIZE(rows), false, &fixture.error));
	assert_int_equal(fixture.error.code, ERROR_INPUT);
	assert_message_contains(&fixture.error, "the first 100 of 101 rows are put, then: pubkey ");
	assert_message_contains(&fixture.error, rows[ARRAY_SIZE(rows) - 1].pubkey);
}

/* Nothing that the server says of a write but a refusal is taken for one. */
static void a_write_that_fails_is_in_doubt(void **state)
{
	static const struct test_answer answer = {400, CANCELLED("{\"Code\":\"ValidationError\",\"Message\":\"why\"}")};
	AUTO_FIXTURE struct fixture fixture;

	(void)state;
	fixture_make(&fixture, &answer, 1);
	assert_false(key_table_delete(fixture.table, "u", PUBKEY("1"), &fixture.error));
	assert_int_equal(fixture.error.code, ERROR_AWS);
	assert_message_contains(&fixture.error, "pubkey " PUBKEY("1") ": DynamoDB: ValidationError: why");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for_the_table_of_the_sample),
		cmocka_unit_test(pages_that_lead_nowhere_are_failures),
		cmocka_unit_test(says_how_far_it_came),
		cmocka_unit_test(a_write_that_fails_is_in_doubt),
	};

	return cmocka_run_group_tests(tests, make_credentials, drop_credentials);
}
