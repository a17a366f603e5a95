/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for the key table and the TLS table in DynamoDB alone. */
#include <unistd.h>

#include "aws/dynamodb.h"
#include "bad_relay.h"
#include "net/deadline.h"
#include "table_place_dynamodb.h"

#define DEADLINE_MS 20000
#define PUBKEY "96bf57a2edcd4e804f7caaa94a267251b5f7bbb4bd2bb57dcfcda8ea8f6e51f69c484f56b1f9a9a893f7b0db5369fd56"
/* More than go into one transaction, twice over. */
#define MANY 250
/* Pieces of requests and answers, each of which takes its connection along. */
#define LOST_OF_1000 100

/* As the sample solution's key generation writes it, and one attribute of somebody else's. */
static json_t *loader_item(void)
{
	return json_pack("{s:{s:s},s:{s:s},s:{s:s},s:{s:b},s:{s:s},s:{s:s},s:{s:s},s:{s:s}}", "web3signer_uuid", "S", UUID,
			 "pubkey", "S", PUBKEY, "chain", "S", "hoodi", "active", "BOOL", 1, "datetime", "S",
			 "2024-03-05T18:04:56.652053", "deposit_json_b64", "S", "W3t9XQ==", "encrypted_key_password_mnemonic_b64",
			 "S", "AQICAHg=", "owner", "S", "the blue team");
}

static json_t *key_of(const char *pubkey)
{
	return json_pack("{s:{s:s},s:{s:s}}", "web3signer_uuid", "S", UUID, "pubkey", "S", pubkey);
}

static void assert_attribute(json_t *item, const char *name, const char *type, json_t *value)
{
	AUTO_JSON json_t *released = value;

	assert_true(json_equal(json_object_get(json_object_get(item, name), type), released));
}

/* ---- rows of others ---- */

static void a_row_of_the_loader_is_read_and_its_other_attributes_stay(void **state)
{
	const struct place *place = (const struct place *)*state;
	AUTO_KEY_TABLE struct key_table *table = open_key_table(place);
	AUTO_KEY_ROWS struct key_rows rows = {0};
	AUTO_JSON json_t *deactivated = NULL;
	AUTO_JSON json_t *replaced = NULL;
	struct error error = {0};

	put_item(place, place->key_table, loader_item());
	rows = list_rows(table, true);
	assert_int_equal(rows.count, 1);
	assert_string_equal(rows.rows[0].pubkey, PUBKEY);
	assert_string_equal(rows.rows[0].encrypted_key_password_mnemonic_b64, "AQICAHg=");
	assert_ok(key_table_set_active(table, UUID, PUBKEY, false, &error), &error);
	deactivated = get_item(place, place->key_table, key_of(PUBKEY));
	assert_attribute(deactivated, "active", "BOOL", json_false());
	assert_attribute(deactivated, "owner", "S", json_string("the blue team"));
	assert_attribute(deactivated, "datetime", "S", json_string("2024-03-05T18:04:56.652053"));
	/* In the other form, without a deposit. */
	cleanup_free(&rows.rows[0].encrypted_key_password_mnemonic_b64);
	rows.rows[0].encrypted_key_password_mnemonic_b64 = NULL;
	cleanup_free(&rows.rows[0].deposit_json_b64);
	rows.rows[0].deposit_json_b64 = NULL;
	rows.rows[0].sealed_key_b64 = memory_copy_text("sealed");
	rows.rows[0].data_key_b64 = memory_copy_text("wrapped");
	put_row(table, &rows.rows[0], true);
	replaced = get_item(place, place->key_table, key_of(PUBKEY));
	assert_attribute(replaced, "active", "BOOL", json_true());
	assert_attribute(replaced, "owner", "S", json_string("the blue team"));
	assert_attribute(replaced, "sealed_key_b64", "S", json_string("sealed"));
	assert_null(json_object_get(replaced, "encrypted_key_password_mnemonic_b64"));
	assert_null(json_object_get(replaced, "deposit_json_b64"));
	assert_int_equal(json_object_size(replaced), 8);
}

/* The rest of what may be wrong with an item is in tests/unit/tables/test_key_item.c. */
static void malformed_rows_are_told_by_name(void **state)
{
	static const struct {
		const char *name;
		const char *value; /* NULL: the attribute is missing */
		const char *message;
	} cases[] = {
		{"chain", NULL, "chain: missing"},
		{"chain", "{\"N\":\"17000\"}", "chain: not of the type S"},
		{"active", "{\"N\":\"1\"}", "active: not of the type BOOL"},
		{"datetime", "{\"L\":[]}", "datetime: not of the type S"},
		{"encrypted_key_password_mnemonic_b64", "{\"B\":\"AQICAHg=\"}",
		 "encrypted_key_password_mnemonic_b64: not of the type S"},
		{"pubkey", "{\"S\":\"0xAB\"}", "pubkey: not 96 lower-case hex digits"},
	};
	const struct place *place = (const struct place *)*state;
	AUTO_KEY_TABLE struct key_table *table = open_key_table(place);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *item = loader_item();
		AUTO_KEY_ROWS struct key_rows rows = {0};
		struct error error = {0};

		(void)json_object_del(item, cases[i].name);
		if (cases[i].value)
			(void)json_object_set_new(item, cases[i].name, json_parse(view_of_text(cases[i].value), "case", &error));
		put_item(place, place->key_table, item);
		assert_ok(key_table_list(table, UUID, true, &rows, &error), &error);
		assert_int_equal(rows.problem_count, 1 + (strcmp(cases[i].name, "pubkey") == 0));
		assert_non_null(strstr(rows.problems[0].message, cases[i].message));
		assert_int_equal(rows.count, 0);
	}
}

static void an_oversized_attribute_is_told_by_name(void **state)
{
	const struct place *place = (const struct place *)*state;
	AUTO_KEY_TABLE struct key_table *table = open_key_table(place);
	AUTO_FREE char *text = (char *)memory_allocate_zeroed(1, (300u << 10) + 1);
	AUTO_KEY_ROWS struct key_rows rows = {0};
	struct error error = {0};
	json_t *item = loader_item();

	memset(text, 'A', 300u << 10);
	(void)json_object_set_new(item, "deposit_json_b64", dynamodb_text(text));
	put_item(place, place->key_table, item);
	assert_ok(key_table_list(table, UUID, false, &rows, &error), &error);
	assert_int_equal(rows.count, 0);
	assert_int_equal(rows.problem_count, 1);
	assert_string_equal(rows.problems[0].pubkey, PUBKEY);
	assert_non_null(strstr(rows.problems[0].message, "deposit_json_b64: 307200 bytes"));
}

static void malformed_tls_rows_are_told_by_name(void **state)
{
	static const struct {
		const char *item;
		const char *message;
	} cases[] = {
		{"{\"key_id\":{\"N\":\"1\"},\"cert_pem\":{\"S\":\"p\"}}", "key_id 1: encrypted_tls_key_b64: missing"},
		{"{\"key_id\":{\"N\":\"1\"},\"encrypted_tls_key_b64\":{\"S\":\"e\"}}", "key_id 1: cert_pem: missing"},
		{"{\"key_id\":{\"N\":\"1\"},\"encrypted_tls_key_b64\":{\"S\":\"e\"},\"cert_pem\":{\"BOOL\":true}}",
		 "key_id 1: cert_pem: not of the type S"},
		{"{\"key_id\":{\"N\":\"1\"},\"encrypted_tls_key_b64\":{\"S\":\"e\"},\"cert_pem\":{\"S\":\"p\"},"
		 "\"slashing_credentials_b64\":{\"M\":{}}}",
		 "key_id 1: slashing_credentials_b64: not of the type S"},
	};
	const struct place *place = (const struct place *)*state;
	AUTO_TLS_TABLE struct tls_table *table = open_tls_table(place);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_TLS_ROW struct tls_row row = {0};
		struct error error = {0};

		put_item(place, place->tls_table, json_parse(view_of_text(cases[i].item), "case", &error));
		assert_false(tls_table_get(table, 1, &row, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
		assert_null(row.encrypted_tls_key_b64);
	}
}

static void other_attributes_of_a_tls_row_stay(void **state)
{
	const struct place *place = (const struct place *)*state;
	AUTO_TLS_TABLE struct tls_table *table = open_tls_table(place);
	AUTO_TLS_ROW struct tls_row row = {.key_id = 1};
	AUTO_FREE char *text = (char *)memory_allocate_zeroed(1, TLS_TABLE_DYNAMODB_TEXT_MAX_SIZE + 2);
	AUTO_JSON json_t *item = NULL;
	struct error error = {0};

	put_item(place, place->tls_table, json_pack("{s:{s:s},s:{s:s}}", "key_id", "N", "1", "owner", "S", "somebody"));
	row.encrypted_tls_key_b64 = memory_copy_text("encrypted");
	row.cert_pem = memory_copy_text("pem");
	assert_ok(tls_table_put(table, &row, &error), &error);
	item = get_item(place, place->tls_table, json_pack("{s:{s:s}}", "key_id", "N", "1"));
	assert_attribute(item, "owner", "S", json_string("somebody"));
	assert_attribute(item, "cert_pem", "S", json_string("pem"));
	assert_int_equal(json_object_size(item), 4);
	memset(text, 'A', TLS_TABLE_DYNAMODB_TEXT_MAX_SIZE + 1);
	free(row.cert_pem);
	row.cert_pem = memory_copy_text(text);
	assert_false(tls_table_put(table, &row, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "cert_pem: 49153 bytes");
}

static void a_missing_table_is_told(void **state)
{
	struct place *place = (struct place *)*state;
	AUTO_KEY_TABLE struct key_table *key_table = NULL;
	AUTO_TLS_TABLE struct tls_table *tls_table = NULL;
	AUTO_KEY_ROWS struct key_rows rows = {0};
	AUTO_TLS_ROW struct tls_row row = {0};
	struct error error = {0};

	place->key_options.table = NULL;
	place->tls_options.table = NULL;
	key_table = open_key_table(place);
	tls_table = open_tls_table(place);
	assert_false(key_table_list(key_table, UUID, false, &rows, &error));
	assert_int_equal(error.code, ERROR_AWS);
	assert_message_contains(&error, "key table: DynamoDB: ResourceNotFoundException");
	assert_false(key_table_set_active(key_table, UUID, PUBKEY, false, &error));
	assert_int_equal(error.code, ERROR_AWS);
	assert_message_contains(&error, PUBKEY);
	assert_false(tls_table_get(tls_table, 1, &row, &error));
	assert_int_equal(error.code, ERROR_AWS);
	assert_message_contains(&error, "ResourceNotFoundException");
}

/* ---- many rows ---- */

/* Rows of keys that count up, with deposits of `size` bytes. */
static struct key_rows make_rows(size_t count, size_t size)
{
	struct key_rows rows = {.rows = (struct key_row *)memory_allocate_zeroed(count, sizeof *rows.rows), .count = count};

	for (size_t i = 0; i < count; i++) {
		struct key_row *row = &rows.rows[i];

		*row = sealed_row('0');
		(void)snprintf(row->pubkey, sizeof row->pubkey, "%096zu", i);
		free(row->deposit_json_b64);
		row->deposit_json_b64 = (char *)memory_allocate_zeroed(1, size + 1);
		memset(row->deposit_json_b64, 'A', size);
	}
	return rows;
}

/* Three megabytes are more than one page, by which an answer of DynamoDB ends. */
static void all_pages_are_listed(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	AUTO_KEY_ROWS struct key_rows put = make_rows(MANY, KEY_TABLE_TEXT_MAX_SIZE);
	AUTO_KEY_ROWS struct key_rows all = {0};
	AUTO_KEY_ROWS struct key_rows active = {0};
	struct error error = {0};

	for (size_t i = 0; i < MANY; i++)
		put.rows[i].active = i % 2 == 0;
	assert_ok(key_table_put(table, put.rows, put.count, false, &error), &error);
	all = list_rows(table, false);
	active = list_rows(table, true);
	assert_int_equal(all.count, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_string_equal(all.rows[i].pubkey, put.rows[i].pubkey);
		assert_string_equal(all.rows[i].deposit_json_b64, put.rows[i].deposit_json_b64);
	}
	assert_int_equal(active.count, MANY / 2);
	for (size_t i = 0; i < active.count; i++)
		assert_string_equal(active.rows[i].pubkey, put.rows[2 * i].pubkey);
}

/* One at the very end is there: nothing of the first transactions is put either. */
static void none_of_many_is_put_when_one_is_there(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	AUTO_KEY_ROWS struct key_rows rows = make_rows(MANY, 100);
	struct error error = {0};

	put_row(table, &rows.rows[MANY - 1], false);
	assert_false(key_table_put(table, rows.rows, MANY, false, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, rows.rows[MANY - 1].pubkey);
	assert_message_contains(&error, "is there already");
	assert_row_count(table, 1);
	assert_ok(key_table_put(table, rows.rows, MANY, true, &error), &error);
	assert_row_count(table, MANY);
}

/* A full transaction of rows of the largest size is within what DynamoDB takes. */
static void the_largest_transaction_fits(void **state)
{
	AUTO_KEY_TABLE struct key_table *table = open_key_table(*state);
	AUTO_KEY_ROWS struct key_rows rows = make_rows(KEY_TABLE_DYNAMODB_ALL_MAX, KEY_TABLE_TEXT_MAX_SIZE);
	struct error error = {0};

	for (size_t i = 0; i < rows.count; i++) {
		struct key_row *row = &rows.rows[i];

		free(row->sealed_key_b64);
		free(row->data_key_b64);
		row->sealed_key_b64 = memory_copy_text(row->deposit_json_b64);
		row->data_key_b64 = memory_copy_text(row->deposit_json_b64);
	}
	assert_ok(key_table_put(table, rows.rows, rows.count, false, &error), &error);
	assert_row_count(table, rows.count);
}

/* ---- a bad way ---- */

/* Requests and answers are lost: what was done and is sent again is not found "there already", or gone. */
static void lost_answers_change_nothing(void **state)
{
	struct place *place = (struct place *)*state;
	static struct bad_relay_options options = {.listen = {.kind = ADDRESS_UNIX}, .lost_of_1000 = LOST_OF_1000};
	AUTO_KEY_ROWS struct key_rows rows = make_rows(40, 100);
	struct key_table *table;
	struct bad_relay *relay;
	struct error error = {0};

	options.server = dynamodb_server_address(&place->server);
	(void)snprintf(options.listen.path, sizeof options.listen.path, "/tmp/ensign-tables-%ld", (long)getpid());
	relay = bad_relay_start(&options);
	place->key_options.endpoint.via = &options.listen;
	table = open_key_table(place);
	for (size_t i = 0; i < rows.count; i++)
		assert_ok(key_table_put(table, &rows.rows[i], 1, false, &error), &error);
	assert_row_count(table, rows.count);
	for (size_t i = 0; i < rows.count; i++)
		assert_ok(key_table_delete(table, UUID, rows.rows[i].pubkey, &error), &error);
	assert_row_count(table, 0);
	key_table_free(table);
	bad_relay_stop(relay);
}

/* ---- the client, with what the tables do not ask of it ---- */

static struct dynamodb *open_client(const struct place *place)
{
	struct aws_endpoint endpoint = place->server.endpoint;
	struct error error = {0};
	struct dynamodb *client;

	endpoint.timeout_ms = DEADLINE_MS;
	client = dynamodb_new(&endpoint, &place->server.credentials, &error);
	assert_ok(client != NULL, &error);
	return client;
}

/* {"Put": {…}} of a bare key, on condition that it is new, or {"Delete": {…}} on condition that it is there. */
static json_t *put_or_delete(const struct place *place, bool is_put, const char *pubkey)
{
	return json_pack("{s:{s:s,s:o,s:s}}", is_put ? "Put" : "Delete", "TableName", place->key_table, is_put ? "Item" : "Key",
			 key_of(pubkey), "ConditionExpression",
			 is_put ? "attribute_not_exists(pubkey)" : "attribute_exists(pubkey)");
}

static enum dynamodb_fate write_one(const struct place *place, struct dynamodb *client, bool is_put, const char *pubkey)
{
	CLEANUP(dynamodb_item_done) struct dynamodb_item item = {.request = put_or_delete(place, is_put, pubkey)};
	struct error error = {0};

	assert_ok(dynamodb_write(client, &item, 1, deadline_after(DEADLINE_MS), &error), &error);
	return item.fate;
}

static void items_are_put_and_deleted(void **state)
{
	const struct place *place = (const struct place *)*state;
	struct dynamodb *client = open_client(place);
	struct dynamodb_item items[2] = {{.request = put_or_delete(place, true, "b")},
					 {.request = put_or_delete(place, false, "a")}};
	AUTO_JSON json_t *found = NULL;
	struct error error = {0};

	assert_int_equal(write_one(place, client, false, "a"), DYNAMODB_REFUSED);
	assert_int_equal(write_one(place, client, true, "a"), DYNAMODB_DONE);
	assert_int_equal(write_one(place, client, true, "a"), DYNAMODB_REFUSED);
	/* One is put and another deleted, together. */
	assert_ok(dynamodb_transact(client, items, 2, deadline_after(DEADLINE_MS), &error), &error);
	assert_int_equal(items[0].fate, DYNAMODB_DONE);
	assert_int_equal(items[1].fate, DYNAMODB_DONE);
	assert_int_equal(write_one(place, client, false, "a"), DYNAMODB_REFUSED);
	found = get_item(place, place->key_table, key_of("b"));
	assert_non_null(found);
	assert_int_equal(write_one(place, client, false, "b"), DYNAMODB_DONE);
	for (size_t i = 0; i < 2; i++)
		dynamodb_item_done(&items[i]);
	dynamodb_free(client);
}

/* Seven of one partition, in pages of three; what is of another is not among them. */
static void a_query_goes_through_pages(void **state)
{
	static const size_t sizes[] = {3, 3, 1};
	const struct place *place = (const struct place *)*state;
	struct dynamodb *client = open_client(place);
	AUTO_JSON json_t *uuid = dynamodb_text(UUID);
	const struct dynamodb_query query = {place->key_table, "web3signer_uuid", uuid, 3};
	AUTO_JSON json_t *after = NULL;
	struct error error = {0};

	put_item(place, place->key_table, json_pack("{s:{s:s},s:{s:s}}", "web3signer_uuid", "S", "x", "pubkey", "S", "4"));
	for (const char *digit = "5107362"; *digit; digit++)
		put_item(place, place->key_table, key_of((char[]){*digit, 0}));
	for (size_t n = 0; n < ARRAY_SIZE(sizes); n++) {
		AUTO_JSON json_t *page = dynamodb_query(client, &query, after, deadline_after(DEADLINE_MS), &error);
		json_t *items = json_object_get(page, "Items");

		assert_ok(page != NULL, &error);
		assert_int_equal(json_array_size(items), sizes[n]);
		for (size_t i = 0; i < sizes[n]; i++)
			assert_attribute(json_array_get(items, i), "pubkey", "S", json_string((char[]){"0123567"[3 * n + i], 0}));
		json_decref(after);
		after = json_incref(json_object_get(page, "LastEvaluatedKey"));
		assert_true((after != NULL) == (n < 2));
	}
	dynamodb_free(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(a_row_of_the_loader_is_read_and_its_other_attributes_stay),
		WITH_PLACE(malformed_rows_are_told_by_name),
		WITH_PLACE(an_oversized_attribute_is_told_by_name),
		WITH_PLACE(malformed_tls_rows_are_told_by_name),
		WITH_PLACE(other_attributes_of_a_tls_row_stay),
		WITH_PLACE(a_missing_table_is_told),
		WITH_PLACE(all_pages_are_listed),
		WITH_PLACE(none_of_many_is_put_when_one_is_there),
		WITH_PLACE(the_largest_transaction_fits),
		WITH_PLACE(lost_answers_change_nothing),
		WITH_PLACE(items_are_put_and_deleted),
		WITH_PLACE(a_query_goes_through_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
