/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the API share: state of a call, answers. Nobody else includes this. */
#pragma once

#include <stdatomic.h>

#include "enclave/frontend/api.h"
#include "enclave/frontend/reload_state.h"
#include "enclave/frontend/sign_request_cache.h"

/* More requests of the key manager than control takes at one time wait for it; each has at most IMPORTS_MAX keys. */
#define API_IMPORTING_MAX (4 * IMPORTS_MAX)

struct api {
	struct network network;
	bool slashing_protection;
	struct sign_request_cache *requests;
	const struct signing_policy *policy;   /* borrowed */
	struct keeper_client *keeper;          /* borrowed */
	struct control_client *control;        /* borrowed; or NULL */
	const struct key_manager *key_manager; /* borrowed; never NULL */
	struct attester_client *attester;      /* borrowed; or NULL */
	pthread_mutex_t tls_lock;              /* what follows: of the key that new connections are shown */
	uint8_t tls_digest[CLIENT_DIGEST_SIZE];
	struct reload_state reload;
	pthread_mutex_t importing_lock; /* what follows: keys whose import is under way, which may not be deleted meanwhile */
	uint8_t importing[API_IMPORTING_MAX][BLS_PUBLIC_KEY_SIZE];
	size_t importing_count;
	atomic_uint batches; /* under way */
	atomic_bool is_draining;
};

struct api_batch;
struct api_import;

/* All keys that sign, one after the other, borrowed from the call; it answers. On the keeper client's thread. */
typedef void api_keys_collected(struct http_call *call, const uint8_t *keys, size_t count);
struct api_deletion;

/* Each call carries one, zeroed at first. */
struct api_call {
	struct api *api;
	/* sign, and of a batch the key that is being described */
	bool wants_json;
	uint8_t signing_root[ROOT_SIZE]; /* that the client expects */
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	uint32_t artifact_type;
	uint64_t started_us; /* monotonic */
	/* lists of keys */
	struct buffer keys; /* so far, one after the other */
	uint64_t generation;
	unsigned restarts;
	size_t key_memory_size;
	api_keys_collected *keys_collected;
	/* attestation */
	uint8_t nonce[CLIENT_NONCE_MAX_SIZE];
	size_t nonce_size;
	/* batch */
	struct api_batch *batch;
	/* key manager */
	struct api_import *import;
	struct api_deletion *deletion;
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

/* 401 of the key manager. */
void api_answer_unauthorized(struct http_call *call, const char *message);
/* A JSON text of printable ASCII; all else becomes a question mark. */
void api_append_text(struct buffer *text, const char *message);

/* Its two halves, for an answer that has several refusals in it. */
void api_log_refusal(const struct http_call *call, unsigned status, const char *message);
void api_append_error(struct buffer *text, unsigned status, const char *message);
/* 400, or 503 when it was memory that parsing lacked (json_budget_begin() before parsing). Returns which. */
unsigned api_answer_bad_request(struct http_call *call, const struct error *error);

/* 96 hex digits, 0x or 0X optional. */
MUST_USE bool api_parse_identifier(const char *identifier, uint8_t ret_public_key[BLS_PUBLIC_KEY_SIZE]);
/* What the keeper's word on `state`'s key is in HTTP: 200, or a status and its reason. */
unsigned api_describe_result(const struct api_call *state, const struct message_sign_result *result, struct error *ret_reason);
/* Count one signature that was asked for, by its answer. `result` NULL: the keeper was not asked, or did not answer. */
void api_count_signing(uint32_t artifact_type, unsigned status, const struct message_sign_result *result);
/* The name of the rule that refuses this client such a signature, or NULL: go on. Borrowed from the policy. */
const char *api_find_refusing_rule(const struct http_call *call, uint32_t artifact_type,
				   const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);
/* That refusal, a 403, in words. */
void api_describe_refusing_rule(const struct http_call *call, uint32_t artifact_type, const char *rule, struct error *ret_reason);
/* Whether this client may have anything signed with the key: else the key is none of its business. */
bool api_shows_key(const struct http_call *call, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);
/* Accepts NULL. */
void api_batch_free(struct api_batch *batch);

/*
 * Ask the keeper for all keys; `key_text_size` is how much of each the answer will have, which is charged to the answer budget. What fails
 * is answered here.
 */
void api_collect_keys(struct http_call *call, size_t key_text_size, api_keys_collected *collected);

/* Whether this signer is about to end, and the reason then for sending clients elsewhere. */
bool api_is_draining(const struct api *api);
#define API_DRAINING "this signer is about to end; another one should be asked"

/* Handlers of routes. `identifier` is the last segment of the path, for routes that have one. */
void api_sign(struct http_call *call, const char *identifier);
void api_sign_batch(struct http_call *call, const char *identifier);
void api_list_keys(struct http_call *call, const char *identifier);
void api_attest(struct http_call *call, const char *identifier);
void api_check_health(struct http_call *call, const char *identifier);
void api_show_high_watermark(struct http_call *call, const char *identifier);
void api_ask_reload(struct http_call *call, const char *identifier);
void api_show_reload(struct http_call *call, const char *identifier);
/* For control_client_on_reload(); context is the api. */
void api_end_reload(void *context, const struct message_reload_result *result);
