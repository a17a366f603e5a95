/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to sign that were read a moment ago: all validators of a slot vote for the same, so their clients send the same bytes for every
 * key, and reading JSON costs as much as the rest of such a request's HTTP. What was read is found again by the whole body, byte for byte.
 *
 * Public data only, and bounded: what is in the cache is what sign_request_parse() gave, a pure function of body and network. A body that is
 * no request is read, and refused, each time. For any thread.
 */
#pragma once

#include "enclave/frontend/sign_request.h"

/* A slot has some ten requests that are sent for many keys. The one that was asked for longest ago makes room. */
#define SIGN_REQUEST_CACHE_MAX 16
/* An attestation is 1 KiB; aggregates and blocks, which can be larger, are each sent once. */
#define SIGN_REQUEST_CACHE_BODY_MAX_SIZE 2048

struct sign_request_cache;

/* The network is borrowed. */
struct sign_request_cache *sign_request_cache_new(const struct network *network);
/* Accepts NULL. */
void sign_request_cache_free(struct sign_request_cache *cache);
/* As sign_request_parse(). */
MUST_USE bool sign_request_cache_parse(struct sign_request_cache *cache, struct view body,
				       const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], struct message_sign *ret_message,
				       struct error *error);
/* For tests: how many requests there are. */
size_t sign_request_cache_count(struct sign_request_cache *cache);
