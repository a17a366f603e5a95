/* SPDX-License-Identifier: Apache-2.0 */
/* A slashing table of a DynamoDB server (dynamodb_server.h). */
#pragma once

#include "dynamodb_server.h"
#include "slashing/store_dynamodb.h"
#include "store_place.h"

#define TABLE_NAME_SIZE 64

struct place {
	struct dynamodb_server server;
	char table[TABLE_NAME_SIZE];
	struct store_dynamodb_options options; /* of the table; what a test changes here holds for stores that it opens then */
};
