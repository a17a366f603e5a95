/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the key table whose keys the enclave could not load, as its answers tell of them and status.json passes them on. */
#pragma once

#include "base/json.h"
#include "net/frame.h"

/* A public key in hex; of a row without a sensible one whatever it has there, cut. */
#define KEY_FAILURE_PUBKEY_SIZE 100

struct key_failures {
	uint64_t count; /* of all of them; as many as fit are told */
	size_t told_count;
	struct key_failure {
		char pubkey[KEY_FAILURE_PUBKEY_SIZE];
		char message[ERROR_MESSAGE_SIZE];
	} told[CONTROL_FAILURES_LISTED_MAX];
};

/* The members `failed` and `failures` of an answer; without them there are none. ERROR_INPUT: they are malformed, or more than are allowed. */
MUST_USE bool key_failures_read(json_t *body, struct key_failures *ret_failures, struct error *error);
/* Sets the same members. */
void key_failures_write(const struct key_failures *failures, json_t *object);
