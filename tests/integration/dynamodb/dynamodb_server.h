/* SPDX-License-Identifier: Apache-2.0 */
/* A DynamoDB server that runs already: $ENSIGN_DYNAMODB_HOST, localhost:PORT, plain HTTP. What fails here fails the test. */
#pragma once

#include "aws/request.h"

struct dynamodb_server {
	struct aws_endpoint endpoint; /* with nothing set but how to reach it */
	struct credentials credentials;
};

/* False: none is named. */
MUST_USE bool dynamodb_server_init(struct dynamodb_server *server);
void dynamodb_server_done(struct dynamodb_server *server);

/* The server as an address, for a relay. */
struct address dynamodb_server_address(const struct dynamodb_server *server);

/* Call an operation; `request` is given away, the answer is the caller's. */
json_t *dynamodb_server_call(const struct dynamodb_server *server, const char *operation, json_t *request);
/* Returns when the table can be used. Types are those of attributes, "S" or "N"; `sort_key` NULL: none, else it is a text. */
void dynamodb_server_create_table(const struct dynamodb_server *server, const char *table, const char *key, const char *key_type,
				  const char *sort_key);
void dynamodb_server_delete_table(const struct dynamodb_server *server, const char *table);
