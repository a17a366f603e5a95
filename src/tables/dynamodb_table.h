/* SPDX-License-Identifier: Apache-2.0 */
/* What the two tables in DynamoDB have in common. Only for the *_dynamodb.c and *_item.c files of this folder. */
#pragma once

#include "aws/dynamodb.h"

/* One attempt: a page of a megabyte takes a second at most over a poor line. */
#define DYNAMODB_TABLE_ATTEMPT_MS 5000
/* Of one page or one transaction, with everything that is tried again. */
#define DYNAMODB_TABLE_DEADLINE_MS 20000

struct dynamodb_table {
	struct dynamodb *client;
	char *name;
	unsigned deadline_ms;
};

/* `endpoint` and `credentials` as dynamodb_new(); a timeout_ms or deadline_ms of 0 is the one above. */
MUST_USE bool dynamodb_table_init(struct dynamodb_table *table, const struct aws_endpoint *endpoint,
				  const struct credentials *credentials, const char *name, unsigned deadline_ms,
				  struct error *error);
void dynamodb_table_done(struct dynamodb_table *table);

/* {"S": text}, or NULL for NULL. */
MUST_USE json_t *dynamodb_table_text(const char *text);
/* A copy of an attribute, which is NULL where it is absent. ERROR_PEER when it is of another type or larger, "name: reason". */
MUST_USE bool dynamodb_table_copy_text(json_t *item, const char *name, size_t max_size, char **ret_text, struct error *error);
