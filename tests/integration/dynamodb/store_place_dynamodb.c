/* SPDX-License-Identifier: Apache-2.0 */
#include "store_place_dynamodb.h"

#include <unistd.h>

/* Creating a table of a real service takes some seconds. */
#define CALL_TIMEOUT_MS 20000
#define STATUS_TRIES 100
#define STATUS_WAIT_US 200000

json_t *call_server(const struct place *place, const char *operation, json_t *request)
{
	AUTO_FREE char *target = memory_format("DynamoDB_20120810.%s", operation);
	AUTO_JSON json_t *released = request;
	AUTO_BUFFER struct buffer body = {0};
	struct aws_endpoint endpoint = place->options.endpoint;
	struct error error = {0};
	json_t *answer = NULL;

	endpoint.timeout_ms = CALL_TIMEOUT_MS;
	endpoint.attempts = 3;
	json_write(released, &body);
	assert_ok(aws_call(&endpoint, "dynamodb", target, &place->credentials, buffer_view(&body), AWS_RESPONSE_MAX_SIZE, &answer,
			   NULL, &error),
		  &error);
	return answer;
}

static bool is_active(const struct place *place)
{
	AUTO_JSON json_t *answer = call_server(place, "DescribeTable", json_pack("{s:s}", "TableName", place->table));
	const char *status = json_string_value(json_object_get(json_object_get(answer, "Table"), "TableStatus"));

	assert_non_null(status);
	return strcmp(status, "ACTIVE") == 0;
}

static void create_table(const struct place *place)
{
	json_t *request = json_pack("{s:s,s:[{s:s,s:s}],s:[{s:s,s:s}],s:s}", "TableName", place->table, "AttributeDefinitions",
				    "AttributeName", "pubkey", "AttributeType", "S", "KeySchema", "AttributeName", "pubkey",
				    "KeyType", "HASH", "BillingMode", "PAY_PER_REQUEST");

	json_decref(call_server(place, "CreateTable", request));
	for (int i = 0; i < STATUS_TRIES && !is_active(place); i++)
		(void)usleep(STATUS_WAIT_US);
}

int make_place(void **state)
{
	static unsigned tables;
	struct place *place = (struct place *)memory_allocate_zeroed(1, sizeof *place);
	AUTO_JSON json_t *keys = json_pack("{s:s,s:s}", "access_key_id", "AKIDEXAMPLE", "secret_access_key", "example");
	struct error error = {0};

	if (!getenv("ENSIGN_DYNAMODB_HOST") || !secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ||
	    !credentials_from_json(keys, &place->credentials, &error))
		return -1;
	(void)snprintf(place->table, sizeof place->table, "SlashingProtection-%ld-%u", (long)getpid(), tables++);
	place->options = (struct store_dynamodb_options){
		.endpoint = {.region = "us-east-1", .host = getenv("ENSIGN_DYNAMODB_HOST"), .is_plain = true},
		.credentials = &place->credentials,
		.table = place->table,
	};
	create_table(place);
	*state = place;
	return 0;
}

int remove_place(void **state)
{
	struct place *place = (struct place *)*state;

	json_decref(call_server(place, "DeleteTable", json_pack("{s:s}", "TableName", place->table)));
	credentials_done(&place->credentials);
	free(place);
	return 0;
}

struct slashing_store *open_store(const struct place *place)
{
	struct error error = {0};
	struct slashing_store *store = slashing_store_open_dynamodb(&place->options, &error);

	assert_ok(store != NULL, &error);
	return store;
}
