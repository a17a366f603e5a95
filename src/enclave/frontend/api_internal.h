/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the API share: state of a call, answers. Nobody else includes this. */
#pragma once

#include "enclave/frontend/api.h"

struct api {
	struct network network;
	struct keeper_client *keeper; /* borrowed */
};

/* Each call carries one, zeroed at first. */
struct api_call {
	struct api *api;
	/* sign */
	bool wants_json;
	uint8_t signing_root[ROOT_SIZE]; /* that the client expects */
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	/* publicKeys */
	struct buffer list; /* JSON text so far */
	uint64_t next;      /* index of the next key to ask for */
};

static inline struct api_call *api_call_of(struct http_call *call)
{
	return (struct api_call *)call->state;
}

#define API_JSON "application/json; charset=utf-8"
#define API_TEXT "text/plain; charset=utf-8"

/* Whether the client takes an answer of the type "major/minor" (or sends no Accept at all), wildcards included. */
bool api_accepts(struct http_call *call, const char *type);
/* As Web3Signer decides between JSON and text for signatures: an entry is exactly application/json or any type. */
bool api_prefers_json(struct http_call *call);

/* The one way to say no: logs it and answers with {"code","message"}. `allow` may be NULL. */
void api_answer_error(struct http_call *call, unsigned status, const char *message, const char *allow);

/* Handlers of routes. `identifier` is the last segment of the path, for routes that have one. */
void api_sign(struct http_call *call, const char *identifier);
void api_list_keys(struct http_call *call, const char *identifier);
