/* SPDX-License-Identifier: Apache-2.0 */
#include "dynamodb_server.h"

#include <unistd.h>

#include "vectors.h"

/* Creating a table of a real service takes some seconds. */
#define CALL_TIMEOUT_MS 20000
#define STATUS_TRIES 100
#define STATUS_WAIT_US 200000

bool dynamodb_server_init(struct dynamodb_server *server)
{
	AUTO_JSON json_t *keys = json_pack("{s:s,s:s}", "access_key_id", "AKIDEXAMPLE", "secret_access_key", "example");
	const char *host = getenv("ENSIGN_DYNAMODB_HOST");
	struct error error = {0};

	*server = (struct dynamodb_server){.endpoint = {.region = "us-east-1", .host = host, .is_plain = true}};
	return host && secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) &&
	       credentials_from_json(keys, &server->credentials, &error);
}

void dynamodb_server_done(struct dynamodb_server *server)
{
	credentials_done(&server->credentials);
}

struct address dynamodb_server_address(const struct dynamodb_server *server)
{
	struct address address = {.kind = ADDRESS_TCP, .host = "127.0.0.1"};

	address.port = (uint32_t)strtoul(strrchr(server->endpoint.host, ':') + 1, NULL, 10);
	return address;
}

json_t *dynamodb_server_call(const struct dynamodb_server *server, const char *operation, json_t *request)
{
	AUTO_FREE char *target = memory_format("DynamoDB_20120810.%s", operation);
	AUTO_JSON json_t *released = request;
	AUTO_BUFFER struct buffer body = {0};
	struct aws_endpoint endpoint = server->endpoint;
	struct error error = {0};
	json_t *answer = NULL;

	endpoint.timeout_ms = CALL_TIMEOUT_MS;
	endpoint.attempts = 3;
	json_write(released, &body);
	assert_ok(aws_call(&endpoint, "dynamodb", target, &server->credentials, buffer_view(&body), AWS_RESPONSE_MAX_SIZE, &answer,
			   NULL, &error),
		  &error);
	return answer;
}

static bool is_active(const struct dynamodb_server *server, const char *table)
{
	AUTO_JSON json_t *answer = dynamodb_server_call(server, "DescribeTable", json_pack("{s:s}", "TableName", table));
	const char *status = json_string_value(json_object_get(json_object_get(answer, "Table"), "TableStatus"));

	assert_non_null(status);
	return strcmp(status, "ACTIVE") == 0;
}

void dynamodb_server_create_table(const struct dynamodb_server *server, const char *table, const char *key, const char *key_type,
				  const char *sort_key)
{
	json_t *attributes = json_pack("[{s:s,s:s}]", "AttributeName", key, "AttributeType", key_type);
	json_t *schema = json_pack("[{s:s,s:s}]", "AttributeName", key, "KeyType", "HASH");
	json_t *request = json_pack("{s:s,s:o,s:o,s:s}", "TableName", table, "AttributeDefinitions", attributes, "KeySchema",
				    schema, "BillingMode", "PAY_PER_REQUEST");

	if (sort_key) {
		(void)json_array_append_new(attributes, json_pack("{s:s,s:s}", "AttributeName", sort_key, "AttributeType", "S"));
		(void)json_array_append_new(schema, json_pack("{s:s,s:s}", "AttributeName", sort_key, "KeyType", "RANGE"));
	}
	json_decref(dynamodb_server_call(server, "CreateTable", request));
	for (int i = 0; i < STATUS_TRIES && !is_active(server, table); i++)
		(void)usleep(STATUS_WAIT_US);
}

void dynamodb_server_delete_table(const struct dynamodb_server *server, const char *table)
{
	json_decref(dynamodb_server_call(server, "DeleteTable", json_pack("{s:s}", "TableName", table)));
}
