/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items of DynamoDB tables: written under a condition, or read; on one thread. Sizes and error names are those of the API reference of
 * DynamoDB_20120810.
 *
 * dynamodb_write() and dynamodb_read() take any number at one time, in chunks that run side by side over kept connections, so that a burst
 * costs one round trip, and every item comes to an end of its own. What fails in a way that may pass (no answer, 5xx, throttling, a
 * conflict with another transaction) is sent again, the same as before, after a jittered wait and in smaller company, until the deadline.
 * So a write may be applied twice and must be one for which that is the same as once; and one that failed is in doubt: it may have been
 * applied, or may yet be.
 */
#pragma once

#include "aws/request.h"

/* What DynamoDB takes in one transaction; together they may have 4 MB. */
#define DYNAMODB_TRANSACTION_MAX 100
/* A page is 1 MB of names and values; in JSON, with what stands around them, it may be some times that. */
#define DYNAMODB_PAGE_MAX_SIZE AWS_RESPONSE_MAX_SIZE
/* Calls at one time. A burst of 128 items is then 8 transactions of 16, one of 400 is 8 of 50. */
#define DYNAMODB_CONNECTIONS 8

struct dynamodb;

/*
 * `endpoint`: what it points to is borrowed for the client's life; timeout_ms is of one attempt, and `attempts` means nothing here.
 * `credentials` are borrowed too, and may be given other contents between two calls. Connects to nothing yet.
 */
MUST_USE struct dynamodb *dynamodb_new(const struct aws_endpoint *endpoint, const struct credentials *credentials,
				       struct error *error);
void dynamodb_free(struct dynamodb *dynamodb); /* accepts NULL */

enum dynamodb_fate {
	DYNAMODB_PENDING = 0, /* before */
	DYNAMODB_DONE,        /* write: applied, now or before; read: read */
	DYNAMODB_REFUSED,     /* write: its condition does not hold for what is there */
	DYNAMODB_FAILED,      /* in doubt */
};

struct dynamodb_item {
	/*
	 * Write: one TransactItem, {"Update": {…}}, with "ReturnValuesOnConditionCheckFailure": "ALL_OLD". Read: the key,
	 * {"name": {"S": "…"}}. Set by the caller, released by dynamodb_item_done(). No two of one call may be about the same item.
	 */
	json_t *request;
	enum dynamodb_fate fate;
	json_t *found; /* REFUSED, and DONE of a read: the item that is there; NULL: none is. Released by dynamodb_item_done() */

	/* The client's own, zero before. */
	bool is_sent;
	unsigned failures;
	size_t company_max; /* how many of a chunk it may be; 0: no limit of its own */
	uint64_t not_before_ms;
};

void dynamodb_item_done(struct dynamodb_item *item);

/*
 * TransactWriteItems. Every fate is set by `deadline_ms` (net/deadline.h). False when one or more are FAILED; *error says how many, and
 * why the last of them: an answer that is malformed in any way is such a reason.
 */
MUST_USE bool dynamodb_write(struct dynamodb *dynamodb, struct dynamodb_item *items, size_t count, uint64_t deadline_ms,
			     struct error *error);
/*
 * One transaction of at most DYNAMODB_TRANSACTION_MAX items, all or none: True: every one is DONE, or some are REFUSED, the others PENDING,
 * and none was applied. False: all are FAILED, in doubt together. It has a token of its own, under which DynamoDB applies it once, however
 * often it is sent, so a write need not be the same twice.
 */
MUST_USE bool dynamodb_transact(struct dynamodb *dynamodb, struct dynamodb_item *items, size_t count, uint64_t deadline_ms,
				struct error *error);
/* BatchGetItem with ConsistentRead, as dynamodb_write(). */
MUST_USE bool dynamodb_read(struct dynamodb *dynamodb, const char *table, struct dynamodb_item *items, size_t count,
			    uint64_t deadline_ms, struct error *error);

/*
 * Scan with ConsistentRead: some items of a table, at most `limit`, in DynamoDB's own order, which is the same every time. `after` is borrowed:
 * NULL, or the key of the item after which to go on. The answer has "Items", an array of objects (this is checked), and "LastEvaluatedKey" when there
 * are more. NULL: by the deadline there was no answer.
 */
MUST_USE json_t *dynamodb_scan(struct dynamodb *dynamodb, const char *table, json_t *after, size_t limit, uint64_t deadline_ms,
			       struct error *error);

struct dynamodb_query {
	const char *table;
	const char *key_name; /* of the partition key */
	json_t *key_value;    /* {"S": …}; borrowed, like the texts */
	size_t limit;         /* 0: as many as make a page, which is 1 MB */
};

/* Query with ConsistentRead, likewise: the items of one partition key, in order of the sort key. */
MUST_USE json_t *dynamodb_query(struct dynamodb *dynamodb, const struct dynamodb_query *query, json_t *after, uint64_t deadline_ms,
				struct error *error);

/* Attribute values: {"S": …}, {"N": …}, {"BOOL": …}. Numbers go to 2^64-1 (DynamoDB's have 38 digits); hex is in lower case. */
MUST_USE json_t *dynamodb_text(const char *text);
MUST_USE json_t *dynamodb_hex(struct view bytes);
MUST_USE json_t *dynamodb_number(uint64_t value);
MUST_USE json_t *dynamodb_flag(bool value);
/* An attribute that may be absent (*ret_there). ERROR_PEER when it is of another type or size, "name: reason". */
MUST_USE bool dynamodb_read_hex(json_t *item, const char *name, bool *ret_there, uint8_t *ret_bytes, size_t size,
				struct error *error);
/* Borrowed from the item; NULL: it is absent. */
MUST_USE bool dynamodb_read_text(json_t *item, const char *name, const char **ret_text, struct error *error);
MUST_USE bool dynamodb_read_number(json_t *item, const char *name, bool *ret_there, uint64_t *ret_value, struct error *error);
MUST_USE bool dynamodb_read_flag(json_t *item, const char *name, bool *ret_there, bool *ret_value, struct error *error);

struct dynamodb_attribute {
	const char *name;
	json_t *value; /* {"S": …}; NULL: the attribute is taken away */
};
/*
 * The TransactItem of an Update, for dynamodb_write() and dynamodb_transact(): sets these attributes of the item of `key`, which is made where
 * it is missing, and leaves its other ones alone. `key` and the values are given away; `condition` NULL: none. A new reference.
 */
MUST_USE json_t *dynamodb_update(const char *table, json_t *key, const struct dynamodb_attribute *attributes, size_t count,
				 const char *condition);
