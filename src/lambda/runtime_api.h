/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface between Lambda and what runs in it (AWS Lambda, "Using the Lambda runtime API for custom runtimes", version 2018-06-01): one
 * invocation at a time is fetched, and its answer or its error handed in. Plain HTTP with a server on the same machine.
 */
#pragma once

#include "base/json.h"
#include "net/http_client.h"

/* Lambda's own limit of an answer, 6 MB as it counts them; a larger one it would refuse. */
#define RUNTIME_ANSWER_MAX_SIZE 6291556u

struct runtime_api {
	char *url; /* http://HOST:PORT/2018-06-01/runtime */
};

struct invocation {
	char request_id[HTTP_HEADER_VALUE_SIZE];
	uint64_t deadline_ms; /* realtime */
	struct buffer event;
};

/* Why there is no answer: a word for programs and a sentence for people. */
struct runtime_failure {
	const char *type;
	const char *message;
};

/* `place`: HOST:PORT, as AWS_LAMBDA_RUNTIME_API has it. */
MUST_USE bool runtime_api_init(const char *place, struct runtime_api *ret_api, struct error *error);
void runtime_api_done(struct runtime_api *api);
#define AUTO_RUNTIME_API CLEANUP(runtime_api_done)

/* Waits for the next one, for days if it must. ERROR_PEER: Lambda cannot be understood, and the process has to end. */
MUST_USE bool runtime_next(const struct runtime_api *api, struct invocation *ret_invocation, struct error *error);
void invocation_done(struct invocation *invocation);
#define AUTO_INVOCATION CLEANUP(invocation_done)

/*
 * An invocation's answer, in JSON, or its failure. ERROR_INPUT: Lambda does not take it, and the next invocation may come. ERROR_PEER: as
 * above.
 */
MUST_USE bool runtime_respond(const struct runtime_api *api, const char *request_id, struct view answer, struct error *error);
MUST_USE bool runtime_fail(const struct runtime_api *api, const char *request_id, const struct runtime_failure *failure,
			   struct error *error);
/* Nothing can be invoked at all; the process ends then. */
MUST_USE bool runtime_fail_to_start(const struct runtime_api *api, const struct runtime_failure *failure, struct error *error);
