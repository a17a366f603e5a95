/* SPDX-License-Identifier: Apache-2.0 */
/* What DynamoDB's answers say of each item of a call. Part of dynamodb.h. */
#pragma once

#include "aws/dynamodb.h"

/* BatchGetItem takes as many as TransactWriteItems. */
#define DYNAMODB_CHUNK_MAX DYNAMODB_TRANSACTION_MAX

/* The members of one call, in the order in which they were sent. */
struct dynamodb_chunk {
	size_t count;
	struct dynamodb_item *items[DYNAMODB_CHUNK_MAX];
};

enum dynamodb_verdict {
	VERDICT_DONE,
	VERDICT_REFUSED,
	VERDICT_INNOCENT, /* nothing was done because of another member: send it again */
	VERDICT_AGAIN,    /* a conflict or throttling of its own, which may pass: send it again later */
	VERDICT_FAILED,
};

struct dynamodb_verdicts {
	enum dynamodb_verdict verdicts[DYNAMODB_CHUNK_MAX]; /* of each member */
	json_t *found[DYNAMODB_CHUNK_MAX];                  /* DONE, REFUSED: what is there, or NULL; borrowed from the answer */
	struct error problem;                               /* of the last AGAIN or FAILED */
};

/*
 * The reasons of a TransactionCanceledException. ERROR_PEER when they cannot be understood: another number of them than members, an
 * item that is none, a cancellation without any reason.
 */
MUST_USE bool dynamodb_read_cancellation(json_t *answer, const struct dynamodb_chunk *chunk, struct dynamodb_verdicts *ret_verdicts,
					 struct error *error);
/* The items of a BatchGetItem. ERROR_PEER for one that was not asked for, and for a table that is left out. */
MUST_USE bool dynamodb_read_batch(json_t *answer, const char *table, const struct dynamodb_chunk *chunk,
				  struct dynamodb_verdicts *ret_verdicts, struct error *error);
