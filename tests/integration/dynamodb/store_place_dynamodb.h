/* SPDX-License-Identifier: Apache-2.0 */
/* A slashing table of a DynamoDB server that runs already: $ENSIGN_DYNAMODB_HOST, localhost:PORT, plain HTTP. */
#pragma once

#include "slashing/store_dynamodb.h"
#include "store_place.h"

#define TABLE_NAME_SIZE 64

struct place {
	char table[TABLE_NAME_SIZE];
	struct credentials credentials;
	struct store_dynamodb_options options; /* of the table; what a test changes here holds for stores that it opens then */
};

/* Call an operation on the server; the answer is the caller's. Fails the test when it fails. */
json_t *call_server(const struct place *place, const char *operation, json_t *request);
