/* SPDX-License-Identifier: Apache-2.0 */
/* A key table and a TLS table of a DynamoDB server (dynamodb_server.h). */
#pragma once

#include "dynamodb_server.h"
#include "table_place.h"
#include "tables/key_table_dynamodb.h"
#include "tables/tls_table_dynamodb.h"

#define TABLE_NAME_SIZE 64

struct place {
	struct dynamodb_server server;
	char key_table[TABLE_NAME_SIZE];
	char tls_table[TABLE_NAME_SIZE];
	/* What a test changes here holds for tables that it opens then. */
	struct key_table_dynamodb_options key_options;
	struct tls_table_dynamodb_options tls_options;
};

/* Behind the tables' back. `item` is given away. */
void put_item(const struct place *place, const char *table, json_t *item);
/* The item that is there, or NULL; `key` is given away, the item is the caller's. */
json_t *get_item(const struct place *place, const char *table, json_t *key);
