/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signing API (remote-signing API, Web3Signer's dialect) on top of an HTTP server: which routes there are, and what each
 * outcome is as a status and a sentence. Parsing comes before looking up the key, so a bad body for an unknown key is 400.
 *
 * The signing policy comes between the two: what it says of a key says nothing about whether that is loaded.
 *
 * Errors are JSON, {"code":N,"message":"…"}: 400 malformed, or the signing root is not the message's; 403 a rule of the signing
 * policy refuses; 404 unknown key or path;
 * 405 wrong method, with Allow; 406 the client takes no type that the route gives; 412 slashing protection refused; 413 body
 * too large; 503 the keeper or the ledger cannot (nothing was signed, try again); 500 a bug.
 */
#pragma once

#include "enclave/frontend/attester_client.h"
#include "enclave/frontend/control_client.h"
#include "enclave/frontend/http_server.h"
#include "enclave/frontend/keeper_client.h"
#include "image/key_manager.h"
#include "image/signing_policy.h"

/* Web3Signer's own limit. */
#define API_BODY_MAX_SIZE (10u << 20)

/*
 * Requests that batches may have with the keeper at one time, besides one of each connection: the half of its queue, so that
 * single requests find room in it whatever batches come.
 */
#define API_BATCH_REQUESTS_MAX 2048

struct api;

/* All borrowed, but for the network. */
struct api_options {
	const struct network *network;
	bool slashing_protection; /* without it there is no route highWatermark */
	const struct signing_policy *policy;
	const struct key_manager *key_manager; /* NULL or off: there is no route /eth/v1/keystores */
	struct keeper_client *keeper;
	struct control_client *control;   /* NULL: nobody who could reload or import */
	struct attester_client *attester; /* NULL: there is no route /api/v1/enclave/attestation */
};

/*
 * Bounds the memory that jansson may take in this process from here on (a body of brackets grows forty-fold in it), so make it before the
 * first JSON value.
 */
MUST_USE struct api *api_new(const struct api_options *options);
/* No call may be under way. Accepts NULL. */
void api_free(struct api *api);
/* The SHA-256 of the server key's SubjectPublicKeyInfo, from now on. From any thread. */
void api_set_tls_digest(struct api *api, const uint8_t digest[CLIENT_DIGEST_SIZE]);
/* From now on /upcheck and /healthcheck are 503, so that a load balancer sends nobody here any more. From any thread. */
void api_drain(struct api *api);
/* Fill the handler's part of the options: functions, context, state, body_max_size. */
void api_fill_options(struct api *api, struct http_server_options *options);
